import { describe, expect, it } from 'vitest';
import {
  createUpstreamLogReader,
  upstreamLogEnvironment,
  upstreamNotification,
  upstreamStreamOf,
  type UpstreamSign,
} from '../../../lanes/codex/upstream-log.ts';

const THREAD = '01a223f6-4d2a-7f52-8103-016057cd42ac';
const OTHER = '01a223f6-4fb6-7f70-bdaa-9374f059e0de';

/** Entries as codex-cli 0.169.0 writes them, without the fields that nobody reads. */
const entry = (event: string, thread = THREAD): string =>
  `2026-11-28T21:01:13.976313Z  INFO codex_otel.trace_safe: ${event} event.timestamp=2026-11-28T21:01:13.976Z ` +
  `conversation.id=${thread} app.version=0.169.0 auth_mode="Chatgpt" originator=flatlane model=gpt-5.5 slug=gpt-5.5`;
const broke = (why: string): string =>
  `event.name="codex.sse_event" event.kind=response.completed error.message=${why}`;

function read(...lines: readonly string[]): UpstreamSign[] {
  const take = createUpstreamLogReader();
  return lines.map(take).filter((sign) => sign !== undefined);
}

describe('createUpstreamLogReader', () => {
  it.each([
    ['event.name="codex.websocket_request" duration_ms=0 success="true"', 'asked'],
    ['event.name="codex.api_request" duration_ms=8 http.response.status_code=200 attempt=0', 'asked'],
    [broke('stream disconnected before completion: IO error: Connection reset by peer (os error 104)'), 'broken'],
    [broke('Incomplete response returned, reason: max_output_tokens'), 'broken'],
  ])('reads %s as %s', (event, stream) => {
    expect(read(entry(event))).toEqual([{ threadId: THREAD, stream }]);
  });

  it.each([
    entry('event.name="codex.websocket_connect" duration_ms=11 success="true"'),
    entry('event.name="codex.sse_event" event.kind=response.failed duration_ms=1 error.message={"type":"x"}'),
    entry('event.name="codex.sse_event" event.kind=unknown duration_ms=0 error.message=Transport error'),
    '2026-11-28T21:01:14.347006Z ERROR codex_core::tools::router: error=dynamic tool call was cancelled',
    `a line of something else conversation.id=${THREAD} app.version=0.169.0`,
  ])('hears nothing in %s', (line) => {
    expect(read(line)).toEqual([]);
  });

  it('takes the thread behind the words of the upstream, however many lines these have', () => {
    const words = `see conversation.id=${OTHER} app.version=1\nand more\n`;
    expect(read(...entry(broke(words)).split('\n'))).toEqual([{ threadId: OTHER, stream: 'broken' }]);
    expect(read(...entry(broke('first\nsecond')).split('\n'))).toEqual([{ threadId: THREAD, stream: 'broken' }]);
  });

  it('forgets an entry whose end does not come', () => {
    const [cut = ''] = entry(broke('first\nsecond')).split('\n');
    const next = entry('event.name="codex.websocket_connect" duration_ms=11');
    expect(read(cut, next, `behind it conversation.id=${THREAD} app.version=0.169.0`)).toEqual([]);
  });
});

describe('upstreamLogEnvironment', () => {
  const ours = 'codex_otel.trace_safe[{error.message}]=info';
  it.each([
    [{}, `error,${ours}`],
    [{ RUST_LOG: '' }, `error,${ours}`],
    [{ RUST_LOG: 'codex_core=debug', LOG_FORMAT: 'json' }, `codex_core=debug,${ours}`],
  ])('adds to %j what is read', (environment, filter) => {
    expect(upstreamLogEnvironment(environment)).toEqual({ RUST_LOG: filter, LOG_FORMAT: 'default' });
  });
});

describe('upstreamStreamOf', () => {
  it.each(['asked', 'broken'] as const)('reads %s out of its notification, and nothing out of others', (stream) => {
    const notification = upstreamNotification({ threadId: THREAD, stream });
    expect(upstreamStreamOf(notification)).toBe(stream);
    expect(upstreamStreamOf({ ...notification, method: 'error' })).toBeUndefined();
  });
});
