import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { createHostedKeyLane, type HostedKeyLane } from '../lanes/openai/hosted-key-lane.ts';
import { createLeavingLanes } from '../lanes/openai/leaving-lanes.ts';
import { openedWith } from '../lanes/openai/open-key-lane.ts';
import { laneHeadersPlace, laneSecretPlace, type LaneDoc, type LaneStore } from '../store/lanes.ts';
import type { Hosted } from './hosted.ts';

interface HostKeyLaneDeps {
  readonly lanes: Pick<LaneStore, 'transition'>;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Hosts one key lane. When its owner changes address, key or headers it is opened anew for what comes; what is under way
 * ends as it began.
 * @throws Error when the lane's key was sealed with another master key
 */
export function hostKeyLane({ lanes, secretBox, clock, log }: HostKeyLaneDeps, doc: LaneDoc): Hosted {
  const open = (of: LaneDoc): HostedKeyLane =>
    createHostedKeyLane(
      {
        lanes,
        openKey: (sealed) => secretBox.open(sealed, laneSecretPlace(of._id)),
        openHeaders: (sealed) => secretBox.open(sealed, laneHeadersPlace(of._id)),
        clock,
        log,
      },
      of,
    );
  let current = open(doc);
  let settings = openedWith(doc);
  let { concurrency } = doc;
  let cannotOpen = false;
  /** The lane as it was before a change. */
  const leaving = createLeavingLanes(log);

  return {
    // Whoever serves a request asks once and keeps what it got, so an attempt ends on the lane on which it began.
    get lane() {
      return current;
    },
    concurrency: doc.concurrency,
    // More tasks at a time need another worker of Temporal's. It is begun when nothing is under way: its end would cut that off.
    lost: () => cannotOpen || (concurrency > doc.concurrency && current.isIdle() && leaving.count === 0),
    refresh(changed) {
      ({ concurrency } = changed);
      const wanted = openedWith(changed);
      if (wanted !== settings) {
        try {
          const next = open(changed);
          leaving.add(current);
          current = next;
          settings = wanted;
          log.info({ laneId: changed._id, lane: changed.alias }, 'a key lane was opened anew with its new settings');
        } catch (error) {
          // Ended, and begun again as a new one is: which says what is wrong, and tries again.
          log.error({ err: error, lane: changed.alias }, 'a changed key lane could not be opened');
          cannotOpen = true;
        }
      }
      current.refresh(changed);
      leaving.endIdle();
    },
    async stop() {
      await Promise.allSettled([current.stop(), leaving.stop()]);
    },
  };
}
