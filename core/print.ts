/**
 * Writes text for a person to standard output. Resolves with whether it got there: with a reader that has gone away (`| head`, a
 * closed terminal) it did not.
 */
export function print(text: string): Promise<boolean> {
  return new Promise((resolve) => {
    process.stdout.write(text, (error) => resolve(error === undefined || error === null));
  });
}
