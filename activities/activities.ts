import type {
  ChunkLines,
  LanePlan,
  LineResult,
  ServeLinesInput,
  SettleLinesInput,
  ValidationOutcome,
} from '../core/contracts/batch.ts';
import type { ServeRequestInput, ServeResult, SettleFailureInput } from '../core/contracts/completion.ts';

/** Activities on a lane's own queue. Only workers that host the lane take them. */
export interface LaneActivities {
  serveRequest(input: ServeRequestInput): Promise<ServeResult>;
  serveLines(input: ServeLinesInput): Promise<LineResult[]>;
}

export interface PlanLanesInput {
  readonly keyId: string;
  readonly model: string;
  /** Batch lines leave each plan its weekly reserve. `batch` when absent. */
  readonly purpose?: 'interactive' | 'batch';
}

/** Which lanes may serve a model for a key, now. */
export interface PlanningActivities {
  planLanesFor(input: PlanLanesInput): Promise<LanePlan>;
}

/** Outcomes of what no lane could answer. */
export interface SettlingActivities {
  settleFailure(input: SettleFailureInput): Promise<void>;
  settleLines(input: SettleLinesInput): Promise<void>;
}

/** A batch's files. */
export interface BatchActivities {
  validateBatch(input: { readonly batchId: string }): Promise<ValidationOutcome>;
  loadChunk(input: { readonly batchId: string; readonly chunkIndex: number }): Promise<ChunkLines>;
  finalizeBatch(input: {
    readonly batchId: string;
    readonly reason: 'completed' | 'expired' | 'cancelled';
  }): Promise<void>;
}
