import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '../../worker/write-file-atomic.ts';
import { messageOf } from './process-error.ts';

const execFileAsync = promisify(execFile);

/** Older servers lack what the engine relies on (priorities, current details in the UI). */
const MINIMUM_SERVER = [1, 29] as const;

/** A `temporal` CLI that was asked for its version. */
export interface TemporalBinary {
  readonly path: string;
  readonly cliVersion: string;
  /** Names the database file. */
  readonly serverVersion: string;
}

/** Why a candidate is not used. */
export interface BadBinary {
  readonly problem: string;
}

/**
 * Asks a binary for its version, with an answer kept in the cache folder per path, size and time of change: the question costs 0.1 s and more,
 * each start of the program would pay it.
 */
export async function checkTemporalBinary(file: string, cacheDir: string): Promise<TemporalBinary | BadBinary> {
  let key: string;
  try {
    accessSync(file, constants.X_OK);
    const { size, mtimeMs } = statSync(file);
    key = `${path.resolve(file)}\0${size}\0${mtimeMs}`;
  } catch (error) {
    return { problem: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : messageOf(error) };
  }
  const cacheFile = path.join(cacheDir, 'versions.json');
  const cache = readCache(cacheFile);
  let text = cache[key];
  if (text === undefined) {
    try {
      const { stdout } = await execFileAsync(file, ['--version'], { timeout: 20_000 });
      text = stdout.trim();
    } catch (error) {
      return { problem: `"--version" failed: ${messageOf(error)}` };
    }
    mkdirSync(cacheDir, { recursive: true });
    writeFileAtomic(cacheFile, `${JSON.stringify({ ...cache, [key]: text })}\n`);
  }
  return parseTemporalVersion(file, text);
}

/** `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)` */
export function parseTemporalVersion(file: string, text: string): TemporalBinary | BadBinary {
  const match = /temporal version (\d+\.\d+\.\d+\S*) \(Server (\d+)\.(\d+)\.(\d+[^\s,)]*)/.exec(text);
  if (!match) return { problem: `not a Temporal CLI, its version is ${JSON.stringify(text.slice(0, 80))}` };
  const [, cliVersion = '', major = '', minor = '', patch = ''] = match;
  const serverVersion = `${major}.${minor}.${patch}`;
  if (Number(major) !== MINIMUM_SERVER[0] || Number(minor) < MINIMUM_SERVER[1]) {
    return { problem: `its server is ${serverVersion}, needed is ${MINIMUM_SERVER.join('.')} or later (1.x)` };
  }
  return { path: path.resolve(file), cliVersion, serverVersion };
}

function readCache(file: string): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const entries = Object.entries((value ?? {}) as Record<string, unknown>).filter(([, text]) => typeof text === 'string');
    return Object.fromEntries(entries.slice(-20)) as Record<string, string>;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
