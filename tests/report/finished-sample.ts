import type { TestcaseRecord } from '../../dsl/model/record.ts';
import { runFinished, workflowUrl } from '../../report/event-builders.ts';
import { projectRecord, stepRecords } from '../../report/project-record.ts';
import type { FinishedRun, ReportTestcase } from '../../report/report-model.ts';
import { skippedRecord } from '../../report/skipped-record.ts';
import { runInfo, sample, sampleSuiteInput, suiteResult, T0 } from './sample-run.ts';

/** The sample run as records: what `finalizeRun` makes of its histories. */
export const records: readonly TestcaseRecord[] = [
  projectRecord(sample.good, []),
  projectRecord(sample.hostile, []),
  ...sample.flaky.map((facts) => projectRecord(facts, [])),
  projectRecord(sample.faulty, [sample.fault]),
  skippedRecord(runInfo, sampleSuiteInput.plan, suiteResult.testcases[4]!, T0 + 5500),
];

export const finishedRun: FinishedRun = {
  v: 1,
  run: runInfo.run,
  suite: runInfo.suite,
  file: 'suite.yaml',
  seed: 7,
  status: 'finished',
  startedAt: T0,
  finishedAt: suiteResult.finishedAt,
  workflowId: sample.suite.workflowId,
  results: runInfo.resultsDir,
  url: workflowUrl(runInfo, sample.suite.workflowId, sample.suite.runId),
  engine: runInfo.engine,
  steps: stepRecords(sample.suite.facts),
  finished: runFinished(suiteResult, runInfo.resultsDir),
};

export const testcases: readonly ReportTestcase[] = suiteResult.testcases.map((summary) => ({
  summary,
  attempts: records.filter((record) => record.testcase === summary.id),
}));
