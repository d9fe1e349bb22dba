/** A promise that somebody else resolves, once; it never rejects, so it can be left alone without an unhandled rejection. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  /** The value once resolved. */
  readonly value: T | undefined;
  readonly settled: boolean;
  /** Later calls do nothing. */
  resolve(value: T): void;
}

export function createDeferred<T>(): Deferred<T> {
  let settle!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  let settled = false;
  let value: T | undefined;
  return {
    promise,
    get value() {
      return value;
    },
    get settled() {
      return settled;
    },
    resolve(given) {
      if (settled) return;
      settled = true;
      value = given;
      settle(given);
    },
  };
}
