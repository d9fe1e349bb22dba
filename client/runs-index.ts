import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HomePaths } from '../activities/store/home-paths.ts';
import { listAttempts, readAttempts, readRunRecord, runFolder } from '../activities/store/run-store.ts';
import type { RunRecord, TestcaseRecord } from '../dsl/model/record.ts';
import type { TestcaseSummary } from '../dsl/model/result.ts';
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

/** One testcase of a run as far as it is recorded. */
export interface RecordedTestcase {
  readonly id: string;
  /** Absent while the run goes on. */
  readonly summary: TestcaseSummary | undefined;
  /** Oldest first. */
  readonly attempts: readonly TestcaseRecord[];
}

/** Testcases of a run in written order, with all attempts; of a run that goes on, those that have ended, in order of end. */
export async function recordedTestcases(home: HomePaths, record: RunRecord): Promise<readonly RecordedTestcase[]> {
  const names = await listAttempts(home, record.run);
  if (record.finished) {
    return Promise.all(
      record.finished.testcases.map(async (summary) => ({
        id: summary.id,
        summary,
        attempts: await readAttempts(home, record.run, summary.id, names),
      })),
    );
  }
  const { testcasesDir } = runFolder(home, record.run);
  const byId = new Map<string, TestcaseRecord[]>();
  for (const [slug, attempts] of names) {
    for (const attempt of attempts) {
      const read = JSON.parse(readFileSync(join(testcasesDir, `${slug}.a${attempt}.json`), 'utf8')) as TestcaseRecord;
      byId.set(read.testcase, [...(byId.get(read.testcase) ?? []), read]);
    }
  }
  return [...byId]
    .map(([id, attempts]) => ({ id, summary: undefined, attempts }))
    .toSorted((a, b) => (a.attempts[0]?.finishedAt ?? 0) - (b.attempts[0]?.finishedAt ?? 0));
}
