import type { Command } from 'commander';
import { comparisonAnswer, quoteAnswer, type Comparison, type Quote } from '../api-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { batchPath, type ConnectApi } from '../connect-api.ts';
import { formatList, formatText, UNKNOWN } from '../format-values.ts';
import { inputFileId } from '../input-file.ts';
import { promptTemplate } from '../prompt-template.ts';
import { formatDollarRange, formatEnd, formatRange } from '../quote-values.ts';
import { readTemplate } from '../read-template.ts';
import { formatTable, printable } from '../table.ts';

/** Ids of batches as the API gives them. Names of files may begin like one: that of a retry's lines is `batch_…_retry.jsonl`. */
const BATCH_ID = /^batch_[0-9a-f]{32}$/;

interface QuoteOptions {
  readonly endpoint: string;
  readonly window: string;
  readonly maxUsd?: string;
  readonly template?: string;
  readonly model?: string;
  readonly prompt?: string;
}

/** `flatlane batches quote`: what a batch will take, and afterwards what it took. */
export function registerBatchQuote(batches: Command, context: CliContext, connect: ConnectApi): void {
  batches
    .command('quote')
    .description('say what a file will take before anything is spent; of a batch, what was said and what it took')
    .argument('<file>', 'a file, or the id of one that was uploaded before, or the id of a batch')
    .option('--endpoint <path>', 'what the lines are for', '/v1/chat/completions')
    .option('--window <hours>', 'the time that there is', '24h')
    .option(
      '--max-usd <dollars>',
      'what the batch may cost at most: consents to lanes that cost money, as the batch does',
    )
    .option('--template <file>', 'JSON: what request each row makes')
    .option('--model <model>', 'with --prompt: whom each row is sent to')
    .option('--prompt <text>', 'what each row asks')
    .action(async (target: string, options: QuoteOptions, command: Command) => {
      const client = connect(command);
      if (BATCH_ID.test(target)) {
        const found = await client.request('GET', batchPath(target, '/quote'), comparisonAnswer);
        context.show(command, found, () => comparisonText(found));
        return;
      }
      const template = options.template === undefined ? promptTemplate(options) : await readTemplate(options.template);
      const quote = await client.request('POST', '/batches/quote', quoteAnswer, {
        input_file_id: await inputFileId(client, target),
        endpoint: options.endpoint,
        completion_window: options.window,
        ...(options.maxUsd === undefined ? {} : { metadata: { max_metered_usd: options.maxUsd } }),
        ...(template === undefined ? {} : { template }),
      });
      context.show(command, quote, () => quoteText(quote));
    });
}

function quoteText(quote: Quote): string {
  const { lines, expected, accounts } = quote;
  const { first_invalid: bad } = lines;
  const accountRows = accounts.flatMap(({ account, windows }) =>
    windows.map(({ name, used_percent: used, share_percent: share, basis }) => [
      account,
      name,
      `${used}%`,
      share === null ? UNKNOWN : `${formatRange(share)}%`,
      formatText(basis),
    ]),
  );
  const { spill } = expected;
  const spills = spill.lines !== null && (spill.lines.high ?? 1) > 0;
  return [
    `${lines.total} lines in ${printable(quote.input_file_id)}, ${lines.invalid} of them not valid`,
    ...(bad === null ? [] : [printable(`the first: line ${bad.line ?? UNKNOWN}: ${bad.code}: ${bad.message}`)]),
    '',
    formatTable(
      ['model', 'lines', 'tokens in', 'tokens out', 'on the meter', 'batch api', 'lanes'],
      quote.models.map((model) => [
        model.model,
        String(model.lines),
        formatRange(model.input_tokens),
        `${formatRange(model.output_tokens)} (${model.output_tokens.basis})`,
        formatDollarRange(model.meter_usd),
        formatDollarRange(model.batch_api_usd),
        model.served ? formatList([...model.plan_lanes, ...model.key_lanes]) : 'none serves it',
      ]),
      'No lines.',
    ),
    ...(accountRows.length === 0
      ? []
      : ['', formatTable(['account', 'window', 'used', 'would take', 'basis'], accountRows, '')]),
    '',
    `expected end: ${formatEnd(expected.earliest_end, expected.latest_end)} (${expected.basis}); ${fitsText(expected.fits)}`,
    ...(spills
      ? [
          `the plan leaves ${formatRange(spill.lines)} lines to ${formatList(spill.to.map(printable))}, ${spill.meter_usd === null ? 'at a price that is not known' : `${formatDollarRange(spill.meter_usd)} on the meter`}`,
        ]
      : []),
    ...quote.notes.map(printable),
  ].join('\n');
}

function comparisonText({ quote, actual }: Comparison): string {
  const money = (value: number | null): string => (value === null ? UNKNOWN : `$${value.toFixed(6)}`);
  const rows = [
    [
      'lines',
      quote === null ? UNKNOWN : String(quote.lines.total),
      String(actual.lines.completed + actual.lines.failed),
    ],
    ['tokens in', formatRange(quote?.input_tokens ?? null), String(actual.input_tokens)],
    ['tokens out', formatRange(quote?.output_tokens ?? null), String(actual.output_tokens)],
    ['on the meter', formatDollarRange(quote?.meter_usd ?? null), money(actual.meter_usd)],
    ['paid', UNKNOWN, money(actual.cost_usd)],
    ['seconds', secondsOf(quote), String(actual.duration_seconds)],
  ];
  const title = quote === null ? 'No quote was given before this batch.\n' : '';
  const end = actual.is_final ? '' : `\nThe batch is ${printable(actual.status)}: these are the figures so far.`;
  return `${title}${formatTable(['', 'quote', 'actual'], rows, '')}${end}`;
}

function secondsOf(quote: Quote | null): string {
  if (quote === null || quote.expected.earliest_end === null) return UNKNOWN;
  const { earliest_end: earliest, latest_end: latest } = quote.expected;
  return formatRange({ low: earliest - quote.created_at, high: latest === null ? null : latest - quote.created_at });
}

function fitsText(fits: boolean | null): string {
  if (fits === null) return 'whether it fits the window is not known';
  return fits ? 'it fits the window' : 'it does not fit the window';
}
