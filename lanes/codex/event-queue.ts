/** Values in the order in which they came, taken one at a time by one reader. */
export interface EventQueue<T> {
  push(value: T): void;
  next(): Promise<T>;
}

export function createEventQueue<T>(): EventQueue<T> {
  const values: T[] = [];
  let wake: (() => void) | undefined;
  return {
    push(value) {
      values.push(value);
      wake?.();
    },
    async next() {
      while (values.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      wake = undefined;
      return values.shift() as T;
    },
  };
}
