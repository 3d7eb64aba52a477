import type {
  BatchStatus,
  ChunkLines,
  KeepAttemptsInput,
  LanePlan,
  LineResult,
  ServeLinesInput,
  SettleLinesInput,
  ValidationOutcome,
} from '../core/contracts/batch.ts';
import type {
  AnnounceInput,
  BatchAnnouncement,
  DeliverWebhookInput,
  WebhookDelivery,
} from '../core/contracts/webhook.ts';
import type {
  PlanProviderBatchInput,
  ProviderBatchInput,
  ProviderBatchRun,
  ProviderBatchTry,
  SubmittedBatch,
} from '../core/contracts/provider-batch.ts';
import type {
  ServeRequestInput,
  ServeResult,
  SettleCancelledInput,
  SettleFailureInput,
} from '../core/contracts/completion.ts';

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
  /** The batch whose lines it is for: its control, its limits and its deadline decide as well. */
  readonly batchId?: string;
}

/** Which lanes may serve a model for a key, now. */
export interface PlanningActivities {
  planLanesFor(input: PlanLanesInput): Promise<LanePlan>;
  /** Which part of a batch, if any, goes to a provider's Batch API now. */
  planProviderBatch(input: PlanProviderBatchInput): Promise<ProviderBatchInput | null>;
  /** Ends a run there, so that the next one may begin. */
  endProviderRun(input: ProviderBatchInput): Promise<void>;
}

/** Outcomes of what no lane could answer. */
export interface SettlingActivities {
  settleFailure(input: SettleFailureInput): Promise<void>;
  settleCancelled(input: SettleCancelledInput): Promise<void>;
  settleLines(input: SettleLinesInput): Promise<void>;
}

/** A part of a batch at the Batch API of a key lane's provider, on the lane's own queue. */
export interface ProviderBatchActivities {
  submitProviderBatch(input: ProviderBatchTry): Promise<SubmittedBatch>;
  /** What an earlier submit made, whose end nobody heard of. */
  findProviderBatch(input: ProviderBatchTry): Promise<SubmittedBatch>;
  readProviderBatch(input: ProviderBatchRun): Promise<'running' | 'completed' | 'failed' | 'expired' | 'cancelled'>;
  cancelProviderBatch(input: ProviderBatchRun): Promise<void>;
  mergeProviderBatch(input: ProviderBatchRun): Promise<void>;
}

/** A batch's files. */
export interface BatchActivities {
  validateBatch(input: { readonly batchId: string }): Promise<ValidationOutcome>;
  loadChunk(input: { readonly batchId: string; readonly chunkIndex: number }): Promise<ChunkLines>;
  /** Keeps what was tried for lines of a chunk that is cancelled, for their entries in the lane log. */
  keepAttempts(input: KeepAttemptsInput): Promise<void>;
  /** At the end of a chunk: what its lines add to the files of the batch. */
  sealChunk(input: { readonly batchId: string; readonly chunkIndex: number }): Promise<void>;
  /** Returns how the batch has ended. */
  finalizeBatch(input: {
    readonly batchId: string;
    readonly reason: 'completed' | 'expired' | 'cancelled';
  }): Promise<BatchStatus>;
  /** Who is to hear of the batch's end; null when nothing of it is to be announced (any more). */
  announceBatch(input: AnnounceInput): Promise<BatchAnnouncement | null>;
  /** Notes that all of them will. */
  markAnnounced(input: AnnounceInput): Promise<void>;
}

/** What is removed when it is past its end. */
export interface HousekeepingActivities {
  /** Returns how much of each kind was removed. */
  housekeep(): Promise<Readonly<Record<string, number>>>;
}

/** Activities on the queue of webhooks. */
export interface WebhookActivities {
  deliverWebhook(input: DeliverWebhookInput): Promise<WebhookDelivery>;
}
