import { describe, expect, it } from 'vitest';
import { createProbeGate } from '../../../lanes/policy/probe-gate.ts';
import { createSlots } from '../../../lanes/policy/slots.ts';

const NEVER = new AbortController().signal;

/** A gate over four slots, with five requests that want through. */
async function setUp(isPaused = true) {
  const world = { isPaused };
  const slots = createSlots(4);
  const acquire = createProbeGate(
    () => world.isPaused,
    (priority, signal) => slots.acquire(priority, signal),
  );
  const admitted: (() => void)[] = [];
  const ask = async (signal: AbortSignal = NEVER): Promise<void> => {
    const release = await acquire('interactive', signal);
    admitted.push(release);
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const asked = Array.from({ length: 5 }, () => ask());
  await settle();
  return { world, slots, admitted, asked, ask, settle };
}

describe('a lane whose pause is over', () => {
  it('is asked by one request; the others go when that was answered', async () => {
    const { world, slots, admitted, settle, asked } = await setUp();
    expect(admitted).toHaveLength(1);
    world.isPaused = false;
    admitted[0]?.();
    await settle();
    expect(admitted).toHaveLength(5);
    for (const release of admitted) release();
    await Promise.all(asked);
    expect(slots.inUse).toBe(0);
  });

  it('is asked by the next one when the first has said nothing of it', async () => {
    const { admitted, settle } = await setUp();
    admitted[0]?.();
    await settle();
    expect(admitted).toHaveLength(2);
  });

  it('holds nobody who does not wait any more, and keeps no slot for them', async () => {
    const { world, slots, admitted, ask, settle } = await setUp();
    const gone = new AbortController();
    const waiting = ask(gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    const late = new AbortController();
    admitted[0]?.();
    await settle();
    const lateWaiting = ask(late.signal);
    await settle();
    late.abort(new Error('late'));
    await expect(lateWaiting).rejects.toThrow('late');
    world.isPaused = false;
    admitted[1]?.();
    await settle();
    for (const release of admitted) release();
    await settle();
    for (const release of admitted) release();
    expect(slots.inUse).toBe(0);
  });
});

describe('a lane that is open', () => {
  it('is asked by as many as it has slots', async () => {
    const { admitted } = await setUp(false);
    expect(admitted).toHaveLength(4);
  });
});
