import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { bundleWorkflows, quietRuntime } from '../support/temporal.ts';

/** A batch of chunks of which a provider takes a part. */
const RECORDED = join(import.meta.dirname, 'histories', 'v2-batch-partly-at-provider.json');

type Attributes = Readonly<Record<string, unknown>>;
type HistoryEvent = Readonly<Record<string, unknown>> & { readonly eventType: string };

const keyOf = (type: string): string =>
  `${type.toLowerCase().replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())}EventAttributes`;

/** A history that is written on from where a recorded one is cut. */
function writeOn(events: HistoryEvent[]) {
  const all = (type: string): Attributes[] =>
    events
      .filter(({ eventType }) => eventType === `EVENT_TYPE_${type}`)
      .map((event) => event[keyOf(type)] as Attributes);
  const add = (type: string, attributes: Attributes = {}): string => {
    const eventId = String(events.length + 1);
    events.push({
      eventId,
      eventTime: events.at(-1)?.['eventTime'],
      eventType: `EVENT_TYPE_${type}`,
      [keyOf(type)]: attributes,
    });
    return eventId;
  };
  return {
    all,
    add,
    /** A workflow task; what is added next is what came of it. */
    task(): void {
      const scheduledEventId = add('WORKFLOW_TASK_SCHEDULED');
      const startedEventId = add('WORKFLOW_TASK_STARTED', { scheduledEventId });
      add('WORKFLOW_TASK_COMPLETED', { scheduledEventId, startedEventId });
    },
    requestCancel: (workflowId: unknown, runId = '', childWorkflowOnly = false): string =>
      add('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', {
        workflowExecution: { workflowId, runId },
        childWorkflowOnly,
      }),
  };
}

/** The recorded batch, cancelled when the start of a child of this kind is under way: the server finds nobody to cancel there. */
function cancelledWhileStarting(kind: 'chunk' | 'provider'): { events: HistoryEvent[] } {
  const { events: recorded } = JSON.parse(readFileSync(RECORDED, 'utf8')) as { events: HistoryEvent[] };
  const begins = recorded.findIndex(
    (event) =>
      event.eventType === 'EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED' && JSON.stringify(event).includes(`/${kind}-`),
  );
  const events = recorded.slice(0, begins);
  const history = writeOn(events);
  const runIds = new Map(
    history
      .all('CHILD_WORKFLOW_EXECUTION_STARTED')
      .map(({ workflowExecution }) => workflowExecution as { workflowId: string; runId: string })
      .map(({ workflowId, runId }) => [workflowId, runId]),
  );
  const children = events
    .filter(({ eventType }) => eventType === 'EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED')
    .map((event) => {
      const { workflowId, workflowType } = event[keyOf('START_CHILD_WORKFLOW_EXECUTION_INITIATED')] as Attributes;
      return { workflowId: String(workflowId), workflowType, initiatedEventId: event['eventId'] };
    });
  const starting = children.filter(({ workflowId }) => !runIds.has(workflowId));
  const fired = new Set(history.all('TIMER_FIRED').map(({ timerId }) => timerId));

  history.add('WORKFLOW_EXECUTION_CANCEL_REQUESTED');
  history.task();
  history.add('TIMER_CANCELED', { timerId: '1' });
  const patch = Buffer.from(JSON.stringify({ id: 'cancel-newest-runs', deprecated: false })).toString('base64');
  const encoding = Buffer.from('json/plain').toString('base64');
  const details = { 'patch-data': { payloads: [{ metadata: { encoding }, data: patch }] } };
  history.add('MARKER_RECORDED', { markerName: 'core_patch', details });
  history.add('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
  const asked = children
    .filter(({ workflowId }) => workflowId.includes('/chunk-'))
    .map(({ workflowId }) => ({ workflowId, initiatedEventId: history.requestCancel(workflowId) }));
  if (!fired.has('2')) history.add('TIMER_CANCELED', { timerId: '2' });
  for (const { workflowId } of children) {
    const initiatedEventId = history.requestCancel(workflowId, runIds.get(workflowId), true);
    asked.push({ workflowId, initiatedEventId });
  }
  const cause = 'CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND';
  for (const { workflowId, initiatedEventId } of asked) {
    const told = { initiatedEventId, workflowExecution: { workflowId } };
    if (runIds.has(workflowId)) history.add('EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED', told);
    else history.add('REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED', { ...told, cause });
  }
  for (const { workflowId, workflowType, initiatedEventId } of starting) {
    const workflowExecution = { workflowId, runId: `run-of-${workflowId}` };
    history.add('CHILD_WORKFLOW_EXECUTION_STARTED', { initiatedEventId, workflowExecution, workflowType });
  }
  history.task();
  for (const { workflowId } of starting) history.requestCancel(workflowId);
  history.task();
  return { events };
}

it.each(['chunk', 'provider'] as const)(
  'a batch cancels a child (%s) whose start was under way when it was cancelled itself, once that has begun',
  async (kind) => {
    quietRuntime();
    const workflowBundle = await bundleWorkflows();
    const history = cancelledWhileStarting(kind);
    await expect(Worker.runReplayHistory({ workflowBundle }, history)).resolves.toBeUndefined();
  },
);
