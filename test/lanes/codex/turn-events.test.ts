import { describe, expect, it } from 'vitest';
import { readTurnEvent } from '../../../lanes/codex/turn-events.ts';

const turnId = 'turn-1';
const read = (method: string, params: Record<string, unknown>) =>
  readTurnEvent({ method, params: { threadId: 't', turnId, ...params } }, turnId);

describe('readTurnEvent', () => {
  it.each([
    ['item/agentMessage/delta', { itemId: 'm', delta: 'x' }, { type: 'text', itemId: 'm', text: 'x' }],
    [
      'item/started',
      { item: { type: 'agentMessage', id: 'm', text: '', phase: 'commentary' } },
      { type: 'message_started', itemId: 'm', phase: 'commentary' },
    ],
    [
      'item/completed',
      { item: { type: 'agentMessage', id: 'm', text: 'x', phase: null } },
      { type: 'message_done', itemId: 'm', text: 'x', phase: null },
    ],
    [
      'rawResponseItem/completed',
      { item: { type: 'function_call', name: 'f', call_id: 'c', arguments: '{"a" : 1}' } },
      { type: 'tool_call', callId: 'c', name: 'f', arguments: '{"a" : 1}' },
    ],
    [
      'rawResponseItem/completed',
      { item: { type: 'local_shell_call', action: {} } },
      { type: 'foreign_item', itemType: 'local_shell_call' },
    ],
    [
      'rawResponse/completed',
      { usage: { inputTokens: 9, cachedInputTokens: 3, outputTokens: 2, reasoningOutputTokens: 1, totalTokens: 11 } },
      {
        type: 'response_done',
        usage: { promptTokens: 9, cachedPromptTokens: 3, completionTokens: 2, reasoningTokens: 1 },
      },
    ],
    ['flatlane/upstreamStream', { stream: 'asked' }, { type: 'model_asked' }],
    ['flatlane/upstreamStream', { stream: 'broken' }, { type: 'stream_broken' }],
    ['rawResponse/completed', { usage: null }, { type: 'response_done', usage: null }],
    [
      'error',
      {
        willRetry: true,
        error: {
          message: 'a',
          additionalDetails: 'b',
          codexErrorInfo: { responseStreamDisconnected: { httpStatusCode: 429 } },
        },
      },
      { type: 'retrying', error: { name: 'responseStreamDisconnected', httpStatus: 429, text: 'a\nb' } },
    ],
    [
      'turn/completed',
      { turn: { id: turnId, status: 'failed', error: { message: 'a', codexErrorInfo: 'usageLimitExceeded' } } },
      { type: 'turn_done', status: 'failed', error: { name: 'usageLimitExceeded', text: 'a' } },
    ],
  ])('reads %s', (method, params, expected) => {
    expect(read(method, params)).toEqual(expected);
  });

  it.each([
    ['item/agentMessage/delta', { turnId: 'another', itemId: 'm', delta: 'x' }],
    ['item/started', { item: { type: 'reasoning' } }],
    ['rawResponseItem/completed', { item: { type: 'message', role: 'assistant' } }],
    ['rawResponseItem/completed', { item: { type: 'reasoning' } }],
    ['error', { willRetry: false, error: { message: 'a', codexErrorInfo: 'other' } }],
    ['turn/completed', { turn: { id: 'another', status: 'completed', error: null } }],
    ['warning', {}],
  ])('has nothing to say about %s: %j', (method, params) => {
    expect(read(method, params)).toBeUndefined();
  });

  it('does not take another shape for what it knows', () => {
    expect(() => read('item/agentMessage/delta', { itemId: 'm' })).toThrow();
  });
});
