import type { WriteStream } from 'node:tty';

/** Shows how far a batch is: one line that is drawn anew on a terminal, a plain line for each tenth elsewhere. */
export interface ProgressLine {
  show(done: number, total: number, note: string): void;
  end(): void;
}

const BAR_WIDTH = 30;

export function createProgressLine(out: Pick<WriteStream, 'write' | 'isTTY'>): ProgressLine {
  let shown = '';
  return {
    show(done, total, note) {
      const share = total === 0 ? 0 : done / total;
      if (out.isTTY) {
        const filled = Math.round(share * BAR_WIDTH);
        out.write(`\r\u001B[K[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${done}/${total} ${note}`);
        return;
      }
      const line = `${Math.floor(share * 10) * 10}% ${note}`;
      if (line !== shown) out.write(`${line} (${done}/${total})\n`);
      shown = line;
    },
    end() {
      if (out.isTTY) out.write('\n');
    },
  };
}
