import { createHash } from 'node:crypto';

/** The outcome of a line, as the output file and the error file show it. */
export interface LineOutcome {
  /** The key of the line's outcome; the line's id on the wire is made from it, so that a rewritten file is the same. */
  readonly _id: string;
  readonly customId: string;
  /** null where there was no HTTP answer. */
  readonly statusCode: number | null;
  readonly requestId: string;
  /** JSON text of the answer or of the error body. */
  readonly body: string | null;
  /** Only where there was no HTTP answer. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** One line of an output or error file, with its LF. */
export function toOutputLine(outcome: LineOutcome): string {
  const id = `batch_req_${createHash('sha256').update(outcome._id).digest('hex').slice(0, 32)}`;
  const head = `{"id":"${id}","custom_id":${JSON.stringify(outcome.customId)},`;
  if (outcome.statusCode === null) {
    return `${head}"response":null,"error":${JSON.stringify(outcome.error)}}\n`;
  }
  const requestId = JSON.stringify(outcome.requestId);
  return `${head}"response":{"status_code":${outcome.statusCode},"request_id":${requestId},"body":${oneLineJson(outcome.body)}},"error":null}\n`;
}

/**
 * The JSON text as it came (numbers stay as the provider wrote them), on one line. In valid JSON a line break can only
 * be white space between tokens. A text that is no JSON becomes a JSON string rather than breaking the file.
 */
function oneLineJson(text: string | null): string {
  if (text === null) return 'null';
  try {
    JSON.parse(text);
  } catch {
    return JSON.stringify(text);
  }
  return text.replaceAll(/[\r\n]+/g, ' ');
}
