import { existsSync } from 'node:fs';
import path from 'node:path';
import type { TestcaseRecord } from '../../dsl/model/record.ts';
import type { TestcaseSummary } from '../../dsl/model/result.ts';
import { allureTestcase } from '../../report/allure.ts';
import { ctrfFrame, ctrfTest } from '../../report/ctrf.ts';
import { junitFoot, junitHead, junitTestcase } from '../../report/junit.ts';
import { createMarkdownSummary } from '../../report/markdown.ts';
import { artifactsOf } from '../../report/report-model.ts';
import type { FinishedRun, ReportTestcase } from '../../report/report-model.ts';
import { stepArtifacts } from '../../report/artifact-path.ts';
import type { StepArtifact } from '../../report/artifact-path.ts';
import { SUITE_LEVEL } from '../../report/event-builders.ts';
import { linkOrCopy, removeStray, writeFileAtomic, writeFileQuick, writeTextAtomic } from './atomic-file.ts';
import { blobPath } from './blob-store.ts';
import type { HomePaths } from './home-paths.ts';
import { makeFolder } from './make-folder.ts';
import { jsonText, listAttempts, readAttempts, recordFileName } from './run-store.ts';
import { removeForeign, writeManifest } from './results-manifest.ts';
import { createAllureWriter } from './write-allure.ts';
import { writeEvents } from './write-events.ts';
import type { RecordPlace } from './write-events.ts';

export interface ReportJob {
  readonly home: Pick<HomePaths, 'runsDir'>;
  /** Where the whole logs are. */
  readonly storeDir: string;
  readonly run: FinishedRun;
  /** Usually `run.results`; another folder to make the reports again elsewhere. */
  readonly resultsDir: string;
  /** Called often while it works. */
  readonly beat?: () => void;
}

/** GitLab refuses a file over 30 MB; behind this size outputs are left out. */
const JUNIT_BYTES = 20_000_000;

/**
 * Writes every report of a finished run from its records: testcases/, junit.xml, ctrf.json, summary.md, allure-results/, artifacts/,
 * events.ndjson and, last, run.json. Killed at any line and called again it gives the same files. One testcase is in memory at a time.
 * Resolves with the paths of artifacts whose log the store does not have.
 */
export async function writeReports(job: ReportJob): Promise<{ readonly missing: readonly string[] }> {
  const { run, resultsDir, storeDir } = job;
  const beat = job.beat ?? ((): void => undefined);
  makeFolder(resultsDir);
  await removeForeign(resultsDir, run.run);
  const names = await listAttempts(job.home, run.run);
  const places: RecordPlace[] = [];
  const files = new Set(['junit.xml', 'ctrf.json', 'summary.md', 'events.ndjson', 'run.json']);
  const keep = async (artifacts: readonly StepArtifact[]): Promise<readonly string[]> => {
    for (const artifact of artifacts) files.add(artifact.path);
    return keepArtifacts(artifacts, resultsDir, storeDir);
  };
  const missing = [...(await keep(suiteArtifacts(run)))];
  const allure = createAllureWriter(path.join(resultsDir, 'allure-results'), storeDir);
  const summary = createMarkdownSummary(run);
  const laneOf = createLanes();
  await writeProjections(resultsDir, run, async function* testcases() {
    for (const each of run.finished.testcases) {
      const testcase: ReportTestcase = { summary: each, attempts: await readAttempts(job.home, run.run, each.id, names) };
      for (const record of testcase.attempts) {
        const name = `testcases/${recordFileName(record)}`;
        await writeFileQuick(path.join(resultsDir, name), jsonText(record));
        files.add(name);
        missing.push(...(await keep(artifactsOf(record))));
        places.push({ startedAt: record.startedAt, read: () => readAgain(job, each, record.attempt, names) });
      }
      for (const attempt of allureTestcase(run, testcase, laneOf(testcase.attempts))) {
        for (const name of allure.attempt(attempt)) files.add(`allure-results/${name}`);
      }
      summary.add(testcase);
      beat();
      yield testcase;
    }
  });
  for (const name of await allure.run(run)) files.add(`allure-results/${name}`);
  await writeFileQuick(path.join(resultsDir, 'summary.md'), summary.text());
  const last = await writeEvents(resultsDir, run, places, beat);
  for (const dir of ['.', 'testcases', 'allure-results']) await removeStray(path.join(resultsDir, dir));
  await writeManifest(resultsDir, run.run, files);
  await writeFileAtomic(path.join(resultsDir, 'run.json'), `${last}\n`);
  return { missing };
}

/** The two reports that are one file for all testcases grow side by side while the testcases pass by. */
async function writeProjections(resultsDir: string, run: FinishedRun, testcases: () => AsyncGenerator<ReportTestcase>): Promise<void> {
  const frame = ctrfFrame(run);
  await writeTextAtomic(path.join(resultsDir, 'junit.xml'), (junit) =>
    writeTextAtomic(path.join(resultsDir, 'ctrf.json'), async (ctrf) => {
      await junit.write(junitHead(run));
      await ctrf.write(frame.head);
      let junitBytes = 0;
      let first = true;
      for await (const testcase of testcases()) {
        const element = junitTestcase(run, testcase, junitBytes < JUNIT_BYTES);
        junitBytes += Buffer.byteLength(element);
        await junit.write(element);
        await ctrf.write(`${first ? '' : ','}${JSON.stringify(ctrfTest(run, testcase))}`);
        first = false;
      }
      await ctrf.write(frame.foot);
      await junit.write(junitFoot());
    }),
  );
}

async function readAgain(
  job: ReportJob,
  testcase: TestcaseSummary,
  attempt: number,
  names: Awaited<ReturnType<typeof listAttempts>>,
): Promise<TestcaseRecord> {
  const records = await readAttempts(job.home, job.run.run, testcase.id, names);
  const record = records.find((each) => each.attempt === attempt);
  if (!record) throw new Error(`the record of ${testcase.id}, attempt ${attempt}, went away while the reports were written`);
  return record;
}

function suiteArtifacts(run: FinishedRun): StepArtifact[] {
  return run.steps.flatMap((step) => stepArtifacts(SUITE_LEVEL.testcase, SUITE_LEVEL.attempt, step));
}

async function keepArtifacts(artifacts: readonly StepArtifact[], resultsDir: string, storeDir: string): Promise<string[]> {
  const missing: string[] = [];
  for (const artifact of artifacts) {
    const blob = blobPath(storeDir, artifact.reference);
    if (existsSync(blob)) await linkOrCopy(blob, path.join(resultsDir, artifact.path));
    else missing.push(artifact.path);
  }
  return missing;
}

/** Places in the timeline, from 1: an attempt takes the first lane that is free when it starts. Fed in written order. */
function createLanes(): (attempts: readonly TestcaseRecord[]) => number {
  const ends: number[] = [];
  return (attempts) => {
    const start = attempts[0]?.startedAt ?? 0;
    const free = ends.findIndex((end) => end <= start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = attempts.at(-1)?.finishedAt ?? start;
    return lane + 1;
  };
}
