import { parseJson } from '../core/wire/json-object.ts';
import { failedResult, type Batch, type Progress } from './api-shapes.ts';
import type { ApiClient } from './api-client.ts';
import { CliError } from './cli-error.ts';
import { batchPath } from './connect-api.ts';
import { printable } from './table.ts';

/** A file of many wrong lines mostly has one mistake. */
const ERRORS_SHOWN = 5;

/** Why a batch never began: what is wrong with its lines, the first few. Of one that ran: what of its input was lost. */
export function batchErrorNotes({ errors }: Batch): string[] {
  const found = errors?.data ?? [];
  const rest = found.length - ERRORS_SHOWN;
  return [
    ...found
      .slice(0, ERRORS_SHOWN)
      .map(({ line, code, message }) => printable(`line ${line ?? '-'}: ${code}: ${message}`)),
    ...(rest > 0 ? [`and ${rest} more`] : []),
  ];
}

/**
 * Why lines have no answer, by the first of them, and what to do about it; nothing where all have one. Results are kept for a time
 * only: once they can't be had, there is nothing to see or to try again.
 */
export async function failedLineNotes(client: ApiClient, { batch_id: id, lines }: Progress): Promise<string[]> {
  if (lines.failed === 0) return [];
  const count = `${lines.failed} of ${lines.total} lines have no answer`;
  const first = await firstFailed(client, id).catch(unlessInterrupted);
  if (first === undefined) return [`${count}.`];
  return [
    `${count}${first === null ? '.' : `, as ${first}`}`,
    `See them with: flatlane batches results ${id} --kind failed`,
    `Try them again with: flatlane batches retry ${id}`,
  ];
}

async function firstFailed(client: ApiClient, id: string): Promise<string | null> {
  const { body } = await client.open(batchPath(id, '/results?kind=failed&limit=1'), '*/*');
  const text = body === null ? '' : await new Response(body).text();
  const read = failedResult.safeParse(parseJson(text.trim()));
  if (!read.success) return null;
  const { custom_id: customId, response, error } = read.data;
  const why = error ?? response?.body.error;
  return why ? printable(`${customId}: ${why.code ?? 'error'}: ${why.message}`) : null;
}

/** A note is no reason for a command to fail. */
function unlessInterrupted(error: unknown): undefined {
  const isInterruption = error instanceof CliError ? error.exitCode === 130 : error instanceof DOMException;
  if (isInterruption) throw error;
}
