import { Command } from 'commander';
import { benchBatch } from './bench/batch.ts';
import { benchOverhead } from './bench/overhead.ts';

/** `npm run bench -- overhead` and `npm run bench -- batch`: bounded load on loopback against stand-ins that answer at once. */
const program = new Command('npm run bench --').description('Measures flatlane on stand-ins that answer at once.');
program
  .command('overhead')
  .description('added latency of the lanes, requests a second, memory')
  .option('--requests <number>', 'requests for each figure', Number, 200)
  .option('--soak <number>', 'completions on a plan lane between two readings of the memory', Number, 0)
  .action((options: { requests: number; soak: number }) => benchOverhead(options));
program
  .command('batch')
  .description('rows a second of a batch on two plan lanes, and on a key lane')
  .option('--rows <number>', 'rows of the batch on plan lanes', Number, 1_000)
  .option('--key-rows <number>', 'rows of the batch on a key lane', Number, 5_000)
  .action((options: { rows: number; keyRows: number }) => benchBatch(options));

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
