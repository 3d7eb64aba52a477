import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';

/**
 * Configuration: one schema, read once at the entry point, passed on frozen. Every name is an environment variable of the
 * same name with the prefix FLATLANE_, but for Temporal's and MongoDB's own.
 */

/** A port; 0 takes a free one. */
export const portSchema = z.coerce.number().int().min(0).max(65_535);

/**
 * The settings of the Codex CLI that are its owner's to make: where its backends are, and how it gets there. Whatever else it knows
 * adds tools, prompts or actions on this machine, or sends the plan's prompts elsewhere; a plan lane is a bare model call.
 */
const CODEX_SETTINGS: readonly string[] = [
  'chatgpt_base_url',
  'openai_base_url',
  'features.enable_request_compression',
  'features.respect_system_proxy',
  'features.system_proxy_fallback',
];

/** The CLI takes what is before the first equals sign, without the space around it. */
const settingName = (setting: string): string => setting.slice(0, Math.max(0, setting.indexOf('='))).trim();

const configSchema = z.object({
  FLATLANE_DATA: z
    .string()
    .default('.flatlane')
    // Absolute from here on: child processes have working folders of their own.
    .transform((path) => resolve(path))
    .describe('Folder for everything that must survive: accounts, master key, embedded databases.'),
  FLATLANE_HOST: z.string().default('127.0.0.1').describe('Address on which the API listens.'),
  FLATLANE_PORT: portSchema.default(8484).describe('Port of the API.'),
  FLATLANE_ADMIN_HOST: z.string().default('127.0.0.1').describe('Address on which the admin routes listen.'),
  FLATLANE_ADMIN_PORT: portSchema.default(8485).describe('Port of the admin routes.'),
  FLATLANE_INTERNAL_HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address on which workers in other processes deliver answers.'),
  FLATLANE_INTERNAL_PORT: portSchema.default(0).describe('Port for them; 0 takes a free one.'),
  FLATLANE_INTERNAL_URL: z
    .url()
    .optional()
    .describe('The address of the internal port as other machines see it; by default made of host and port.'),
  FLATLANE_MASTER_KEY: z
    .string()
    .optional()
    .describe(
      '32 random bytes in base64, from which all secrets at rest are sealed; by default a file in the data folder.',
    ),
  FLATLANE_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Level of the log on standard error.'),
  FLATLANE_STREAM_PING_MS: z.coerce
    .number()
    .int()
    .min(100)
    .default(15_000)
    .describe('Silence on a stream, in milliseconds, after which a comment keeps its connection open.'),
  FLATLANE_LOG_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(90)
    .describe('Days after which entries of the lane log are removed. The ledger of what was paid stays.'),
  FLATLANE_DRILLS: z
    .stringbool()
    .default(false)
    .describe('Lets admin keys play failures of lanes on their own requests, with the header `x-flatlane-drill`.'),
  FLATLANE_CODEX_ENV: z
    .string()
    .default('{}')
    .transform((text, context): Record<string, string> => {
      try {
        return z.record(z.string(), z.string()).parse(JSON.parse(text));
      } catch {
        context.addIssue({ code: 'custom', message: 'must be a JSON object of strings' });
        return z.NEVER;
      }
    })
    .describe('Extra environment variables of the Codex processes, as JSON. For tests, and for proxies.'),
  FLATLANE_CODEX_CONFIG: z
    .string()
    .default('[]')
    .transform((text, context): string[] => {
      try {
        return z.array(z.string()).parse(JSON.parse(text));
      } catch {
        context.addIssue({ code: 'custom', message: 'must be a JSON array of strings' });
        return z.NEVER;
      }
    })
    .refine((settings) => settings.every((setting) => CODEX_SETTINGS.includes(settingName(setting))), {
      message: `may hold settings key=value with these keys only: ${CODEX_SETTINGS.join(', ')}`,
    })
    .describe(
      `Extra \`-c key=value\` settings of the Codex processes, as a JSON array of strings. For tests, and for proxies. Allowed keys: ${CODEX_SETTINGS.map((name) => `\`${name}\``).join(', ')}.`,
    ),
  MONGODB_URI: z.string().optional().describe('Your MongoDB; without it `npm start` runs one.'),
  MONGODB_DATABASE: z.string().default('flatlane').describe('Name of the database.'),
  TEMPORAL_ADDRESS: z
    .string()
    .optional()
    .describe('Your Temporal server as host:port; without it `npm start` runs one.'),
  TEMPORAL_NAMESPACE: z.string().default('default').describe('Temporal namespace.'),
  TEMPORAL_API_KEY: z.string().optional().describe('API key for Temporal Cloud.'),
  TEMPORAL_TLS: z
    .stringbool()
    .optional()
    .describe('TLS to the Temporal server; on by default when an API key is given.'),
});

export type Config = Readonly<z.infer<typeof configSchema>>;

/** All settings with their descriptions, for the documentation. */
export const configShape = configSchema.shape;

/**
 * Reads the configuration from the environment.
 * @throws Error that lists every problem at once.
 */
export function readConfig(overrides: Readonly<Record<string, string | undefined>> = {}): Config {
  // An empty variable is one that is not set: `FLATLANE_PORT=` in a compose file must not mean port 0.
  const given = Object.entries({ ...process.env, ...overrides }).filter(
    ([, value]) => value !== undefined && value !== '',
  );
  const result = configSchema.safeParse(Object.fromEntries(given));
  if (result.success) return Object.freeze(result.data);
  const problems = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`The configuration has ${problems.length} problem(s):\n${problems.join('\n')}`);
}

const RUN_VARIABLES = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'USER',
  'XDG_CACHE_HOME',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SystemRoot',
];

/** How this machine reaches the outside. */
const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/** Settings of Go and of Maven, which people have on networks that are closed in some way. */
const BUILD_VARIABLES = [
  'GOPROXY',
  'GOSUMDB',
  'GOPRIVATE',
  'GOFLAGS',
  'GOTOOLCHAIN',
  'GOPATH',
  'GOCACHE',
  'GOMODCACHE',
  'JAVA_HOME',
  'MAVEN_OPTS',
];

/** The environment that a child process of ours may inherit: what a program needs to run and to reach the outside, no secret. */
export function baseChildEnvironment(): Record<string, string> {
  return pickEnvironment([...RUN_VARIABLES, ...PROXY_VARIABLES]);
}

/** The same for a tool that is being built. */
export function buildEnvironment(): Record<string, string> {
  return pickEnvironment([...RUN_VARIABLES, ...PROXY_VARIABLES, ...BUILD_VARIABLES]);
}

function pickEnvironment(names: readonly string[]): Record<string, string> {
  const entries = names.flatMap((name) => {
    const value = process.env[name];
    // The XDG specification has a cache folder ignored that is not absolute; Go refuses one.
    const isIgnored = name === 'XDG_CACHE_HOME' && value !== undefined && !isAbsolute(value);
    return value === undefined || isIgnored ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}
