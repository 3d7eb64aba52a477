/** Ends a command with one line on standard error that says what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  /** @param exitCode 1 for a failure; 130 for Ctrl-C, as shells have it. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
