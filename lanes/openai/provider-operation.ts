import type { LaneCall, Operation } from '../../core/lane-port.ts';
import { completionChunks } from '../../core/wire/completion-chunks.ts';
import { responseEvents } from '../../core/wire/response-events.ts';
import type { ProviderQuirks } from './presets.ts';
import { readCompletion, type CompletionReading } from './read-completion.ts';
import { readEmbeddings } from './read-embeddings.ts';
import { readResponse, readResponsesStream } from './read-responses.ts';
import { readChatStream, type StreamEnd, type StreamReading } from './read-stream.ts';
import { toEmbeddingsBody, toProviderBody, toResponsesBody } from './request-body.ts';

/** One of a provider's endpoints: what is sent there, and how its answer is read. */
export interface ProviderOperation {
  /** Added to the lane's base URL. */
  readonly path: string;
  readonly toBody: (call: LaneCall, quirks: ProviderQuirks) => string;
  readonly readWhole: (text: string) => CompletionReading;
  readonly readStream: (reading: StreamReading) => Promise<StreamEnd>;
  /** A whole answer as chunks, for a provider that did not stream. */
  readonly chunksOf: (answerJson: string, passUsage: boolean) => readonly string[];
}

export const PROVIDER_OPERATIONS: Readonly<Record<Operation, ProviderOperation>> = {
  chat: {
    path: '/chat/completions',
    toBody: toProviderBody,
    readWhole: readCompletion,
    readStream: readChatStream,
    chunksOf: completionChunks,
  },
  responses: {
    path: '/responses',
    toBody: toResponsesBody,
    readWhole: readResponse,
    readStream: readResponsesStream,
    chunksOf: responseEvents,
  },
  embeddings: {
    path: '/embeddings',
    toBody: toEmbeddingsBody,
    readWhole: readEmbeddings,
    // The endpoint has no streams; one that comes all the same is no answer.
    readStream: () => Promise.resolve({ whole: false, reason: 'the provider streams embeddings' }),
    chunksOf: () => [],
  },
};
