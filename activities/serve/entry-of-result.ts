import type { ServeRequestInput } from '../../core/contracts/completion.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
import { readUsage } from '../../core/wire/usage.ts';
import type { LaneLogDoc } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { RequestDoc, RequestResult } from '../../store/requests.ts';
import { NO_COSTS } from '../../lanes/prices/costs.ts';
import { requestEntry } from './request-entry.ts';

/** The entry in the lane log of a request whose result is stored and whose log was cut off by a crash, from what is there. */
export async function entryOfResult(
  { ledger }: { readonly ledger: Pick<LedgerStore, 'listOfItem'> },
  request: RequestDoc,
  result: RequestResult,
  { lane, previous }: Pick<ServeRequestInput, 'previous'> & { readonly lane?: LaneRef },
): Promise<LaneLogDoc> {
  const { meta } = result;
  // An answer says itself what it cost; of others the ledger knows whether they did.
  const paid = meta ?? (await ledger.listOfItem(request._id)).find(({ laneId }) => laneId === result.laneId);
  const answer = parseJson(result.body);
  return requestEntry(request, {
    httpStatus: result.status,
    laneId: result.laneId,
    // The name of another lane is not at hand here; the lane that is being tried is nearly always the one.
    laneAlias: meta?.laneAlias ?? (result.laneId === lane?.laneId ? lane.alias : result.laneId),
    attempts: previous,
    usage: isJsonObject(answer) ? readUsage(answer['usage']) : null,
    costs: paid === undefined ? NO_COSTS : { costMicros: paid.costMicros, meterMicros: paid.meterMicros },
    at: result.at,
  });
}
