import { readdirSync } from 'node:fs';
import type { HomePaths } from '../activities/store/home-paths.ts';
import { readRunRecord } from '../activities/store/run-store.ts';
import type { RunRecord } from '../dsl/model/record.ts';
import { usageError } from './cli/cli-error.ts';
import { findRun } from './find-run.ts';

/** Ids of all runs of this home, newest first: they sort by time. */
export function runIds(home: HomePaths): readonly string[] {
  try {
    const entries = readdirSync(home.runsDir, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .toSorted()
      .toReversed();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Records of all runs, newest first. A folder without a record is a run that never came to be. */
export async function allRuns(home: HomePaths): Promise<readonly RunRecord[]> {
  const records = await Promise.all(runIds(home).map((run) => readRunRecord(home, run)));
  return records.filter((record) => record !== undefined);
}

/** The record that `name` (id, unique prefix, `last`) stands for. Throws a usage error when there is none. */
export async function readRun(home: HomePaths, name: string): Promise<RunRecord> {
  const run = findRun(name, runIds(home));
  const record = await readRunRecord(home, run);
  if (!record) throw usageError('CLI_UNKNOWN_RUN', `run ${run} has no record: it never started`);
  return record;
}
