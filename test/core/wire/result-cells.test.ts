import { describe, expect, it } from 'vitest';
import { RESULT_COLUMNS, toResultCells } from '../../../core/wire/result-cells.ts';

function cells(body: unknown, statusCode: number | null = 200, error: { code: string; message: string } | null = null) {
  const usage = { promptTokens: 3, cachedPromptTokens: 0, completionTokens: 4, reasoningTokens: 0 };
  const outcome = {
    _id: 'b:1',
    customId: 'c',
    statusCode,
    requestId: 'r',
    body: typeof body === 'string' || body === null ? body : JSON.stringify(body),
    error,
    usage: statusCode === 200 ? usage : null,
  };
  const row = toResultCells(outcome, 'home');
  expect(row).toHaveLength(RESULT_COLUMNS.length);
  return Object.fromEntries(RESULT_COLUMNS.map((name, index) => [name, row[index]]));
}

const chat = (message: unknown) => ({ model: 'm', choices: [{ index: 0, message }] });
const call = { id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } };

describe('the answer in one cell is', () => {
  it.each<[string, unknown, string]>([
    ['the text of a chat completion', chat({ role: 'assistant', content: 'Hallo' }), 'Hallo'],
    ['its refusal', chat({ content: null, refusal: 'No.' }), 'No.'],
    ['its calls', chat({ content: null, tool_calls: [call] }), JSON.stringify([call])],
    ['nothing for an empty one', chat({ content: '' }), ''],
    [
      'the output text of a response',
      {
        output: [
          { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'hm' }] },
          {
            type: 'message',
            content: [
              { type: 'output_text', text: 'a' },
              { type: 'output_text', text: 'b' },
            ],
          },
          { type: 'message', content: [{ type: 'output_text', text: 'c' }] },
        ],
      },
      'abc',
    ],
    [
      'a call of a response',
      { output: [{ type: 'function_call', name: 'f' }] },
      '[{"type":"function_call","name":"f"}]',
    ],
    ['the numbers of an embedding', { data: [{ embedding: [0.1, -2] }] }, '[0.1,-2]'],
    ['those of several', { data: [{ embedding: [1] }, { embedding: [2] }] }, '[[1],[2]]'],
    ['text as it came', 'no JSON', 'no JSON'],
  ])('%s', (_what, body, answer) => {
    expect(cells(body)).toMatchObject({ custom_id: 'c', status: '200', answer, error: '', lane: 'home' });
  });

  it('beside the model and the tokens', () => {
    expect(cells(chat({ content: 'x' }))).toMatchObject({ model: 'm', prompt_tokens: '3', completion_tokens: '4' });
  });
});

it('an HTTP error is told by its status and message, any other by its code', () => {
  expect(cells({ error: { message: 'Too long.', code: 'x' } }, 400)).toMatchObject({
    status: '400',
    answer: '',
    error: 'Too long.',
    prompt_tokens: '',
  });
  expect(cells(null, null, { code: 'batch_expired', message: 'Expired.' })).toMatchObject({
    status: 'batch_expired',
    answer: '',
    error: 'Expired.',
    model: '',
  });
});
