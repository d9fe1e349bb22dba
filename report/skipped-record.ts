import type { Plan } from '../dsl/model/plan.ts';
import type { TestcaseRecord } from '../dsl/model/record.ts';
import type { TestcaseSummary } from '../dsl/model/result.ts';
import type { RunInfo } from '../dsl/model/workflow-io.ts';

/** The record of a testcase that never started: attempt 0, no steps; so that every report names every testcase of the run. */
export function skippedRecord(run: RunInfo, plan: Plan, summary: TestcaseSummary, at: number): TestcaseRecord {
  const cell = plan.cells.find((each) => each.id === summary.id);
  const testcase = plan.testcases.find((each) => each.name === cell?.testcase);
  return {
    v: 1,
    run: run.run,
    suite: run.suite,
    testcase: summary.id,
    name: cell?.testcase ?? summary.id,
    ...(testcase?.description === undefined ? {} : { description: testcase.description }),
    params: cell?.params ?? {},
    axes: cell?.axes ?? (cell && cell.id !== cell.testcase ? Object.keys(cell.params) : []),
    tags: testcase?.tags ?? [],
    file: testcase?.location.file ?? plan.suite.file,
    line: testcase?.location.line ?? 1,
    attempt: 0,
    ...(run.iteration === undefined ? {} : { iteration: run.iteration }),
    workflowId: '',
    workflowRunId: '',
    verdict: summary.verdict,
    reason: summary.reason,
    flaky: false,
    step: null,
    recovery: 'clean',
    startedAt: at,
    finishedAt: at,
    steps: [],
    faults: [],
  };
}
