import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from '../http-exchange.ts';
import { refuse } from './api-errors.ts';
import type { ScriptState } from './script.ts';

/** A batch of the stand-in provider. */
interface StandInBatch {
  readonly id: string;
  readonly inputFileId: string;
  readonly endpoint: string;
  readonly metadata: Record<string, string> | null;
  readonly idempotencyKey: string | null;
  readonly createdAt: number;
  polls: number;
  status: 'in_progress' | 'completed' | 'failed' | 'cancelling' | 'cancelled';
  outputFileId: string | null;
  errorFileId: string | null;
  counts: { total: number; completed: number; failed: number };
}

export interface BatchesRoute {
  /** True when this request was for files or batches, and is answered. */
  handle(request: IncomingMessage, response: ServerResponse, raw: Buffer | undefined): Promise<boolean>;
  /** Batches that were made, whatever became of them. */
  made(): readonly (Pick<StandInBatch, 'id' | 'metadata' | 'idempotencyKey'> & { readonly lines: number })[];
  /** Files that are there. */
  files(): number;
}

/**
 * Files and batches of the stand-in provider: a batch is served when it was looked at often enough, each line by a call of
 * the stand-in's own endpoint, so that scripts and magic words hold for lines as for calls.
 */
export function createBatchesRoute(script: ScriptState, key: string, ownUrl: () => string): BatchesRoute {
  const files = new Map<string, Buffer>();
  const batches: StandInBatch[] = [];

  const serve = async (batch: StandInBatch, share: number): Promise<void> => {
    const lines = textOf(files.get(batch.inputFileId)).split('\n').filter(Boolean);
    batch.counts.total = lines.length;
    const output: string[] = [];
    const errors: string[] = [];
    for (const line of lines.slice(0, Math.floor(lines.length * share))) {
      const { custom_id, url, body } = JSON.parse(line) as { custom_id: string; url: string; body: unknown };
      const answer = await fetch(`${ownUrl()}${url.slice('/v1'.length)}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const response = { status_code: answer.status, request_id: `req_${custom_id}`, body: await answer.json() };
      (answer.ok ? output : errors).push(
        JSON.stringify({ id: `batch_req_${custom_id}`, custom_id, response, error: null }),
      );
    }
    for (const line of lines.slice(Math.floor(lines.length * share))) {
      const { custom_id } = JSON.parse(line) as { custom_id: string };
      const error = { code: 'batch_cancelled', message: 'This request was not executed.' };
      errors.push(JSON.stringify({ id: `batch_req_${custom_id}`, custom_id, response: null, error }));
    }
    batch.outputFileId = put(files, output);
    batch.errorFileId = put(files, errors);
    batch.counts = { total: lines.length, completed: output.length, failed: errors.length };
  };

  const look = async (batch: StandInBatch): Promise<void> => {
    batch.polls += 1;
    const { batch: scripted = {} } = script.current();
    if (batch.status === 'cancelling') {
      await serve(batch, scripted.doneBeforeCancel ?? 0);
      batch.status = 'cancelled';
    }
    if (batch.status !== 'in_progress' || batch.polls < (scripted.polls ?? 1)) return;
    if (script.takeBatchFailure()) {
      batch.status = 'failed';
      return;
    }
    await serve(batch, 1);
    batch.status = 'completed';
  };

  const handle = async (request: IncomingMessage, response: ServerResponse, raw?: Buffer): Promise<boolean> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://stand-in');
    const [, , kind, id, action] = pathname.split('/');
    if (kind !== 'files' && kind !== 'batches') return false;
    const notFound = (): void => sendJson(response, 404, refuse(404, 'invalid_request_error', null, 'Not found.').body);
    if (kind === 'files') {
      if (raw !== undefined) sendJson(response, 200, { id: putFile(files, raw), object: 'file', purpose: 'batch' });
      else if (id === undefined || !files.has(id)) notFound();
      else if (request.method === 'DELETE') sendJson(response, 200, { id, object: 'file', deleted: files.delete(id) });
      else if (action === 'content') response.end(files.get(id));
      else notFound();
      return true;
    }
    if (id === undefined && raw !== undefined) {
      const {
        refuseWith: refusal,
        silent = false,
        madeWith = 200,
        madeUnreadably = false,
      } = script.current().batch ?? {};
      if (silent) return true;
      if (refusal !== undefined) {
        sendJson(response, refusal, refuse(refusal, 'invalid_request_error', null, 'No batches here.').body);
        return true;
      }
      const { input_file_id, endpoint, metadata } = JSON.parse(raw.toString()) as {
        input_file_id: string;
        endpoint: string;
        metadata?: Record<string, string>;
      };
      const batch: StandInBatch = {
        id: `batch_${batches.length + 1}`,
        inputFileId: input_file_id,
        endpoint,
        metadata: metadata ?? null,
        idempotencyKey: request.headers['idempotency-key']?.toString() ?? null,
        createdAt: Math.floor(Date.now() / 1000),
        polls: 0,
        status: 'in_progress',
        outputFileId: null,
        errorFileId: null,
        counts: { total: textOf(files.get(input_file_id)).split('\n').filter(Boolean).length, completed: 0, failed: 0 },
      };
      batches.push(batch);
      if (madeUnreadably) response.writeHead(madeWith).end('<html>');
      else sendJson(response, madeWith, toObject(batch));
      return true;
    }
    if (id === undefined) {
      const shown = script.takeListLag() ? batches.slice(0, -1) : batches;
      const newest = shown.toReversed().slice(0, Number(searchParams.get('limit') ?? 20));
      sendJson(response, 200, { object: 'list', data: newest.map(toObject), has_more: false });
      return true;
    }
    const batch = batches.find((one) => one.id === id);
    if (batch === undefined) notFound();
    else if (action === 'cancel') {
      if (batch.status === 'in_progress') batch.status = 'cancelling';
      sendJson(response, 200, toObject(batch));
    } else {
      await look(batch);
      sendJson(response, 200, toObject(batch));
    }
    return true;
  };

  return {
    handle,
    made: () =>
      batches.map(({ id, metadata, idempotencyKey, counts }) => ({
        id,
        metadata,
        idempotencyKey,
        lines: counts.total,
      })),
    files: () => files.size,
  };
}

function toObject(batch: StandInBatch): object {
  const { id, endpoint, inputFileId, status, outputFileId, errorFileId, counts, metadata, createdAt } = batch;
  return {
    id,
    object: 'batch',
    endpoint,
    input_file_id: inputFileId,
    status,
    output_file_id: outputFileId,
    error_file_id: errorFileId,
    request_counts: counts,
    metadata,
    created_at: createdAt,
  };
}

/** Takes the file out of a multipart body: the part with a file name. */
function putFile(files: Map<string, Buffer>, raw: Buffer): string {
  const text = raw.toString();
  const boundary = text.slice(0, text.indexOf('\r\n'));
  const part = text.split(boundary).find((one) => one.includes('filename='));
  if (part === undefined) throw new Error('the stand-in was sent a form without a file');
  const content = part.slice(part.indexOf('\r\n\r\n') + 4, part.lastIndexOf('\r\n'));
  return put(files, content.split('\n').filter(Boolean)) ?? '';
}

function put(files: Map<string, Buffer>, lines: readonly string[]): string | null {
  if (lines.length === 0) return null;
  const id = `file-stand-in-${Date.now().toString(36)}-${files.size + 1}-${Math.round(performance.now() * 1000)}`;
  files.set(id, Buffer.from(lines.map((line) => `${line}\n`).join('')));
  return id;
}

function textOf(bytes: Buffer | undefined): string {
  return bytes?.toString() ?? '';
}
