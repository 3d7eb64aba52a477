/**
 * The methods that may ever be sent to the CLI. Whatever a request holds, nothing else leaves: the same server also offers
 * to run commands, to write files and to change its configuration.
 */
export const RPC_METHODS = [
  'initialize',
  'account/read',
  'account/login/start',
  'account/login/cancel',
  'account/logout',
  'account/rateLimits/read',
  'model/list',
  'thread/start',
  'thread/inject_items',
  'thread/unsubscribe',
  // The probe: answered out of the process's memory.
  'thread/loaded/list',
  'turn/start',
  'turn/interrupt',
] as const;

export type RpcMethod = (typeof RPC_METHODS)[number];

/** Notifications that we never read, kept off the pipe at the source. */
export const UNREAD_NOTIFICATIONS: readonly string[] = [
  'thread/started',
  'thread/status/changed',
  'thread/settings/updated',
  'thread/closed',
  'turn/started',
  'item/reasoning/summaryTextDelta',
  'item/reasoning/summaryPartAdded',
  'item/reasoning/textDelta',
  'remoteControl/status/changed',
  'serverRequest/resolved',
];
