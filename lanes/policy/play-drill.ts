import { drillFailure, type DrillSignal } from '../../core/contracts/drill.ts';
import type { LaneOutcome, Operation } from '../../core/lane-port.ts';

interface DrilledCall {
  readonly itemId: string;
  readonly operation: Operation;
  readonly model: string;
  readonly stream: boolean;
  /** Unix milliseconds. */
  readonly now: number;
  onChunk(chunkJson: string): Promise<void>;
}

/** Plays a lane's signal without the lane: no upstream is called. A stream breaks behind its first chunk, as a true one would. */
export async function playDrill(signal: DrillSignal, call: DrilledCall): Promise<LaneOutcome> {
  const failure = drillFailure(signal, call.stream);
  if (failure.answerStarted) await call.onChunk(firstChunk(call));
  return { ok: false, failure };
}

/** What a stream begins with, before its text. */
function firstChunk({ itemId, operation, model, now }: DrilledCall): string {
  const at = Math.floor(now / 1_000);
  if (operation === 'responses') {
    const response = { id: itemId, object: 'response', created_at: at, status: 'in_progress', model, output: [] };
    return JSON.stringify({ type: 'response.created', sequence_number: 0, response });
  }
  const choice = { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null };
  return JSON.stringify({ id: itemId, object: 'chat.completion.chunk', created: at, model, choices: [choice] });
}
