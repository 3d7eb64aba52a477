import { describe, expect, it } from 'vitest';
import { planTurn } from '../../../lanes/codex/plan-turn.ts';

const MODELS = [{ slug: 'm', hidden: false, efforts: ['low'] }];
const chat = { model: 'alias', messages: [{ role: 'user', content: 'hi' }] };
const responses = { model: 'alias', input: 'hi' };
const plan = (operation: 'chat' | 'responses' | 'embeddings', body: Record<string, unknown>, model = 'm') =>
  planTurn({ operation, model, body }, MODELS, 1_000);

/** What the answer to a plain turn looks like. */
function answered(planned: ReturnType<typeof planTurn>): object {
  if (!('answer' in planned)) throw new Error('no turn was planned');
  planned.answer.take({ type: 'text', itemId: 'a', text: 'hello' });
  return planned.answer.completion('stop');
}

describe('planTurn', () => {
  it('answers each wire in its own shape', () => {
    expect(answered(plan('chat', chat))).toMatchObject({ object: 'chat.completion', created: 1, model: 'm' });
    expect(answered(plan('responses', responses))).toMatchObject({ object: 'response', created_at: 1, model: 'm' });
  });

  it('takes a call that names no operation as a chat completion', () => {
    const call = { model: 'm', body: chat };
    const planned = planTurn(call, MODELS, 1_000);
    expect(answered(planned)).toMatchObject({ object: 'chat.completion' });
  });

  it('has no embeddings', () => {
    expect(plan('embeddings', responses)).toMatchObject({ class: 'unsupported' });
  });

  it('knows the models of the catalogue alone', () => {
    expect(plan('responses', responses, 'other')).toMatchObject({ class: 'model_unavailable' });
  });

  it('does not take one wire’s body for the other’s', () => {
    expect(plan('responses', chat)).toMatchObject({ class: 'caller_fault' });
    expect(plan('chat', responses)).toMatchObject({ class: 'caller_fault' });
  });
});
