import { createRequire } from 'node:module';

/** A connection of the driver, as far as it is mended here. */
interface DriverConnection {
  /** Why it was closed. Set before `close` is told of. */
  readonly error: Error | null;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

type WriteCommand = (this: DriverConnection, ...given: unknown[]) => Promise<unknown>;

/** Not among what the driver exports. */
const CONNECTIONS = 'mongodb/lib/cmap/connection.js';

let isMended = false;

/**
 * Has a command fail when its connection is closed while it is being written. The driver (7.9.0) then waits for an event of the socket
 * that never comes: the call stays open for good, with its place in the pool, and whoever repeats what fails never gets to it
 * (docs/decisions/0021). Once in a process; to be taken out when the driver does it itself.
 * @throws Error when this is not the driver that it was made for
 */
export function mendDriver(): void {
  if (isMended) return;
  const { Connection } = createRequire(import.meta.url)(CONNECTIONS) as {
    readonly Connection?: { readonly prototype: { writeCommand?: WriteCommand } };
  };
  const writeCommand = Connection?.prototype.writeCommand;
  if (Connection === undefined || writeCommand === undefined) {
    throw new Error(
      'This version of the MongoDB driver writes in another way. Install the one that package.json names.',
    );
  }
  Connection.prototype.writeCommand = async function writeUnlessClosed(...given) {
    let onClose: () => void = () => undefined;
    const closed = new Promise<never>((_, reject) => {
      onClose = () => reject(this.error ?? new Error('the connection was closed'));
      this.once('close', onClose);
    });
    try {
      return await Promise.race([writeCommand.apply(this, given), closed]);
    } finally {
      this.off('close', onClose);
    }
  };
  isMended = true;
}
