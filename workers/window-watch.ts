import type { Clock } from '../core/clock.ts';
import { usageVerdict, type PlanWindows } from '../lanes/codex/plan-windows.ts';
import type { LaneStore, LaneWindow } from '../store/lanes.ts';
import type { WindowSampleStore } from '../store/window-samples.ts';
import type { LaneHealth } from '../lanes/policy/lane-health.ts';
import { createWindowSampler } from './window-sampler.ts';

interface WindowWatchDeps {
  readonly laneId: string;
  /** Asks the backend for the windows. Runs nothing on the plan. */
  readonly readWindows: () => Promise<PlanWindows>;
  readonly health: Pick<LaneHealth, 'state' | 'since' | 'change' | 'availability'>;
  readonly lanes: Pick<LaneStore, 'setWindows'>;
  readonly samples: Pick<WindowSampleStore, 'add' | 'removeExpired'>;
  readonly clock: Clock;
  /** Runs one thing after the other; a failed one is logged. */
  readonly chore: (name: string, run: () => Promise<unknown>) => void;
}

/** Windows reset early at times, and other programs of the owner's use the plan too. */
const READ_EVERY_MS = 5 * 60_000;

/** An answer brings the windows along with it; what it leaves out is read at most this often. */
const READ_AFTER_TURN_MS = 60_000;

/** A lane that the model's backend has just refused is not believed to be open by another backend's older word. */
const REFUSAL_HOLDS_MS = 60_000;

/** Keeps what is known of a plan's windows: in the lane, in the history, and in the lane's state. */
export interface WindowWatch {
  /** Takes in what came along with an answer. */
  onWindows(windows: PlanWindows): void;
  /** Reads after a turn, unless the last read was a moment ago. */
  afterTurn(): void;
  /**
   * Brings the lane's state in line with the backend's word.
   * @param atOnce true where that word is younger than any refusal: at a start, and when the owner asks
   */
  apply(windows: PlanWindows, atOnce: boolean): Promise<void>;
  stop(): void;
}

export function createWindowWatch(deps: WindowWatchDeps): WindowWatch {
  const { laneId, health, lanes, clock, chore } = deps;
  const sampler = createWindowSampler(laneId, deps.samples);
  let lastReadAt = clock.now();

  const keep = async (known: PlanWindows): Promise<void> => {
    const windows: LaneWindow[] = known.windows.map(({ kind, ...window }) => ({ name: kind, ...window }));
    await lanes.setWindows(laneId, windows);
    await sampler.take(windows, clock.now());
  };

  const apply: WindowWatch['apply'] = async (windows, atOnce) => {
    const now = clock.now();
    const verdict = usageVerdict(windows, now);
    if (verdict === undefined) return;
    const availability = health.availability();
    // A hold that is under way stands: read anew every few minutes, one without a known reset would never end in a probe.
    const mayServe = health.state === 'ready' || (health.state === 'cooling' && availability.open);
    if (!verdict.open && mayServe) {
      return health.change('cooling', { until: verdict.until, why: 'the plan’s window is used up' });
    }
    // The windows say nothing of a pause that the upstream asked for.
    const pauses = !availability.open && availability.backsOff === true;
    if (verdict.open && health.state === 'cooling' && !pauses && (atOnce || now - health.since >= REFUSAL_HOLDS_MS)) {
      return health.change('ready');
    }
  };

  const read = async (): Promise<void> => {
    if (health.state !== 'ready' && health.state !== 'cooling') return;
    lastReadAt = clock.now();
    const windows = await deps.readWindows();
    await keep(windows);
    await apply(windows, false);
  };

  const timer = setInterval(() => chore('read windows', read), READ_EVERY_MS);
  return {
    onWindows: (windows) => chore('windows', () => keep(windows)),
    afterTurn() {
      if (clock.now() - lastReadAt < READ_AFTER_TURN_MS) return;
      lastReadAt = clock.now();
      chore('read windows', read);
    },
    apply,
    stop: () => clearInterval(timer),
  };
}
