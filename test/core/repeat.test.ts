import { expect, it, vi } from 'vitest';
import { repeat } from '../../core/repeat.ts';
import { PATIENT } from '../support/patience.ts';

it('does its work now and again, until it is ended', async () => {
  let times = 0;
  const end = repeat(5, async () => void (times += 1));
  expect(times).toBe(1);
  await vi.waitFor(() => expect(times).toBeGreaterThan(2), PATIENT);
  await end();
  const last = times;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(times).toBe(last);
});

it('is over when what is under way is', async () => {
  let finish: () => void = () => undefined;
  const end = repeat(60_000, () => new Promise((resolve) => (finish = resolve)));
  let isOver = false;
  const over = end().then(() => (isOver = true));
  await Promise.resolve();
  expect(isOver).toBe(false);
  finish();
  await over;
});
