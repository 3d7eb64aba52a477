import { expect, it } from 'vitest';
import { createUnderWay } from '../../api/under-way.ts';

it('has nothing to wait for in the beginning', async () => {
  await createUnderWay().settled();
});

it('is waited for until all of it is over, also what fails and what is taken up meanwhile', async () => {
  const underWay = createUnderWay();
  const ends: (() => void)[] = [];
  const work = (fails: boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      ends.push(fails ? () => reject(new Error('planted')) : resolve);
    });
  underWay.add(work(true));
  underWay.add(work(false));
  let isSettled = false;
  const settled = underWay.settled().then(() => (isSettled = true));
  underWay.add(work(false));
  for (const end of ends) {
    expect(isSettled).toBe(false);
    end();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled;
});
