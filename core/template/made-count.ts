import { setImmediate as nextTurn } from 'node:timers/promises';

/** After so many characters others get their turn: making them takes some ten milliseconds. */
const TURN_CHARACTERS = 1024 * 1024;

/**
 * Counts what a template makes of rows, refused lines too: a short row may become a long line, so that neither the rows that were
 * read nor what was kept says how much work it was.
 */
export function createMadeCount(maxCharacters: number) {
  let made = 0;
  let inTurn = 0;
  return {
    /** Adds what was made, and lets others have their turn now and then. False when it is too much. */
    async add(characters: number): Promise<boolean> {
      made += characters;
      inTurn += characters;
      if (inTurn >= TURN_CHARACTERS) {
        inTurn = 0;
        await nextTurn();
      }
      return made <= maxCharacters;
    },
  };
}
