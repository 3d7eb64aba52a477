import { setTimeout as sleep } from 'node:timers/promises';
import { toFile, type OpenAI } from 'openai';
import { checkBatch } from '../../scripts/check-batch.ts';
import { UNLIMITED_MICROS } from '../../core/contracts/batch-spend.ts';
import type { LedgerDoc } from '../../store/ledger.ts';
import type { Stores } from '../../store/stores.ts';

/** A batch line of the tests. Its last word is the marker by which stand-ins count the attempts of a line. */
export function batchLine(customId: string, model: string, text = 'Summarise this.', more: object = {}): string {
  return JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model, messages: [{ role: 'user', content: `${text} id=${customId}` }], ...more },
  });
}

export function lineIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `row-${index + 1}`);
}

/**
 * Uploads lines and starts a batch with the official client.
 * @param given what else is asked for; without metadata of its own it does not wait for a plan's next window
 */
export async function startBatch(
  client: OpenAI,
  lines: readonly string[],
  given: Partial<Pick<OpenAI.BatchCreateParams, 'endpoint' | 'metadata'>> = {},
): Promise<OpenAI.Batch> {
  const file = await client.files.create({
    file: await toFile(Buffer.from(`${lines.join('\n')}\n`), 'lines.jsonl'),
    purpose: 'batch',
  });
  return client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { flatlane_spill: 'now' },
    ...given,
  });
}

/** Waits until a batch is in a state that satisfies. @throws Error when it is not within the limit */
export async function waitForBatch(
  client: OpenAI,
  batchId: string,
  until: (batch: OpenAI.Batch) => boolean,
  limitMs = 180_000,
): Promise<OpenAI.Batch> {
  const givesUpAt = performance.now() + limitMs;
  for (;;) {
    const batch = await client.batches.retrieve(batchId);
    if (until(batch)) return batch;
    if (performance.now() > givesUpAt) throw new Error(`after ${limitMs} ms the batch is ${JSON.stringify(batch)}`);
    await sleep(50);
  }
}

export const isOver = (batch: OpenAI.Batch): boolean =>
  ['completed', 'failed', 'expired', 'cancelled'].includes(batch.status);

/** The lines of a result file, none where there is no file. */
export async function resultLines(client: OpenAI, fileId: string | null | undefined): Promise<string[]> {
  if (fileId === null || fileId === undefined) return [];
  return (await download(client, fileId)).split('\n').filter((line) => line !== '');
}

/** A download that is cut, because a part was killed say, is begun anew, as people do; the official client does not do it by itself. */
async function download(client: OpenAI, fileId: string, triesLeft = 3): Promise<string> {
  const response = await client.files.content(fileId);
  try {
    return await response.text();
  } catch (cause) {
    if (triesLeft === 0) throw cause;
    return download(client, fileId, triesLeft - 1);
  }
}

/** What the checker found of a batch that is over. All but the counts must be empty. */
export interface CheckedBatch {
  readonly completed: number;
  readonly failed: number;
  readonly lost: readonly string[];
  readonly twice: readonly string[];
  readonly strangers: readonly string[];
  /** Lines whose lane log does not say what came out, or whose answer is not in the ledger, or costs another sum there. */
  readonly unbalanced: readonly string[];
  /** Answers that were paid for a second time. */
  readonly paidTwice: number;
}

/** @throws Error when a batch that is over holds money, has paid more than it may, or less than its ledger says */
async function checkMoney(stores: Stores, batchId: string, ledger: readonly LedgerDoc[]): Promise<void> {
  const { holds, maxMicros, paidMicros, roomMicros } = await stores.batchSpend.find(batchId);
  const costs = ledger.reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0);
  const says = JSON.stringify({ batchId, costs, holds, maxMicros, paidMicros, roomMicros });
  if (Object.keys(holds).length > 0) throw new Error(`a batch that is over holds money: ${says}`);
  if (costs > paidMicros) throw new Error(`a batch has cost more than it has counted: ${says}`);
  if (paidMicros + roomMicros !== (maxMicros ?? UNLIMITED_MICROS)) throw new Error(`money is lost or made: ${says}`);
  if (roomMicros < 0) throw new Error(`a batch has cost more than it may: ${says}`);
}

/**
 * The one checker behind every fault test: what came out over the wire against what went in, and the lane log and the
 * ledger in the database against both.
 */
export async function checkFinishedBatch(
  client: OpenAI,
  stores: Stores,
  batch: OpenAI.Batch,
  customIds: readonly string[],
): Promise<CheckedBatch> {
  const output = await resultLines(client, batch.output_file_id);
  const errors = await resultLines(client, batch.error_file_id);
  const { completed, failed, lost, twice, strangers } = checkBatch(customIds, output, errors);
  const ledger = await stores.ledger.listOfBatch(batch.id);
  const log = await stores.laneLog.list({ batchId: batch.id, limit: customIds.length * 2 });
  const logOf = new Map(log.map((entry) => [entry._id, entry]));
  const answered = new Set(output.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id));
  const unbalanced = customIds.filter((customId, index) => {
    const key = `${batch.id}:${String(index + 1).padStart(6, '0')}`;
    const entry = logOf.get(key);
    const paid = ledger.filter((row) => row.itemId === key);
    if (!answered.has(customId)) return entry?.status === 'answered' || paid.length > 0;
    return (
      entry?.status !== 'answered' ||
      !paid.some(
        (row) =>
          row.laneId === entry.laneId && row.costMicros === entry.costMicros && row.meterMicros === entry.meterMicros,
      )
    );
  });
  if (log.length !== logOf.size) throw new Error('the lane log has a line twice');
  await checkMoney(stores, batch.id, ledger);
  return { completed, failed, lost, twice, strangers, unbalanced, paidTwice: ledger.length - answered.size };
}
