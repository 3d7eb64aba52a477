import { describe, expect, it } from 'vitest';
import { resolveChain, type Way } from '../../stack/resolve-chain.ts';

type Outcome = 'works' | 'absent' | 'broken' | 'cached' | 'costly';

/** Ways 3 and 4 fetch or build; each tells when it was asked to. */
function createWays(outcomes: readonly Outcome[], asked: string[] = []): Way<string>[] {
  return outcomes.map((outcome, index) => {
    const name = `way ${index + 1}`;
    const way: Way<string> = {
      name,
      decisive: index === 0,
      find: async () => {
        asked.push(name);
        if (outcome === 'broken') throw new Error(`${name} is broken`);
        return outcome === 'absent' ? { reason: `${name} is not there` } : { tool: `tool of ${name}` };
      },
    };
    const cached = outcome === 'cached' ? `cached tool of ${name}` : null;
    return index < 2 ? way : { ...way, findCached: async () => cached };
  });
}

const resolve = (ways: readonly Way<string>[]) => resolveChain({ part: 'server', ways, advice: 'Install one.' });

describe('a resolution chain', () => {
  it.each<[string, readonly Outcome[], string, string]>([
    ['takes yours first', ['works', 'works', 'cached', 'cached'], 'way 1', 'tool of way 1'],
    ['then what is on this machine', ['absent', 'works', 'cached', 'cached'], 'way 2', 'tool of way 2'],
    ['then the download', ['absent', 'absent', 'costly', 'costly'], 'way 3', 'tool of way 3'],
    ['then the build', ['absent', 'absent', 'broken', 'costly'], 'way 4', 'tool of way 4'],
    ['goes on past a program that does not run', ['absent', 'broken', 'costly', 'costly'], 'way 3', 'tool of way 3'],
    [
      'takes a cached download before a cached build',
      ['absent', 'absent', 'cached', 'cached'],
      'way 3',
      'cached tool of way 3',
    ],
    [
      'takes a cached build before a new download',
      ['absent', 'absent', 'costly', 'cached'],
      'way 4',
      'cached tool of way 4',
    ],
  ])('%s', async (_title, outcomes, how, tool) => {
    expect(await resolve(createWays(outcomes))).toEqual({ how, tool });
  });

  it('asks the ways in order and none after the one that works', async () => {
    const asked: string[] = [];
    await resolve(createWays(['absent', 'broken', 'costly', 'costly'], asked));
    expect(asked).toEqual(['way 1', 'way 2', 'way 3']);
  });

  it('names all four ways, the reason of each, and what to do, when none works', async () => {
    const failure = await resolve(createWays(['absent', 'absent', 'broken', 'broken'])).catch(
      (cause: unknown) => cause,
    );
    expect((failure as Error).message.split('\n')).toEqual([
      'There is no server to run on. The ways to one, in order:',
      '  1. way 1: way 1 is not there',
      '  2. way 2: way 2 is not there',
      '  3. way 3: way 3 is broken',
      '  4. way 4: way 4 is broken',
      'Install one.',
    ]);
    expect((failure as AggregateError).errors).toHaveLength(2);
  });

  it('does not pass over an address that was given and does not answer', async () => {
    const asked: string[] = [];
    const chain = resolve(createWays(['broken', 'works', 'cached', 'cached'], asked));
    await expect(chain).rejects.toThrow(/1\. way 1: way 1 is broken\n {2}2\. way 2: not tried/);
    expect(asked).toEqual(['way 1']);
  });
});
