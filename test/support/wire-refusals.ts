import type { WireCall } from './wire-call.ts';

interface Given {
  /** A model that a plan lane alone serves. */
  readonly model: string;
  /** A key that may not use plan lanes. */
  readonly appKey: string;
}

/** A chat completion of one message. */
export const chatCall = (model: string, content = 'hello', more: object = {}): WireCall => ({
  path: '/v1/chat/completions',
  body: { model, messages: [{ role: 'user', content }], ...more },
});
const batchOf = (more: object): WireCall => ({
  path: '/v1/batches',
  body: { input_file_id: 'file-x', endpoint: '/v1/chat/completions', completion_window: '24h', ...more },
});

/** Calls that are the caller's mistake, with the status, the code and the parameter that they are told. */
export const REFUSED_CALLS: readonly [
  title: string,
  ask: (given: Given) => WireCall,
  status: number,
  code: string | null,
  param: string | null,
][] = [
  ['no key', () => ({ path: '/v1/models', headers: { authorization: '' } }), 401, 'invalid_api_key', null],
  [
    'an unknown key',
    () => ({ path: '/v1/models', headers: { authorization: 'Bearer sk-no' } }),
    401,
    'invalid_api_key',
    null,
  ],
  [
    'an unknown path without a key',
    () => ({ path: '/v1/nothing', headers: { authorization: '' } }),
    401,
    'invalid_api_key',
    null,
  ],
  [
    'a model whose lanes its key may not use',
    ({ model, appKey }) => ({ ...chatCall(model), headers: { authorization: `Bearer ${appKey}` } }),
    403,
    'insufficient_permissions',
    null,
  ],
  ['an unknown model', () => chatCall('nobody-has-it'), 404, 'model_not_found', 'model'],
  ['an unknown model to look at', () => ({ path: '/v1/models/nobody/has-it' }), 404, 'model_not_found', 'model'],
  ['an unknown path', () => ({ path: '/v1/nothing?secret=1' }), 404, null, null],
  ['an unknown path with a body', () => ({ path: '/v1/images/generations', body: {} }), 404, null, null],
  ['a method that a path does not have', () => ({ method: 'DELETE', path: '/v1/models' }), 404, null, null],
  ['an unknown file', () => ({ path: '/v1/files/file-none' }), 404, null, 'id'],
  ['the content of an unknown file', () => ({ path: '/v1/files/file-none/content' }), 404, null, 'id'],
  ['an unknown file to delete', () => ({ method: 'DELETE', path: '/v1/files/file-none' }), 404, null, 'id'],
  ['an unknown batch', () => ({ path: '/v1/batches/batch_none' }), 404, null, 'id'],
  ['an unknown batch to cancel', () => ({ method: 'POST', path: '/v1/batches/batch_none/cancel' }), 404, null, 'id'],
  ['an unknown upload', () => ({ method: 'POST', path: '/v1/uploads/upload_none/cancel' }), 404, null, 'id'],
  ['an id without end', () => ({ path: `/v1/files/${'x'.repeat(600)}` }), 404, null, null],
  ['JSON that does not parse', () => ({ path: '/v1/chat/completions', body: '{"model":' }), 400, null, null],
  ['no body', () => ({ method: 'POST', path: '/v1/chat/completions' }), 400, null, null],
  [
    'no messages',
    ({ model }) => ({ path: '/v1/chat/completions', body: { model } }),
    400,
    'missing_required_parameter',
    'messages',
  ],
  ['a model that is a number', () => chatCall(1 as unknown as string), 400, 'invalid_type', 'model'],
  [
    'a temperature out of bounds',
    ({ model }) => chatCall(model, '', { temperature: 9 }),
    400,
    'invalid_value',
    'temperature',
  ],
  [
    'an unknown role',
    ({ model }) => chatCall(model, '', { messages: [{ role: 'king', content: '' }] }),
    400,
    'invalid_value',
    'messages[0].role',
  ],
  [
    'a message without content',
    ({ model }) => chatCall(model, '', { messages: [{ role: 'user' }] }),
    400,
    'missing_required_parameter',
    'messages[0].content',
  ],
  [
    'a function with an unfit name',
    ({ model }) => chatCall(model, '', { tools: [{ type: 'function', function: { name: 'a b' } }] }),
    400,
    'invalid_value',
    'tools[0].function.name',
  ],
  [
    'a function tool without its function',
    ({ model }) => chatCall(model, '', { tools: [{ type: 'function' }] }),
    400,
    'missing_required_parameter',
    'tools[0].function',
  ],
  [
    'a function tool that is null inside',
    ({ model }) => chatCall(model, '', { tools: [{ type: 'function', function: null }] }),
    400,
    'invalid_type',
    'tools[0].function',
  ],
  [
    'a choice of a function without a name',
    ({ model }) => chatCall(model, '', { tool_choice: { type: 'function', function: {} } }),
    400,
    'missing_required_parameter',
    'tool_choice.function.name',
  ],
  [
    'an unknown response format',
    ({ model }) => chatCall(model, '', { response_format: { type: 'xml' } }),
    400,
    'invalid_value',
    'response_format.type',
  ],
  ['several choices of a plan lane', ({ model }) => chatCall(model, '', { n: 2 }), 400, 'unsupported_parameter', 'n'],
  [
    'log probabilities of a plan lane',
    ({ model }) => chatCall(model, '', { logprobs: true }),
    400,
    'unsupported_parameter',
    'logprobs',
  ],
  [
    'what a strict caller would lose on a plan lane',
    ({ model }) => ({ ...chatCall(model, '', { temperature: 1 }), headers: { 'x-flatlane-strict': 'true' } }),
    400,
    'unsupported_parameter',
    'temperature',
  ],
  [
    'embeddings of a plan lane',
    ({ model }) => ({ path: '/v1/embeddings', body: { model, input: 'a' } }),
    400,
    'unsupported_parameter',
    'model',
  ],
  [
    'a wait that is no number',
    ({ model }) => ({ ...chatCall(model), headers: { 'x-flatlane-wait': 'soon' } }),
    400,
    'invalid_value',
    'x-flatlane-wait',
  ],
  [
    'an idempotency key that is none',
    ({ model }) => ({ ...chatCall(model), headers: { 'idempotency-key': 'k'.repeat(256) } }),
    400,
    'invalid_value',
    'Idempotency-Key',
  ],
  [
    'another purpose than batch',
    () => ({ path: '/v1/files', body: form('a.jsonl', 'assistants') }),
    400,
    'invalid_value',
    'purpose',
  ],
  ['another extension', () => ({ path: '/v1/files', body: form('a.txt', 'batch') }), 400, null, 'file'],
  ['an endpoint without batches', () => batchOf({ endpoint: '/v1/completions' }), 400, 'invalid_value', 'endpoint'],
  ['another window', () => batchOf({ completion_window: '7d' }), 400, 'invalid_value', 'completion_window'],
  ['metadata of another type', () => batchOf({ metadata: { tags: ['a'] } }), 400, 'invalid_type', 'metadata.tags'],
  ['a list without end', () => ({ path: '/v1/batches?limit=101' }), 400, 'invalid_value', 'limit'],
  ['a list of nothing', () => ({ path: '/v1/files?limit=0' }), 400, 'invalid_value', 'limit'],
  ['a list behind an unknown id', () => ({ path: '/v1/batches?after=batch_none' }), 400, 'invalid_value', 'after'],
  [
    'a body above the limit',
    ({ model }) => chatCall(model, 'x'.repeat(12 * 1024 * 1024)),
    413,
    'request_too_large',
    null,
  ],
  [
    'another content type',
    () => ({ path: '/v1/chat/completions', body: 'a=1', headers: { 'content-type': 'text/plain' } }),
    415,
    'unsupported_media_type',
    null,
  ],
  [
    'a form where JSON is meant',
    () => ({ path: '/v1/batches', body: form('a.jsonl', 'batch') }),
    415,
    'unsupported_media_type',
    null,
  ],
  [
    'a form where an upload is told',
    () => ({ path: '/v1/uploads', body: form('a.jsonl', 'batch') }),
    415,
    'unsupported_media_type',
    null,
  ],
  ['JSON where a form is meant', () => ({ path: '/v1/files', body: {} }), 415, 'unsupported_media_type', null],
];

function form(filename: string, purpose: string): FormData {
  const fields = new FormData();
  fields.set('purpose', purpose);
  fields.set('file', new Blob(['{}\n']), filename);
  return fields;
}
