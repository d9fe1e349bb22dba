import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { usageError, type CliError } from './cli/cli-error.ts';
import type { CliIo } from './cli/io.ts';
import { MAX_SUITE_BYTES, type SuiteReader } from './load-suite.ts';

/** `context.inventory` as it was read: a file, or what the program printed. */
export interface LoadedInventory {
  /** As the suite names it. */
  readonly file: string;
  readonly text: string;
  readonly json: unknown;
}

/** A program that asks a cloud may take its time, but not for ever. */
const PROGRAM_LIMIT_MS = 60_000;

/**
 * Reads the inventory of a suite: JSON in the shape of `ansible-inventory --list`, or an executable that prints it when called with `--list` in the
 * suite's folder. A path is relative to that folder. A run that is started again from kept texts uses the inventory that was kept with them.
 * Throws a usage error (`CLI_INVENTORY`) when it cannot be had or is no JSON.
 */
export async function loadInventory(path: string | undefined, reader: SuiteReader, io: CliIo): Promise<LoadedInventory | undefined> {
  if (path === undefined) return undefined;
  const kept = reader.texts().find(({ file }) => file === path);
  const text = kept ? kept.text : await readText(path, reader.suiteDir, io);
  try {
    return { file: path, text, json: JSON.parse(text) as unknown };
  } catch (error) {
    throw problem(path, `it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readText(path: string, suiteDir: string, io: CliIo): Promise<string> {
  const file = resolve(suiteDir, path);
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw problem(path, 'it is not a file');
    if (isExecutable(file)) return await output(file, path, suiteDir, io);
    if (stat.size > MAX_SUITE_BYTES) throw problem(path, `it is over ${MAX_SUITE_BYTES / 1024 / 1024} MiB`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw problem(path, 'it does not exist');
    if (code === 'EACCES' || code === 'EPERM') throw problem(path, 'permission denied');
    throw error;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a program prints. Its own process group, so that nothing of it is left behind when it takes too long. */
function output(file: string, path: string, cwd: string, io: CliIo): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(file, ['--list'], { cwd, env: { ...io.env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let errors = '';
    let limit: string | undefined;
    const stop = (why: string): void => {
      limit ??= why;
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const timer = setTimeout(() => stop(`the program took longer than ${PROGRAM_LIMIT_MS / 1_000} s`), PROGRAM_LIMIT_MS);
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_SUITE_BYTES) stop(`the program printed more than ${MAX_SUITE_BYTES / 1024 / 1024} MiB`);
      else chunks.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-2_000);
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      fail(problem(path, `the program cannot be started: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (limit !== undefined) fail(problem(path, limit));
      else if (code !== 0)
        fail(problem(path, `the program ended with ${signal ?? `exit ${code}`}${errors.trim() === '' ? '' : `: ${errors.trim()}`}`));
      else done(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

function problem(path: string, why: string): CliError {
  return usageError('CLI_INVENTORY', `context.inventory ${path}: ${why}`);
}
