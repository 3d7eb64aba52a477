import type { Command } from 'commander';
import { logList } from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { findLane } from '../find-lane.ts';
import { formatText, formatTime, formatUsd, UNKNOWN } from '../format-values.ts';
import { parseCount, parseTime } from '../parse-arguments.ts';
import { formatTable } from '../table.ts';

interface LogOptions {
  readonly limit: number;
  readonly before?: number;
  readonly lane?: string;
  readonly batch?: string;
  readonly key?: string;
  readonly id?: string;
}

export function registerLogs(program: Command, context: CliContext): void {
  program
    .command('logs')
    .description('list what was served, by which lane, and what it cost; the newest first')
    .option('--limit <n>', 'entries at most', parseCount, 50)
    .option('--before <time>', 'entries before this time, as 2026-11-20T12:00:00Z', parseTime)
    .option('--lane <lane>', 'entries of this lane, by alias or id')
    .option('--batch <id>', 'lines of this batch')
    .option('--key <id>', 'entries of this key, as in `flatlane keys`')
    .option('--id <id>', 'the entry of this request, as its header x-request-id names it')
    .action(async ({ limit, before, lane, batch, key, id }: LogOptions, command: Command) => {
      const client = await context.connect(command);
      const query = new URLSearchParams({ limit: String(limit) });
      if (before !== undefined) query.set('before', String(before));
      if (lane !== undefined) query.set('lane', (await findLane(client, lane)).id);
      if (batch !== undefined) query.set('batch', batch);
      if (key !== undefined) query.set('key', key);
      if (id !== undefined) query.set('id', id);
      const log = await client.request('GET', `/admin/logs?${query.toString()}`, logList);
      context.show(command, log, () =>
        formatTable(
          ['time', 'id', 'model', 'outcome', 'lane', 'tries', 'tokens in', 'tokens out', 'paid', 'on the meter'],
          log.data.map((entry) => [
            formatTime(entry.at),
            entry.id,
            entry.model,
            [entry.status, entry.httpStatus ?? ''].join(' ').trim(),
            formatText(entry.laneAlias),
            String(entry.attempts.length),
            entry.usage ? String(entry.usage.promptTokens) : UNKNOWN,
            entry.usage ? String(entry.usage.completionTokens) : UNKNOWN,
            formatUsd(entry.costMicros),
            formatUsd(entry.meterMicros),
          ]),
          'No entries.',
        ),
      );
    });
}
