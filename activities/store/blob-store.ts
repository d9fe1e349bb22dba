import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { storing } from './store-error.ts';

/** Takes the pieces of one blob in order. */
export interface BlobWriter {
  write(piece: Buffer): Promise<void>;
  /** Puts the blob into the store and returns its reference, `sha256:<hex>`. */
  finish(): Promise<string>;
  /** Leaves nothing behind. Safe after `finish`. */
  discard(): Promise<void>;
}

/** Path of a blob in the store; the reference must be one of ours. */
export function blobPath(storeDir: string, reference: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(reference);
  if (match?.[1] === undefined) throw new Error(`not a store reference: ${JSON.stringify(reference)}`);
  return join(storeDir, 'sha256', match[1].slice(0, 2), match[1]);
}

/**
 * Starts a blob. It is written beside the store and renamed into place under the hash of its bytes, so a blob is whole or not there,
 * and two writers of the same bytes do no harm. All of it throws a StoreError when the file system does not let us.
 */
export async function createBlob(storeDir: string): Promise<BlobWriter> {
  const blob = await storing(() => openBlob(storeDir));
  return {
    write: (piece) => storing(() => blob.write(piece)),
    finish: () => storing(() => blob.finish()),
    discard: () => storing(() => blob.discard()),
  };
}

async function openBlob(storeDir: string): Promise<BlobWriter> {
  const partial = join(storeDir, 'partial');
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const path = join(partial, randomBytes(12).toString('hex'));
  const handle: FileHandle = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await handle.close();
  };
  return {
    async write(piece) {
      hash.update(piece);
      for (let at = 0; at < piece.length;) at += (await handle.write(piece, at)).bytesWritten;
    },
    async finish() {
      await close();
      const reference = `sha256:${hash.digest('hex')}`;
      const target = blobPath(storeDir, reference);
      if (existsSync(target)) await rm(path, { force: true });
      else {
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        await rename(path, target);
      }
      return reference;
    },
    async discard() {
      await close();
      await rm(path, { force: true });
    },
  };
}
