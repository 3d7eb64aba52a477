import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

export interface WantedPort {
  /** What the port is for, as in "the API". */
  readonly use: string;
  readonly host: string;
  /** The port that was asked for; 0 and undefined take a free one, which cannot be wrong. */
  readonly port: number | undefined;
}

/**
 * Tries all ports that were asked for, before anything is fetched, built or written that a taken port would make vain. All are held
 * at once, so that one port for two things is seen as well.
 * @throws Error that names the first port that cannot be had, and what it is for
 */
export async function checkWantedPorts(wishes: readonly WantedPort[]): Promise<void> {
  const held: { readonly server: Server; readonly wish: WantedPort }[] = [];
  try {
    for (const wish of wishes) {
      if (wish.port === undefined || wish.port === 0) continue;
      const server = createServer();
      server.listen({ host: wish.host, port: wish.port, exclusive: true });
      await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
        const other = held.find(({ wish: { port } }) => port === wish.port)?.wish;
        throw new Error(describeRefusal(wish, other, cause), { cause });
      });
      held.push({ server, wish });
    }
  } finally {
    await Promise.all(held.map(({ server }) => new Promise((resolve) => void server.close(resolve))));
  }
}

function describeRefusal(
  { use, host, port }: WantedPort,
  other: WantedPort | undefined,
  cause: NodeJS.ErrnoException,
): string {
  switch (cause.code) {
    case 'EADDRINUSE':
      return other === undefined
        ? `Port ${port} for ${use} is in use. Stop what uses it, or choose another port.`
        : `Port ${port} is asked for twice: for ${other.use} and for ${use}. Choose another port for one of them.`;
    case 'EACCES':
      return `Port ${port} for ${use} may not be taken by this user. Choose one from 1024 on.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host}, the address for ${use}, is none of this machine's.`;
    default:
      return `Port ${port} of ${host} for ${use} cannot be had: ${cause.message}`;
  }
}
