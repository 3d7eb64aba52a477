import { describe, expect, it } from 'vitest';
import { echoNotification, echoOf, readEcho } from '../../../lanes/codex/injected-echo.ts';

/** A line as the pinned version of the CLI prints it. */
function echo(text: string, kinds: readonly string[], turnId = 'auto-compact-0'): string {
  return JSON.stringify({
    method: 'rawResponseItem/completed',
    params: {
      threadId: 't1',
      turnId,
      item: {
        type: 'message',
        role: 'user',
        content: [{ type: 'input_text', text }],
        internal_chat_message_metadata_passthrough: { turn_id: turnId, content_item_kinds: kinds },
      },
    },
  });
}

describe('readEcho', () => {
  it.each([
    [true, echo('x', ['unknown', 'images.preparation_error'])],
    [true, echo('x', ['images.preparation_error', 'unknown'])],
    [false, echo('x', ['unknown'])],
    [false, echo('x', [])],
    [false, echo('images.preparation_error', ['unknown'])],
    [false, echo('"content_item_kinds":["images.preparation_error"]', ['unknown'])],
    [false, echo('content_item_kinds":["images.preparation_error"]', ['unknown'])],
  ])('says %s of whether an image was left out: %s', (left, line) => {
    expect(readEcho(line)).toEqual({ threadId: 't1', imageLeftOut: left });
  });

  it('takes no other line', () => {
    expect(readEcho(echo('x', ['images.preparation_error'], 'turn-1'))).toBeUndefined();
    expect(readEcho('{"id":1,"result":{}}')).toBeUndefined();
  });
});

describe('echoOf', () => {
  it.each([true, false])('knows its own notification from those of the CLI (left out: %s)', (imageLeftOut) => {
    expect(echoOf(echoNotification({ threadId: 't1', imageLeftOut }))).toEqual({ imageLeftOut });
    expect(echoOf({ method: 'rawResponseItem/completed', params: { imageLeftOut } })).toBeUndefined();
  });
});
