import type { FastifyReply } from 'fastify';
import { ApiError } from '../../core/errors.ts';
import type { RequestResult } from '../../store/requests.ts';
import type { KeptAnswer } from '../../store/idempotency.ts';
import { retryHeaders } from '../plugins/handle-errors.ts';

/** Refusals that may be over soon: of rights, of a state, of a limit. A repeat gets its own answer. */
const PASSING = new Set([401, 403, 408, 409, 425, 429]);

/** True for an answer that stands for 24 hours: what was made, and a refusal that would be the same again. */
function isKeptStatus(status: number): boolean {
  return status < 500 && !PASSING.has(status);
}

/** True for a stored result that is the answer to repeats as well. A failure that was paid for is: it must not be paid twice. */
export function isKeptResult({ status, laneId, shouldRetry }: RequestResult): boolean {
  return isKeptStatus(status) || (laneId !== null && shouldRetry === false);
}

/** A refusal as it is kept; undefined for one that is not. */
export function keptRefusal(error: unknown): KeptAnswer | undefined {
  if (!(error instanceof ApiError) || !isKeptStatus(error.status)) return undefined;
  return { status: error.status, headers: retryHeaders(error), body: JSON.stringify(error.body) };
}

/** Says that nothing was done for this answer. */
export const REPLAYED = { 'x-flatlane-replayed': 'true' } as const;

/** Sends a kept answer as it was. */
export function sendKept(reply: FastifyReply, { status, headers, body }: KeptAnswer): FastifyReply {
  return reply
    .code(status)
    .headers({ ...headers, ...REPLAYED })
    .type('application/json')
    .send(body);
}
