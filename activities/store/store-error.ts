/**
 * An output could not be written to the store of this host: no space, no permission, no folder. `code` is `STORE_FAILED`.
 * It says nothing about the command, which has run.
 */
export class StoreError extends Error {
  readonly code = 'STORE_FAILED';
  constructor(cause: unknown) {
    super(`cannot store the output: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'StoreError';
  }
}

/** The same work; what the file system says against it becomes a {@link StoreError}. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new StoreError(error);
    throw error;
  }
}
