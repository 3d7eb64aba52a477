import { describe, expect, it } from 'vitest';
import {
  newBatchId,
  newFileId,
  newHostId,
  newKeyId,
  newLaneId,
  newProcessId,
  newRequestId,
  newToken,
} from '../../core/ids.ts';

describe('new ids', () => {
  it.each([
    { make: newRequestId, shape: /^req_[0-9a-f]{32}$/ },
    { make: newFileId, shape: /^file-[0-9a-f]{32}$/ },
    { make: newBatchId, shape: /^batch_[0-9a-f]{32}$/ },
    { make: newKeyId, shape: /^key_[0-9a-f]{32}$/ },
    { make: newProcessId, shape: /^proc_[0-9a-f]{32}$/ },
    { make: newHostId, shape: /^host_[0-9a-f]{32}$/ },
    { make: newLaneId, shape: /^[0-9a-f]{12}$/ },
    { make: newToken, shape: /^[A-Za-z0-9_-]{43}$/ },
  ])('have the shape $shape and are never the same twice', ({ make, shape }) => {
    const ids = Array.from({ length: 1000 }, make);
    expect(ids.filter((id) => !shape.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(1000);
  });

  it('sort requests by their time, and have nothing else in common', async () => {
    const first = newRequestId();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const later = newRequestId();
    expect(later > first).toBe(true);
    const randomPart = (id: string): string => id.slice('req_'.length + 12);
    expect(randomPart(first)).toHaveLength(20);
    const ids = Array.from({ length: 1000 }, newRequestId);
    expect(new Set(ids.map(randomPart)).size).toBe(1000);
    expect(Number.parseInt(later.slice('req_'.length, 'req_'.length + 12), 16)).toBeLessThanOrEqual(Date.now());
  });
});
