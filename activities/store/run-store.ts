import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { slug } from '../../dsl/expand/slug.ts';
import type { RunRecord, TestcaseRecord } from '../../dsl/model/record.ts';
import { attemptFileName } from '../../report/artifact-path.ts';
import { listNames, writeFileAtomic, writeFileFlushed } from './atomic-file.ts';
import type { HomePaths } from './home-paths.ts';

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);

type Runs = Pick<HomePaths, 'runsDir'>;

/** What is kept of one run: `run.json`, `testcases/<slug>.a<attempt>.json`, `histories/<name>.json.gz`. */
export interface RunFolder {
  readonly dir: string;
  readonly recordFile: string;
  readonly testcasesDir: string;
  readonly historiesDir: string;
}

export function runFolder(home: Runs, run: string): RunFolder {
  // Run ids are ours, but they also come from command lines.
  if (!/^[\w.-]+$/u.test(run) || run.startsWith('.')) throw new Error(`not a run id: ${JSON.stringify(run)}`);
  const dir = path.join(home.runsDir, run);
  return {
    dir,
    recordFile: path.join(dir, 'run.json'),
    testcasesDir: path.join(dir, 'testcases'),
    historiesDir: path.join(dir, 'histories'),
  };
}

/** `undefined` when there is none. Throws on one that cannot be read: a broken record must not look like no run. */
export async function readRunRecord(home: Runs, run: string): Promise<RunRecord | undefined> {
  return readJson<RunRecord>(runFolder(home, run).recordFile);
}

/** Replaces the record of a run, atomically. */
export async function writeRunRecord(home: Runs, record: RunRecord): Promise<void> {
  await writeFileAtomic(runFolder(home, record.run).recordFile, jsonText(record));
}

/** Name of a testcase attempt's record in the run's `testcases/`. */
export function recordFileName(record: Pick<TestcaseRecord, 'testcase' | 'attempt'>): string {
  return `${attemptFileName(record.testcase, record.attempt)}.json`;
}

/** Writes the record of one attempt, atomically; the same record gives the same bytes. */
export async function writeTestcaseRecord(home: Runs, record: TestcaseRecord): Promise<void> {
  await writeFileFlushed(path.join(runFolder(home, record.run).testcasesDir, recordFileName(record)), jsonText(record));
}

/** Records of all attempts of one testcase, oldest first. Attempt 0 stands for a testcase that never started and is dropped when one did. */
export async function readAttempts(home: Runs, run: string, testcase: string, names: AttemptNames): Promise<TestcaseRecord[]> {
  const { testcasesDir } = runFolder(home, run);
  const all = names.get(slug(testcase)) ?? [];
  const started = all.filter((attempt) => attempt > 0);
  const records: TestcaseRecord[] = [];
  for (const attempt of started.length > 0 ? started : all) {
    const record = await readJson<TestcaseRecord>(path.join(testcasesDir, `${attemptFileName(testcase, attempt)}.json`));
    if (record) records.push(record);
  }
  return records;
}

/** Slug of a testcase → its attempts that have a record, ascending. */
export type AttemptNames = ReadonlyMap<string, readonly number[]>;

/** One listing of the folder for all testcases of a run: a look-up per attempt would cost a run of 10,000 dearly. */
export async function listAttempts(home: Runs, run: string): Promise<AttemptNames> {
  const found = new Map<string, number[]>();
  for (const name of await listNames(runFolder(home, run).testcasesDir)) {
    const match = /^(.+)\.a(\d+)\.json$/u.exec(name);
    if (!match?.[1] || name.startsWith('.')) continue;
    found.set(
      match[1],
      [...(found.get(match[1]) ?? []), Number(match[2])].toSorted((a, b) => a - b),
    );
  }
  return found;
}

/** Archives one history as protobuf JSON, gzip. `name`: without extension, e.g. `<slug>.a1`, `suite`. */
export async function writeHistory(home: Runs, run: string, name: string, json: string): Promise<void> {
  // gzip's header holds no time here, so the same history gives the same bytes.
  await writeFileFlushed(path.join(runFolder(home, run).historiesDir, `${name}.json.gz`), await gzipAsync(json));
}

/** An archived history as protobuf JSON; `undefined` when there is none. */
export async function readHistory(home: Runs, run: string, name: string): Promise<string | undefined> {
  const packed = await readIfThere(path.join(runFolder(home, run).historiesDir, `${name}.json.gz`));
  return packed === undefined ? undefined : (await gunzipAsync(packed)).toString('utf8');
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

async function readJson<T>(file: string): Promise<T | undefined> {
  const bytes = await readIfThere(file);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8')) as T;
  } catch (error) {
    throw new Error(`${file} is no JSON: ${(error as Error).message}`, { cause: error });
  }
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
