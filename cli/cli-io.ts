/** What a command needs of the world around it, so that tests can be that world. */
export interface CliIo {
  /** Writes a line of the result. */
  out(line: string): void;
  /** Writes a line that is not part of the result: progress, warnings, errors. */
  err(line: string): void;
  /** Writes over the line that it wrote before, beside the result; null ends that line. null where no terminal is. */
  readonly live: ((line: string | null) => void) | null;
  /** Asks for yes or no; null where nobody is there to answer. */
  confirm(question: string): Promise<boolean | null>;
  /** Reads a secret from standard input: one line without echo from a terminal, everything otherwise. */
  readSecret(prompt: string): Promise<string>;
  /** The value of a named environment variable. */
  readEnvironment(name: string): string | undefined;
  /** Rejects when the command is interrupted. */
  sleep(ms: number): Promise<void>;
  /** Aborted at Ctrl-C. */
  readonly interrupted: AbortSignal;
  /** Unix milliseconds. */
  now(): number;
}
