import type { Command } from 'commander';
import { meteredOption } from './keys.ts';
import { anyAnswer, laneList, routeList } from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { findLane } from '../find-lane.ts';
import { formatText, UNKNOWN } from '../format-values.ts';
import { formatRoute, parseRung } from '../route-argument.ts';
import { formatTable } from '../table.ts';

export function registerRoutes(program: Command, context: CliContext): void {
  const routes = program
    .command('routes')
    .description('list which lanes serve which model, in order')
    .action(async (_options: unknown, command: Command) => {
      const client = await context.connect(command);
      const found = await client.request('GET', '/admin/routes', routeList);
      const { data: lanes } = await client.request('GET', '/admin/lanes', laneList);
      const aliasOf = new Map(lanes.map(({ id, alias }) => [id, alias]));
      context.show(command, found, () =>
        formatTable(
          ['model', 'lanes', 'metered', 'runs'],
          found.data.map(({ model, lanes: rungs, metered, direct }) => [
            model,
            formatRoute(model, rungs, aliasOf),
            formatText(metered),
            direct === false ? 'as workflow' : UNKNOWN,
          ]),
          'No routes yet. Each model goes to the lanes that have it. Set an order with: flatlane routes set <model> <lane...>',
        ),
      );
    });

  routes
    .command('set')
    .description('serve a model by these lanes, in this order; how it spends and runs stays as it was unless given')
    .argument('<model>', 'the name that callers use')
    .argument(
      '<lanes...>',
      "alias or id of each lane; alias=name where the lane's provider has another name for the model; a,b where lanes share, a:3,b:1 where they share by weight",
    )
    .addOption(meteredOption())
    .option('--durable', 'run requests as workflows also where there are key lanes only')
    .option('--no-durable', 'serve them without a workflow where there are key lanes only')
    .action(
      async (model: string, wanted: string[], options: { metered?: string; durable?: boolean }, command: Command) => {
        const client = await context.connect(command);
        const rungs = wanted.map(parseRung);
        const isShared = rungs.some((rung) => rung.length > 1);
        const lanes: object[] = [];
        for (const [index, rung] of rungs.entries()) {
          for (const { aliasOrId, ...said } of rung) {
            const { id } = await findLane(client, aliasOrId);
            lanes.push({ laneId: id, ...said, ...(isShared ? { rung: index + 1 } : {}) });
          }
        }
        // The route is replaced as a whole: a new order of lanes must not take back what its owner said of money.
        const { data: routes } = await client.request('GET', '/admin/routes', routeList);
        const before = routes.find((route) => route.model === model);
        const metered = options.metered ?? before?.metered ?? null;
        const durable = options.durable ?? before?.direct === false;
        const answer = await client.request('PUT', `/admin/routes/${pathOf(model)}`, anyAnswer, {
          lanes,
          ...(metered === null ? {} : { metered }),
          ...(durable ? { direct: false } : {}),
        });
        const said = [...(metered === null ? [] : [`metered: ${metered}`]), ...(durable ? ['as workflow'] : [])];
        context.show(
          command,
          answer,
          () => `${model} is served by ${wanted.join(' > ')}${said.length === 0 ? '' : ` (${said.join(', ')})`}.`,
        );
      },
    );

  routes
    .command('remove')
    .description('remove the route of a model')
    .argument('<model>')
    .action(async (model: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const answer = await client.request('DELETE', `/admin/routes/${pathOf(model)}`, anyAnswer);
      context.show(command, answer, () => `Removed the route of ${model}.`);
    });
}

/** Names of models have slashes at some providers; the admin API takes them as they are. */
function pathOf(model: string): string {
  return model.split('/').map(encodeURIComponent).join('/');
}
