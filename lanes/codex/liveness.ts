import type { CodexProcess } from './codex-process.ts';
import { RpcError } from './rpc-client.ts';

/** The probe takes 2 ms. It follows on a call without an answer, so a process that needs longer still is not going to answer. */
const PROBE_LIMIT_MS = 2_000;

/** After mere silence nothing speaks against the process yet, and large images keep its one thread busy for seconds. */
const SILENT_PROBE_LIMIT_MS = 5_000;

/** How long a turn may hear nothing before its process is probed: reasoning is silent for minutes, and so is a stopped process. */
const SILENCE_MS = 15_000;

/** A watch on a process for as long as one turn listens to it. */
export interface SilenceWatch {
  /** The process has said something to this turn. */
  heard(): void;
  end(): void;
}

/**
 * Asks the process for something that it has at hand, and ends it when no answer comes: it is stopped, or hangs, and will
 * serve nobody. A refusal is an answer.
 * @returns true when it was silent and is gone
 */
export async function endIfSilent(
  { rpc, stop }: Pick<CodexProcess, 'rpc' | 'stop'>,
  limitMs = PROBE_LIMIT_MS,
): Promise<boolean> {
  try {
    await rpc.call('thread/loaded/list', {}, limitMs);
    return false;
  } catch (cause) {
    const isGone = cause instanceof RpcError && (cause.kind === 'timeout' || cause.kind === 'lost');
    if (isGone) await stop();
    return isGone;
  }
}

/** Probes the process whenever the turn has heard nothing for a while. Its end stops all turns on it. */
export function watchSilence(process: Pick<CodexProcess, 'rpc' | 'stop'>, silenceMs = SILENCE_MS): SilenceWatch {
  let heardLately = false;
  const timer = setInterval(() => {
    if (!heardLately) void endIfSilent(process, SILENT_PROBE_LIMIT_MS);
    heardLately = false;
  }, silenceMs);
  return {
    heard() {
      heardLately = true;
    },
    end: () => clearInterval(timer),
  };
}
