import { Connection, Client } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { ensureTools, startMongodb, startStack, startTemporal } from '../../stack/start-stack.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

/** The servers are built once for each machine. */
const BUILD_LIMIT_MS = 20 * 60_000;
const RESTART_LIMIT_MS = 30_000;

const common = { log: createLogger('silent', 'test'), onProgress: () => undefined };

interface Row {
  readonly _id: string;
}

async function connectMongodb(uri: string) {
  const client = await MongoClient.connect(uri, { serverSelectionTimeoutMS: 10_000 });
  onTestFinished(() => client.close());
  return client.db('test').collection<Row>('rows');
}

async function connectTemporal(address: string): Promise<Client> {
  const connection = await Connection.connect({ address });
  onTestFinished(() => connection.close());
  return new Client({ connection });
}

const startWorkflow = (client: Client, workflowId: string) =>
  client.workflow.start('neverServed', { workflowId, taskQueue: 'nobody' });

const nameOf = async (client: Client, workflowId: string): Promise<string> =>
  (await client.workflow.getHandle(workflowId).describe()).status.name;

/** Kills a server outright and waits for its successor. */
async function killAndWait(part: { readonly pid: number | null }): Promise<void> {
  const before = part.pid;
  if (before === null) throw new Error('the server does not run');
  process.kill(before, 'SIGKILL');
  await expect.poll(() => part.pid, { timeout: RESTART_LIMIT_MS }).not.toBe(before);
  await expect.poll(() => part.pid, { timeout: RESTART_LIMIT_MS }).not.toBeNull();
}

beforeAll(() => ensureTools((line) => process.stderr.write(`${line}\n`)), BUILD_LIMIT_MS);

describe('the stack', () => {
  it('starts on an empty data folder, and finds all of it again at the next start', async () => {
    const dataDir = await createTemporaryFolder();
    const first = await startStack({ dataDir, ...common });
    await (await connectMongodb(first.mongodb.address)).insertOne({ _id: 'kept' });
    await startWorkflow(await connectTemporal(first.temporal.address), 'kept');
    await first.stop();
    expect([first.temporal.pid, first.mongodb.pid]).toEqual([null, null]);

    const second = await startStack({ dataDir, ...common });
    onTestFinished(() => second.stop());
    expect(second.mongodb.address).toBe(first.mongodb.address);
    expect(second.temporal.address).toBe(first.temporal.address);
    expect(second.temporal.uiUrl).toBe(first.temporal.uiUrl);
    expect(await (await connectMongodb(second.mongodb.address)).findOne({ _id: 'kept' })).toEqual({ _id: 'kept' });
    expect(await nameOf(await connectTemporal(second.temporal.address), 'kept')).toBe('RUNNING');
  });

  it('refuses a second start on a data folder that is in use', async () => {
    const dataDir = await createTemporaryFolder();
    const running = await startStack({ dataDir, ...common });
    onTestFinished(() => running.stop());
    await expect(startStack({ dataDir, ...common })).rejects.toThrow(`in use by process ${process.pid} on `);
    await (await connectMongodb(running.mongodb.address)).insertOne({ _id: 'still served' });
  });

  it('takes servers of yours as they are', async () => {
    const embedded = await startStack({ dataDir: await createTemporaryFolder(), ...common });
    onTestFinished(() => embedded.stop());
    const yours = await startStack({
      dataDir: await createTemporaryFolder(),
      temporalAddress: embedded.temporal.address,
      mongodbUri: embedded.mongodb.address,
      ...common,
    });
    expect([yours.temporal.pid, yours.mongodb.pid]).toEqual([null, null]);
    expect([yours.temporal.how, yours.mongodb.how]).toEqual([
      'your own server (TEMPORAL_ADDRESS)',
      'your own server (MONGODB_URI)',
    ]);
    await yours.stop();
    await (await connectMongodb(embedded.mongodb.address)).insertOne({ _id: 'still served' });
  });
});

describe('the embedded MongoDB', () => {
  it('keeps every acknowledged insert when it is killed outright, and comes back on the same port', async () => {
    const mongodb = await startMongodb({ dataDir: await createTemporaryFolder(), ...common });
    onTestFinished(() => mongodb.stop());
    const acknowledged: string[] = [];
    const refused: string[] = [];
    const writers = ['a', 'b', 'c', 'd'].map(async (writer) => {
      const rows = await connectMongodb(mongodb.address);
      for (let index = 0; refused.length === 0; index += 1) {
        const _id = `${writer}${index}`;
        await rows.insertOne({ _id }).then(
          () => acknowledged.push(_id),
          () => refused.push(_id),
        );
      }
    });
    await expect.poll(() => acknowledged.length).toBeGreaterThan(200);
    process.kill(mongodb.pid ?? 0, 'SIGKILL');
    // The driver may retry on the restarted server: the writers go on until one insert has failed.
    refused.push('over');
    await Promise.all(writers);

    const rows = await connectMongodb(mongodb.address);
    const found = new Set((await rows.find().toArray()).map(({ _id }) => _id));
    expect(acknowledged.filter((_id) => !found.has(_id))).toEqual([]);
  });

  it('names its port when that is in use', async () => {
    const dataDir = await createTemporaryFolder();
    const running = await startMongodb({ dataDir, ...common });
    onTestFinished(() => running.stop());
    const port = Number(new URL(running.address).port);
    const second = startMongodb({ dataDir: await createTemporaryFolder(), port, ...common });
    await expect(second).rejects.toThrow(`MongoDB's port ${port} is in use`);
  });
});

describe('the embedded Temporal', () => {
  it('comes back with its workflows on the same port when it is killed outright', async () => {
    const temporal = await startTemporal({ dataDir: await createTemporaryFolder(), ...common });
    onTestFinished(() => temporal.stop());
    await startWorkflow(await connectTemporal(temporal.address), 'kept');
    await killAndWait(temporal);
    const connected = expect.poll(async () => nameOf(await connectTemporal(temporal.address), 'kept'), {
      timeout: RESTART_LIMIT_MS,
    });
    await connected.toBe('RUNNING');
  });

  it('names the port that is in use, before it starts anything', async () => {
    const running = await startTemporal({ dataDir: await createTemporaryFolder(), ...common });
    onTestFinished(() => running.stop());
    const port = Number(running.address.split(':')[1]);
    const uiPort = Number(new URL(running.uiUrl ?? '').port);
    const dataDir = await createTemporaryFolder();
    await expect(startTemporal({ dataDir, port, ...common })).rejects.toThrow(`Temporal's port ${port} is in use`);
    await expect(startTemporal({ dataDir, uiPort, ...common })).rejects.toThrow(
      `Temporal's UI port ${uiPort} is in use`,
    );
  });

  it('says which address of yours does not serve, and does not start one instead', async () => {
    const running = await startMongodb({ dataDir: await createTemporaryFolder(), ...common });
    const address = `127.0.0.1:${new URL(running.address).port}`;
    await running.stop();
    const start = startTemporal({ dataDir: await createTemporaryFolder(), address, ...common });
    await expect(start).rejects.toThrow(`${address} was given but does not serve`);
  });
});
