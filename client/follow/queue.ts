/** Many producers, one consumer: what is pushed comes out in order; an error or the end comes after it. */
export interface Queue<T> {
  readonly push: (item: T) => void;
  /** No more items. The first of `end` and `fail` counts. */
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
  readonly items: () => AsyncGenerator<T>;
}

export function createQueue<T>(): Queue<T> {
  const waiting: T[] = [];
  let over: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  return {
    push: (item) => {
      if (over) return;
      waiting.push(item);
      notify();
    },
    end: () => {
      over ??= {};
      notify();
    },
    fail: (error) => {
      over ??= { error };
      notify();
    },
    items: async function* items() {
      for (;;) {
        for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) yield item;
        if (over) {
          if ('error' in over) throw over.error;
          return;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
