/** What one way came to: the tool, or why not. */
export type Attempt<Tool> = { readonly tool: Tool } | { readonly reason: string };

export interface Way<Tool> {
  /** The way in a few words, as in "`temporal` on PATH". */
  readonly name: string;
  /** A look that costs nothing, for what an earlier start has fetched or built: it goes before any new fetch or build. */
  readonly findCached?: () => Promise<Tool | null>;
  /** May take minutes. What it throws is the reason why this way failed. */
  readonly find: () => Promise<Attempt<Tool>>;
  /** True when a failure ends the chain: an address that was given and does not answer must not be passed over. */
  readonly decisive?: boolean;
}

export interface Resolved<Tool> {
  readonly tool: Tool;
  /** The name of the way that was taken. */
  readonly how: string;
}

interface Chain<Tool> {
  /** What is looked for, as in "Temporal server". */
  readonly part: string;
  readonly ways: readonly Way<Tool>[];
  /** What the reader can do about it when nothing works, one sentence. */
  readonly advice: string;
}

/**
 * Takes the first way that works.
 * @throws Error that lists all ways in order with the reason why each failed, and what to do.
 */
export async function resolveChain<Tool>({ part, ways, advice }: Chain<Tool>): Promise<Resolved<Tool>> {
  const reasons: string[] = [];
  const causes: unknown[] = [];
  const firstCostly = ways.findIndex((way) => way.findCached !== undefined);
  for (const [index, way] of ways.entries()) {
    if (index === firstCostly) {
      const cached = await findCached(ways);
      if (cached !== null) return cached;
    }
    try {
      const attempt = await way.find();
      if ('tool' in attempt) return { tool: attempt.tool, how: way.name };
      reasons.push(attempt.reason);
    } catch (cause) {
      causes.push(cause);
      reasons.push(cause instanceof Error ? cause.message : String(cause));
      if (way.decisive === true) break;
    }
  }
  const list = ways.map((way, index) => `  ${index + 1}. ${way.name}: ${indent(reasons[index] ?? 'not tried')}`);
  const message = [`There is no ${part} to run on. The ways to one, in order:`, ...list, advice].join('\n');
  throw new AggregateError(causes, message);
}

async function findCached<Tool>(ways: readonly Way<Tool>[]): Promise<Resolved<Tool> | null> {
  for (const way of ways) {
    const tool = (await way.findCached?.()) ?? null;
    if (tool !== null) return { tool, how: way.name };
  }
  return null;
}

function indent(reason: string): string {
  return reason.trim().replaceAll('\n', '\n     ');
}
