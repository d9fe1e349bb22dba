import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import path from 'node:path';
import { finished } from 'node:stream/promises';

/** Marks files that are being written; nothing reads them, and {@link removeStray} clears those of a killed process. */
const TEMPORARY = '.onetear-write-';

/** Writes a file so that others see the old one or the new one, never a part, also after a crash of the machine. */
export async function writeFileAtomic(file: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(file, (temporary) => writeNew(temporary, data, true));
  await syncDir(path.dirname(file));
}

/** As {@link writeFileAtomic}, but a crash of the machine may take the file back (never tear it): for what is completed later from history. */
export async function writeFileFlushed(file: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(file, (temporary) => writeNew(temporary, data, true));
}

/** As {@link writeFileAtomic}, but a crash of the machine may undo it: for what can be made again from records. A flush costs a millisecond. */
export async function writeFileQuick(file: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(file, (temporary) => writeNew(temporary, data, false));
}

async function writeNew(file: string, data: string | Uint8Array, flush: boolean): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(data);
    if (flush) await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Takes the pieces of a large text; the file appears when all are written. */
export interface TextSink {
  readonly write: (text: string) => Promise<void>;
}

/** As {@link writeFileQuick}, for a text that is made piece by piece. */
export async function writeTextAtomic(file: string, produce: (sink: TextSink) => Promise<void>): Promise<void> {
  await replaceFile(file, async (temporary) => {
    const stream = createWriteStream(temporary, { flags: 'wx' });
    // Without a listener a full disk would end the process; `finished` below reports it.
    const done = finished(stream);
    done.catch(() => undefined);
    try {
      await produce({
        write: async (text) => {
          if (!stream.write(text)) await Promise.race([once(stream, 'drain'), done]);
        },
      });
    } finally {
      stream.end();
    }
    await done;
  });
}

/** The same bytes under another name: a hard link where the file system allows it, else a copy. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await replaceFile(to, async (temporary) => {
    try {
      await link(from, temporary);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK' && code !== 'ENOTSUP' && code !== 'EACCES') throw error;
      await copyFile(from, temporary);
    }
  });
}

/** Removes what a killed writer left in a folder. A missing folder is clean. */
export async function removeStray(dir: string): Promise<void> {
  for (const name of await listNames(dir)) {
    if (name.startsWith(TEMPORARY) || name.startsWith('.allure-write-')) await rm(path.join(dir, name), { force: true });
  }
}

/** Names in a folder, sorted; none when it does not exist. */
export async function listNames(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function replaceFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const dir = path.dirname(file);
  await mkdir(dir, { recursive: true });
  const temporary = path.join(dir, `${TEMPORARY}${randomBytes(6).toString('hex')}`);
  try {
    await write(temporary);
    await rename(temporary, file);
  } finally {
    // A link to the file that is already there is not moved by rename, but left: POSIX does nothing for two names of one file.
    await rm(temporary, { force: true });
  }
}

/** The new name must survive a crash too. Folders cannot be flushed everywhere. */
async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EBADF') throw error;
  } finally {
    await handle.close();
  }
}
