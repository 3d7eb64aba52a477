import { afterAll, beforeAll, expect, it } from 'vitest';
import { collector, says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount(100);
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());

it('serves sixteen requests at a time, each with its own answer, and refuses the seventeenth', async () => {
  const streams = Array.from({ length: 16 }, () => collector());
  const running = streams.map(({ call }, index) => under.complete(says(`call ${index} [[delay:3000]]`), call));
  await expect.poll(() => under.backend.counts().calls).toBe(16);
  expect(await under.complete(says('one more'))).toMatchObject({ failure: { class: 'lane_unavailable' } });
  const outcomes = await Promise.all(running);
  for (const [index, outcome] of outcomes.entries()) {
    expect(textOf(outcome)).toContain(`call ${index} `);
    const deltas = streams[index]?.chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '');
    expect(deltas?.join('')).toBe(textOf(outcome));
  }
});
