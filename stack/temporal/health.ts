import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import { isListening } from '../ports.ts';

/** One question to a server; on a busy machine the first answer of a fresh one took a second. */
const ANSWER_LIMIT_MS = 5_000;

/** A fresh server answers within a second; one that opens a large store on a busy machine may need longer. */
const READY_LIMIT_MS = 60_000;

const POLL_MS = 50;

export interface TemporalTarget {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;
  readonly apiKey?: string | undefined;
  /** By default on when an API key is given. */
  readonly tls?: boolean | undefined;
}

/**
 * Connects, and asks for the namespace.
 * @throws Error when the server does not answer within the limit, refuses, or lacks the namespace.
 */
export async function checkTemporal({ address, namespace, apiKey, tls }: TemporalTarget): Promise<void> {
  const options: ConnectionOptions = {
    address,
    connectTimeout: ANSWER_LIMIT_MS,
    tls: tls ?? apiKey !== undefined,
    ...(apiKey === undefined ? {} : { apiKey }),
    metadata: { 'temporal-namespace': namespace },
  };
  const connection = await Connection.connect(options);
  try {
    await connection.withDeadline(Date.now() + ANSWER_LIMIT_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}

/** Waits until a server that was just started serves its namespace. @throws Error at the limit of 60 s, or on the signal. */
export async function waitForTemporal(port: number, namespace: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_LIMIT_MS;
  let last: unknown = new Error(`nothing listens on port ${port}`);
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    // A refused gRPC connection is tried again by the library only after a second; the port is open sooner.
    if (await isListening('127.0.0.1', port)) {
      try {
        await checkTemporal({ address: `127.0.0.1:${port}`, namespace, tls: false });
        return;
      } catch (cause) {
        last = cause;
      }
    }
    await sleep(POLL_MS, undefined, { signal });
  }
  throw new Error(`Temporal did not answer within ${READY_LIMIT_MS / 1000} s.`, { cause: last });
}
