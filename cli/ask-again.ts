import { CliError } from './cli-error.ts';

/** Nobody answered: a process that restarts may do so a moment later. */
export class ApiUnreachable extends CliError {}

/** The request went out, and its answer is missing or is a failure of the server's: it may have been carried out all the same. */
export class LostAnswer extends ApiUnreachable {
  /** It is of use to ask once more at once. */
  readonly again: boolean;

  constructor(message: string, { again, exitCode }: { readonly again: boolean; readonly exitCode?: number }) {
    super(message, exitCode);
    this.again = again;
  }
}

/** The API has failed, says itself what has come of the request, and does not want it again. */
export class LastWord extends ApiUnreachable {}

/** What was asked for when the user pressed Ctrl-C may have been carried out. */
export const interruptedAnswer = (): LostAnswer => new LostAnswer('Interrupted.', { again: false, exitCode: 130 });

/** An embedded stack that restarts is back after some ten seconds. */
const TRIES = 8;
const AGAIN_AFTER_MS = 2_000;

/**
 * Asks again when an answer was lost, also while nobody answers after that. The request must be safe to repeat.
 * @param sleep rejects when the command is interrupted
 * @throws LostAnswer when the answer stays lost, also where it was told at last that nobody answers; LastWord as soon as there is one
 */
export async function askAgain<T>(sleep: (ms: number) => Promise<void>, ask: () => Promise<T>): Promise<T> {
  let lost: LostAnswer | undefined;
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ApiUnreachable) || error instanceof LastWord) throw error;
      if (error instanceof LostAnswer) lost = error;
      const isOfNoUse = error instanceof LostAnswer && !error.again;
      if (lost === undefined || isOfNoUse || tries === TRIES) throw lost ?? error;
    }
    await sleep(AGAIN_AFTER_MS).catch(() => {
      throw interruptedAnswer();
    });
  }
}
