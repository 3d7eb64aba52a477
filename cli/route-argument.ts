import { CliError } from './cli-error.ts';

/** A lane in the argument of a route, as its owner typed it. */
export interface RouteArgumentLane {
  readonly aliasOrId: string;
  /** The model's name at the lane's provider. */
  readonly model?: string;
  readonly weight?: number;
}

const MOST_WEIGHT = 1_000;

/**
 * Reads one argument of `flatlane routes set`: the lanes of one rung, as `home`, `openai=gpt-5.5` or `home:3,work:1`. A colon
 * before the `=` is a weight; one behind it belongs to the model's name.
 * @throws CliError that says how it looks
 */
export function parseRung(text: string): RouteArgumentLane[] {
  return text.split(',').map((part) => {
    const at = part.indexOf('=');
    const place = at < 0 ? part : part.slice(0, at);
    const [aliasOrId = '', weightText, ...rest] = place.split(':');
    const weight = Number(weightText ?? 1);
    const isWeight = weightText === undefined || (/^\d{1,4}$/.test(weightText) && weight >= 1 && weight <= MOST_WEIGHT);
    if (aliasOrId === '' || part.endsWith('=') || !isWeight || rest.length > 0) {
      throw new CliError(
        `'${text}' is no rung of a route. It looks like home, openai=gpt-5.5, or home:3,work:1 where lanes share by weight.`,
      );
    }
    return {
      aliasOrId,
      ...(at < 0 ? {} : { model: part.slice(at + 1) }),
      ...(weightText === undefined ? {} : { weight }),
    };
  });
}

interface ShownLane {
  readonly laneId: string;
  readonly model?: string | null | undefined;
  readonly rung?: number | null | undefined;
  readonly weight?: number | null | undefined;
}

/** The lanes of a route as its owner would type them, with ` > ` between rungs. */
export function formatRoute(route: string, lanes: readonly ShownLane[], aliasOf: ReadonlyMap<string, string>): string {
  const rungs: string[][] = [];
  for (const [index, { laneId, model, rung, weight }] of lanes.entries()) {
    const alias = aliasOf.get(laneId) ?? `${laneId} (removed)`;
    const text = `${alias}${weight ? `:${weight}` : ''}${!model || model === route ? '' : `=${model}`}`;
    const isShared = rung !== null && rung !== undefined && lanes[index - 1]?.rung === rung;
    if (isShared) rungs.at(-1)?.push(text);
    else rungs.push([text]);
  }
  return rungs.map((rung) => rung.join(',')).join(' > ');
}
