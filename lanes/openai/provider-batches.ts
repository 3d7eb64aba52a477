import { randomBytes } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { isJsonObject, parseJson, type JsonObject } from '../../core/wire/json-object.ts';
import { ERROR_BODY_LIMIT_BYTES, readText } from './bounded-body.ts';
import { eitherSignal } from '../../core/either-signal.ts';

/** What is sent to the provider: everything but its address and the key. */
export interface ProviderRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the lane's base URL. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string | AsyncIterable<Uint8Array>;
  /** A repeat of the same request is known by it, where the provider heeds it. */
  readonly idempotencyKey?: string;
  /** Ends the request, its answer's body included. */
  readonly signal?: AbortSignal | undefined;
}

export type SendToProvider = (request: ProviderRequest) => Promise<Dispatcher.ResponseData>;

export type ProviderBatchStatus = 'running' | 'completed' | 'failed' | 'expired' | 'cancelled';

/** A batch at the provider. */
export interface ProviderBatch {
  readonly id: string;
  readonly status: ProviderBatchStatus;
  readonly inputFileId: string;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
}

export interface ProviderBatchRequest {
  /** By which it is found again after a crash between its creation and our note of it. */
  readonly marker: string;
  readonly endpoint: string;
  /** Lines of JSON, each with its line feed. */
  readonly lines: AsyncIterable<string>;
  /** Called when the lines are there and the batch is about to be asked for. What it throws ends it: nothing is paid before. */
  readonly onUploaded?: () => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * The provider's own Files and Batches API: slower than calls, at a part of their price. A signal ends what is under way, with its
 * reason; whether the provider has heard it is not known then.
 */
export interface ProviderBatches {
  /**
   * Uploads the lines and makes a batch of them. The provider may give one that it has made before of the same lines.
   * @throws ProviderRefusalError when none is made; ProviderUnclearError or the connection's error when one may be
   */
  create(request: ProviderBatchRequest): Promise<ProviderBatch>;
  /** One of its newest batches that was made with this marker; undefined only where the provider lists them and it is none of them. */
  find(marker: string, signal?: AbortSignal): Promise<ProviderBatch | undefined>;
  read(batchId: string, signal?: AbortSignal): Promise<ProviderBatch>;
  /** Safe to repeat; one that is over, or gone, stays as it is. @throws Error when it may not have been heard */
  cancel(batchId: string, signal?: AbortSignal): Promise<void>;
  /** The bytes of a result file. */
  content(fileId: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Removes a file; one that is gone is no error. */
  removeFile(fileId: string, signal?: AbortSignal): Promise<void>;
}

/** The provider has refused: it has done nothing of what was asked. */
export class ProviderRefusalError extends Error {
  override readonly name = 'ProviderRefusalError';
  readonly status: number;
  constructor(what: string, status: number) {
    super(`The provider answered ${status} when ${what}.`);
    this.status = status;
  }
}

/** The provider has answered, and it may have done what was asked or not: an answer that can't be read is never a refusal. */
export class ProviderUnclearError extends Error {
  override readonly name = 'ProviderUnclearError';
  readonly what: string;
  readonly status: number;
  /** The lines that a batch was asked for with. They stay at the provider: the batch needs them, if there is one. */
  readonly inputFileId: string | undefined;
  constructor(what: string, status: number, inputFileId?: string) {
    super(`The provider answered ${status} when ${what}, and what came of that is not known.`);
    this.what = what;
    this.status = status;
    this.inputFileId = inputFileId;
  }
}

/**
 * These say that it took too long, that the same thing (the idempotency key, say) is there or under way already, or that it is to be sent
 * once more. OpenAI's own clients repeat the first two.
 */
const UNCLEAR_REFUSALS: ReadonlySet<number> = new Set([408, 409, 425]);

/** Under this name the marker stands in the batch's metadata at the provider. */
const MARKER = 'flatlane_part';

/** Batches that are looked through for a marker: those of the last minutes are among them. */
const NEWEST = 100;

/** A look, a list or a cancel is answered within a second or two; one that hangs must leave time to ask again. */
const SHORT_CALL_MS = 15_000;

const STATUS: Readonly<Record<string, ProviderBatchStatus>> = {
  completed: 'completed',
  failed: 'failed',
  expired: 'expired',
  cancelled: 'cancelled',
};

/** @param shortCallMs how long a look, a list and a cancel may take, bodies included */
export function createProviderBatches(send: SendToProvider, shortCallMs: number = SHORT_CALL_MS): ProviderBatches {
  const shortly = (signal: AbortSignal | undefined): AbortSignal =>
    eitherSignal(AbortSignal.timeout(shortCallMs), signal);
  const ask = async (what: string, request: ProviderRequest): Promise<JsonObject> => {
    const { statusCode, body } = await send(request);
    if (!isAnswer(statusCode)) {
      await body.dump();
      throw notDone(what, statusCode);
    }
    const answer = parseJson(await readText(body, ERROR_BODY_LIMIT_BYTES));
    if (!isJsonObject(answer)) throw new ProviderUnclearError(what, statusCode);
    return answer;
  };
  const removeFile = async (fileId: string, signal?: AbortSignal): Promise<void> => {
    const path = `/files/${encodeURIComponent(fileId)}`;
    const { body } = await send({ method: 'DELETE', path, signal: shortly(signal) });
    await body.dump();
  };

  return {
    async create({ marker, endpoint, lines, onUploaded = () => undefined, signal }) {
      const boundary = `flatlane-${randomBytes(16).toString('hex')}`;
      const file = await ask('a file was sent to it', {
        method: 'POST',
        path: '/files',
        contentType: `multipart/form-data; boundary=${boundary}`,
        body: multipart(boundary, lines),
        signal,
      });
      const inputFileId = idOf(file);
      let isAsked = false;
      try {
        await onUploaded();
        isAsked = true;
        const made = toProviderBatch(
          await ask('a batch was asked of it', {
            method: 'POST',
            path: '/batches',
            contentType: 'application/json',
            body: JSON.stringify({
              input_file_id: inputFileId,
              endpoint,
              completion_window: '24h',
              metadata: { [MARKER]: marker },
            }),
            idempotencyKey: marker,
            signal,
          }),
        );
        if (hasOtherLines(made, inputFileId)) await removeFile(inputFileId).catch(() => undefined);
        return made;
      } catch (error) {
        if (!isAsked || error instanceof ProviderRefusalError) await removeFile(inputFileId).catch(() => undefined);
        if (!(error instanceof ProviderUnclearError)) throw error;
        throw new ProviderUnclearError(error.what, error.status, inputFileId);
      }
    },

    async find(marker, signal) {
      const path = `/batches?limit=${NEWEST}`;
      const { data } = await ask('its batches were listed', { method: 'GET', path, signal: shortly(signal) });
      // Some say null of an empty list.
      if (data === null) return undefined;
      if (!Array.isArray(data)) throw new ProviderUnclearError('its batches were listed', 200);
      const found: unknown = data.find(
        (one) => isJsonObject(one) && isJsonObject(one['metadata']) && one['metadata'][MARKER] === marker,
      );
      return isJsonObject(found) ? toProviderBatch(found) : undefined;
    },

    async read(batchId, signal) {
      const path = `/batches/${encodeURIComponent(batchId)}`;
      return toProviderBatch(await ask('a batch was looked at', { method: 'GET', path, signal: shortly(signal) }));
    },

    async cancel(batchId, signal) {
      const { statusCode, body } = await send({
        method: 'POST',
        path: `/batches/${encodeURIComponent(batchId)}/cancel`,
        contentType: 'application/json',
        body: '{}',
        signal: shortly(signal),
      });
      await body.dump();
      // A conflict is one with its end: it is over, or being cancelled.
      if (isAnswer(statusCode) || statusCode === 409) return;
      const error = notDone('a batch was cancelled', statusCode);
      if (statusCode === 429 || error instanceof ProviderUnclearError) throw error;
    },

    async content(fileId, signal) {
      const { statusCode, body } = await send({
        method: 'GET',
        path: `/files/${encodeURIComponent(fileId)}/content`,
        signal,
      });
      if (!isAnswer(statusCode)) {
        await body.dump();
        throw notDone('a result file was read', statusCode);
      }
      return body;
    },

    removeFile,
  };
}

/** True when the batch was made of another file than this one; not where the provider names none. */
export function hasOtherLines({ inputFileId }: Pick<ProviderBatch, 'inputFileId'>, fileId: string): boolean {
  return inputFileId !== '' && inputFileId !== fileId;
}

function toProviderBatch(batch: JsonObject): ProviderBatch {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return {
    id: idOf(batch),
    status: STATUS[String(batch['status'])] ?? 'running',
    inputFileId: text(batch['input_file_id']) ?? '',
    outputFileId: text(batch['output_file_id']),
    errorFileId: text(batch['error_file_id']),
  };
}

/** Not 200 alone: some providers answer 201 or 202 when they have made something. */
function isAnswer(status: number): boolean {
  return status >= 200 && status < 300;
}

/** @param status any but that of an answer */
function notDone(what: string, status: number): ProviderRefusalError | ProviderUnclearError {
  const isRefusal = status >= 400 && status < 500 && !UNCLEAR_REFUSALS.has(status);
  return isRefusal ? new ProviderRefusalError(what, status) : new ProviderUnclearError(what, status);
}

function idOf({ id }: JsonObject): string {
  if (typeof id !== 'string' || id === '') throw new ProviderUnclearError('an id was expected', 200);
  return id;
}

async function* multipart(boundary: string, lines: AsyncIterable<string>): AsyncGenerator<Uint8Array, void, undefined> {
  const part = (head: string): Uint8Array =>
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n`);
  yield part('name="purpose"\r\n\r\nbatch');
  yield part('name="file"; filename="lines.jsonl"\r\ncontent-type: application/jsonl\r\n');
  for await (const line of lines) yield Buffer.from(line);
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}
