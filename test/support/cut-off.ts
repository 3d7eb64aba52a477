import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** A server that is reached through here, and can be cut off and let back. */
export interface CutOff {
  /** The address of the server with this way to it in its place. */
  readonly address: string;
  /** Ends all connections; new ones end at once. */
  cut(): void;
  /** Takes and gives nothing more, and ends no connection, as a server that stands still. */
  stall(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Opens a way to the server at `address`, a URL, over a port of this machine. */
export async function createCutOff(address: string): Promise<CutOff> {
  const url = new URL(address);
  const target = { host: url.hostname, port: Number(url.port) };
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  url.port = String((server.address() as AddressInfo).port);
  return {
    address: url.href,
    cut() {
      isCut = true;
      end();
    },
    stall() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    mend: () => void (isCut = false),
    async close() {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
