import type { TokenUsage } from '../../core/lane-port.ts';
import { finishReasonOf } from './classify-failure.ts';
import type { RpcNotification } from './rpc-client.ts';
import { readThreadUsage, type TurnEvent } from './turn-events.ts';

/**
 * Adds the usage to an answer that the model was stopped in. The CLI never calls the response of such a one done, which is where
 * the usage of all others comes from; but the thread's own count has it (measured on both transports), and the thread has
 * this one turn. Returns the function that takes each notification, with its event, and gives the events to go on with.
 */
export function createUsageOfCutAnswers(): (
  notification: RpcNotification,
  event: TurnEvent | undefined,
) => readonly TurnEvent[] {
  let threadUsage: TokenUsage | undefined;
  let isWhole = false;
  return (notification, event) => {
    threadUsage = readThreadUsage(notification) ?? threadUsage;
    if (event === undefined) return [];
    // A response that is done has brought its own. One with a function call would be ended by this as if it were whole.
    if (event.type === 'response_done' || event.type === 'tool_call') isWhole = true;
    const isCut = event.type === 'turn_done' && event.error !== null && finishReasonOf(event.error) !== undefined;
    return isCut && !isWhole && threadUsage !== undefined
      ? [{ type: 'response_done', usage: threadUsage }, event]
      : [event];
  };
}
