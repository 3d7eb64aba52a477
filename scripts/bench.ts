import { Command } from 'commander';
import { benchBatch } from './bench/batch.ts';
import { benchBulk } from './bench/bulk.ts';
import { benchOverhead } from './bench/overhead.ts';
import { benchMemory } from './bench/soak.ts';

/** `npm run bench -- overhead` and `npm run bench -- batch`: bounded load on loopback against stand-ins that answer at once. */
const program = new Command('npm run bench --').description('Measures flatlane on stand-ins that answer at once.');
program
  .command('overhead')
  .description('added latency of the lanes, requests a second, memory')
  .option('--requests <number>', 'requests for each figure', Number, 200)
  .option('--soak <number>', 'completions on a plan lane between two readings of the memory', Number, 0)
  .option('--direct', 'the direct path alone, beside the stand-in', false)
  .action((options: { requests: number; soak: number; direct: boolean }) => benchOverhead(options));
program
  .command('batch')
  .description('rows a second of a batch on two plan lanes, and on a key lane')
  .option('--rows <number>', 'rows of the batch on plan lanes', Number, 1_000)
  .option('--key-rows <number>', 'rows of the batch on a key lane', Number, 5_000)
  .action((options: { rows: number; keyRows: number }) => benchBatch(options));
program
  .command('bulk')
  .description('batches of growing size on a key lane: rows a second, what others see meanwhile, memory')
  .option('--sizes <numbers>', 'rows of each batch', (text: string) => text.split(',').map(Number), [1_000, 50_000])
  .action((options: { sizes: number[] }) => benchBulk(options));
program
  .command('memory')
  .description('memory of each process over completions on two plan lanes with mixed failures')
  .option('--completions <number>', 'completions in all, a reading each 500', Number, 10_000)
  .action((options: { completions: number }) => benchMemory(options));

// Without a listener a signal ends the process at once, and what it has started goes on.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
