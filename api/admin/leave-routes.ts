import type { RouteStore } from '../../store/routes.ts';

/** Takes a lane out of all routes. A route that is left without lanes stays: its owner wanted the model served by nothing else. */
export async function leaveRoutes(routes: Pick<RouteStore, 'list' | 'put'>, laneId: string): Promise<void> {
  for (const route of await routes.list()) {
    const left = route.lanes.filter((lane) => lane.laneId !== laneId);
    if (left.length < route.lanes.length) await routes.put({ ...route, lanes: left });
  }
}
