import type { RpcNotification } from './rpc-client.ts';

/**
 * Whether the model's stream of a thread goes on is said nowhere in the protocol while a function call is open: the CLI waits for
 * the call's result first, for as long as it takes, and only then speaks of a stream that broke, or asks the model again (measured:
 * a break, and an answer that the model was stopped in, on both transports). Its log has it at once, so that is read.
 */

/**
 * What `RUST_LOG` must have in it: the events of the CLI's telemetry that have an error's text among their fields. Measured: three
 * lines a turn, without a prompt or an answer in them, and two more where the stream breaks.
 */
const LOG_FILTER = 'codex_otel.trace_safe[{error.message}]=info';

/** What the CLI logs by itself. */
const DEFAULT_LOG_FILTER = 'error';

/** What the log says of the upstream's stream of one thread. */
export interface UpstreamSign {
  readonly threadId: string;
  /** `asked`: the model was asked, for the first time or again. `broken`: its stream has ended without the end of a response. */
  readonly stream: 'asked' | 'broken';
}

/**
 * The environment under which the CLI logs what is read here.
 * @param environment what the owner has set; a filter in it stays, with ours behind it
 */
export function upstreamLogEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  const filter = environment['RUST_LOG'] ?? '';
  // Lines of another format would not be understood.
  return { RUST_LOG: `${filter === '' ? DEFAULT_LOG_FILTER : filter},${LOG_FILTER}`, LOG_FORMAT: 'default' };
}

const ASKED = /codex_otel\.trace_safe: event\.name="codex\.(?:websocket_request|api_request)" /;

/** It says `completed` where the response is not: with the error's text, and only then is it among the lines that we asked for. */
const BROKEN = /codex_otel\.trace_safe: event\.name="codex\.sse_event" event\.kind=response\.completed error\.message=/;

/** Behind the upstream's own words, so it is the last of its kind that counts. */
const THREAD = /^.* conversation\.id=([0-9a-f-]{36}) app\.version=/;

const NEW_ENTRY = /^\d{4}-\d\d-\d\dT[\d:.]+Z +[A-Z]+ /;

/**
 * Makes the function that takes the lines of the log in order, and gives the sign that a line completes. An entry can have more
 * than one line: the upstream's words are in it.
 */
export function createUpstreamLogReader(): (line: string) => UpstreamSign | undefined {
  let stream: UpstreamSign['stream'] | undefined;
  return (line) => {
    if (NEW_ENTRY.test(line)) stream = BROKEN.test(line) ? 'broken' : ASKED.test(line) ? 'asked' : undefined;
    const threadId = stream === undefined ? undefined : THREAD.exec(line)?.[1];
    if (stream === undefined || threadId === undefined) return undefined;
    const sign = { threadId, stream };
    stream = undefined;
    return sign;
  };
}

const METHOD = 'flatlane/upstreamStream';

/** What the listener of a thread hears of it. */
export function upstreamNotification({ stream }: UpstreamSign): RpcNotification {
  return { method: METHOD, params: { stream } };
}

/** What a notification says of the upstream's stream; undefined where it is about something else. */
export function upstreamStreamOf({ method, params }: RpcNotification): UpstreamSign['stream'] | undefined {
  if (method !== METHOD) return undefined;
  return params['stream'] === 'broken' ? 'broken' : 'asked';
}
