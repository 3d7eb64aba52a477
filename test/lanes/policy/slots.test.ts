import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createSlots, type SlotPriority, type Slots } from '../../../lanes/policy/slots.ts';

const never = new AbortController().signal;

/** Waits for a slot and notes its name once it has it. */
function queue(slots: Slots, admitted: string[], name: string, priority: SlotPriority, signal = never) {
  return slots.acquire(priority, signal).then((release) => {
    admitted.push(name);
    return release;
  });
}

describe('the slots of a lane', () => {
  it('admit as many as the limit says and no more', async () => {
    const slots = createSlots(2);
    const admitted: string[] = [];
    const first = await queue(slots, admitted, 'a', 'batch');
    await queue(slots, admitted, 'b', 'batch');
    void queue(slots, admitted, 'c', 'batch');
    await turn();
    expect(admitted).toEqual(['a', 'b']);
    expect(slots.inUse).toBe(2);
    first();
    await turn();
    expect(admitted).toEqual(['a', 'b', 'c']);
    expect(slots.inUse).toBe(2);
  });

  it('admit interactive requests before batch lines, else in the order in which they came', async () => {
    const slots = createSlots(1);
    const admitted: string[] = [];
    let release = await queue(slots, admitted, 'running', 'batch');
    const waiting = [
      queue(slots, admitted, 'batch 1', 'batch'),
      queue(slots, admitted, 'batch 2', 'batch'),
      queue(slots, admitted, 'person 1', 'interactive'),
      queue(slots, admitted, 'person 2', 'interactive'),
    ];
    for (const next of [2, 3, 0, 1]) {
      release();
      release = (await waiting[next]) ?? release;
    }
    expect(admitted).toEqual(['running', 'person 1', 'person 2', 'batch 1', 'batch 2']);
  });

  it('admit batches by their priority behind interactive requests', async () => {
    const slots = createSlots(1);
    const admitted: string[] = [];
    let release = await queue(slots, admitted, 'running', 'batch_low');
    const waiting = [
      queue(slots, admitted, 'low', 'batch_low'),
      queue(slots, admitted, 'normal', 'batch'),
      queue(slots, admitted, 'high', 'batch_high'),
      queue(slots, admitted, 'person', 'interactive'),
    ];
    for (const next of [3, 2, 1, 0]) {
      release();
      release = (await waiting[next]) ?? release;
    }
    expect(admitted).toEqual(['running', 'person', 'high', 'normal', 'low']);
  });

  it('reject with the signal’s reason and leave the queue when it is aborted', async () => {
    const slots = createSlots(1);
    const admitted: string[] = [];
    const release = await queue(slots, admitted, 'a', 'batch');
    const leaving = new AbortController();
    const left = queue(slots, admitted, 'left', 'interactive', leaving.signal);
    const staying = queue(slots, admitted, 'stays', 'batch');
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    release();
    (await staying)();
    expect(admitted).toEqual(['a', 'stays']);
    expect(slots.inUse).toBe(0);
  });

  it('admit nobody whose signal is aborted already, though a slot is free', async () => {
    const slots = createSlots(1);
    await expect(slots.acquire('batch', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(slots.inUse).toBe(0);
  });

  it('keep a slot that was taken before its signal is aborted', async () => {
    const slots = createSlots(1);
    const leaving = new AbortController();
    const release = await slots.acquire('batch', leaving.signal);
    leaving.abort();
    expect(slots.inUse).toBe(1);
    release();
    expect(slots.inUse).toBe(0);
  });

  it('free one slot though the release is called twice', async () => {
    const slots = createSlots(2);
    const first = await slots.acquire('batch', never);
    await slots.acquire('batch', never);
    first();
    first();
    expect(slots.inUse).toBe(1);
  });

  it('admit those who wait when the limit is raised, interactive first', async () => {
    const slots = createSlots(1);
    const admitted: string[] = [];
    await queue(slots, admitted, 'first', 'batch');
    void queue(slots, admitted, 'line', 'batch');
    void queue(slots, admitted, 'person', 'interactive');
    slots.setLimit(2);
    await turn();
    expect(admitted).toEqual(['first', 'person']);
    slots.setLimit(9);
    await turn();
    expect(admitted).toEqual(['first', 'person', 'line']);
  });

  it('let those who are in finish when the limit is lowered, and admit nobody until there is room', async () => {
    const slots = createSlots(2);
    const admitted: string[] = [];
    const first = await queue(slots, admitted, 'a', 'batch');
    const second = await queue(slots, admitted, 'b', 'batch');
    void queue(slots, admitted, 'c', 'batch');
    slots.setLimit(1);
    first();
    await turn();
    expect(admitted).toEqual(['a', 'b']);
    second();
    await turn();
    expect(admitted).toEqual(['a', 'b', 'c']);
    expect(slots.inUse).toBe(1);
  });
});
