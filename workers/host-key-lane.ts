import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { createHostedKeyLane } from '../lanes/openai/hosted-key-lane.ts';
import { laneHeadersPlace, laneSecretPlace, type LaneDoc, type LaneStore } from '../store/lanes.ts';
import type { Hosted } from './hosted.ts';

interface HostKeyLaneDeps {
  readonly lanes: LaneStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws Error when the lane's key was sealed with another master key */
export function hostKeyLane({ lanes, secretBox, clock, log }: HostKeyLaneDeps, doc: LaneDoc): Hosted {
  const lane = createHostedKeyLane(
    {
      lanes,
      openKey: (sealed) => secretBox.open(sealed, laneSecretPlace(doc._id)),
      openHeaders: (sealed) => secretBox.open(sealed, laneHeadersPlace(doc._id)),
      clock,
      log,
    },
    doc,
  );
  return {
    lane,
    concurrency: doc.concurrency,
    lost: () => false,
    refresh: (changed) => lane.refresh(changed),
    stop: () => lane.stop(),
  };
}
