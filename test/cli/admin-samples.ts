/** What the admin API shows, for the tests of the command line. */
export const KEY_LANE = {
  id: 'aaaa00000001',
  alias: 'openai',
  kind: 'key',
  state: 'ready',
  why: null,
  coolingUntil: null,
  concurrency: 32,
  models: ['*'],
  baseUrl: 'https://api.openai.com/v1',
};
export const ACCOUNT = {
  ...KEY_LANE,
  id: 'bbbb00000002',
  alias: 'main',
  kind: 'plan',
  state: 'cooling',
  why: 'the 5-hour window is used up',
  coolingUntil: Date.UTC(2026, 10, 20, 15, 30),
  concurrency: 4,
  models: ['gpt-5.5'],
  baseUrl: null,
  email: 'owner@example.com',
  planType: 'plus',
  windows: [{ name: '5h', durationMinutes: 300, usedPercent: 100, resetsAt: Date.UTC(2026, 10, 20, 15, 30) }],
  login: null,
};
export const KEY = {
  id: 'key_1',
  name: 'my app',
  admin: false,
  planLanes: false,
  createdAt: 1_790_000_000_000,
  revokedAt: null,
};
