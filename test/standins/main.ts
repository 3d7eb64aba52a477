/**
 * Both stand-ins as a process of their own, for benchmarks and demos: takes `{chatgpt?, openai?}` as JSON in its first
 * argument, prints one line of JSON with the addresses, and ends when its standard input closes.
 */
import { type ChatgptBackendOptions, startChatgptBackend } from './chatgpt/backend.ts';
import { startControlServer } from './control-server.ts';
import { type OpenaiApiOptions, startOpenaiApi } from './openai/api.ts';

interface Options {
  readonly chatgpt?: ChatgptBackendOptions;
  readonly openai?: OpenaiApiOptions;
}

const options = JSON.parse(process.argv[2] ?? '{}') as Options;
const chatgpt = await startChatgptBackend(options.chatgpt);
const openai = await startOpenaiApi(options.openai);
const control = await startControlServer(chatgpt, openai);
const { url, caFile, codexEnvironment, codexConfig } = chatgpt;
const addresses = {
  control: control.url,
  chatgpt: { url, caFile, codexEnvironment, codexConfig },
  openai: { url: openai.url, key: openai.key },
};
process.stdout.write(`${JSON.stringify(addresses)}\n`);

let closing = false;
const close = async (): Promise<void> => {
  if (closing) return;
  closing = true;
  await Promise.all([control.close(), chatgpt.close(), openai.close()]);
  process.exit(0);
};
for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => void close());
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void close());
process.stdin.resume();
