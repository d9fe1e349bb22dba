import type { TestcaseRecord } from '../dsl/model/record.ts';
import type { Verdict } from '../dsl/model/verdict.ts';
import { isBad } from '../dsl/model/verdict.ts';
import { artifactsOf, failureOf, lastAttempt } from './report-model.ts';
import type { FailureView, FinishedRun, ReportTestcase } from './report-model.ts';
import { capText, isoTime, stripAnsi } from './text.ts';

/** CTRF (Common Test Report Format) knows no broken and no void: both are failed, with the word itself in `rawStatus`. */
const STATUS: { readonly [verdict in Verdict]: 'passed' | 'failed' | 'skipped' } = {
  passed: 'passed',
  failed: 'failed',
  broken: 'failed',
  void: 'failed',
  skipped: 'skipped',
};

/** The document around the tests, in two texts: what comes before the list and what comes behind it. */
export function ctrfFrame(run: FinishedRun): { readonly head: string; readonly foot: string } {
  const { counts } = run.finished;
  const summary = {
    tests: run.finished.testcases.length,
    passed: counts.passed,
    failed: counts.failed + counts.broken + counts.void,
    skipped: counts.skipped,
    pending: 0,
    other: 0,
    flaky: counts.flaky,
    suites: 1,
    start: run.startedAt,
    stop: run.finishedAt,
    duration: run.finished.duration_ms,
  };
  const environment = {
    reportName: run.suite,
    testEnvironment: 'onetear',
    ...(run.url === null ? {} : { buildUrl: run.url }),
    buildName: run.run,
  };
  const extra = { verdict: run.finished.verdict, recovery: run.finished.recovery, seed: run.seed, owed: run.finished.owed, counts };
  const whole = JSON.stringify({
    reportFormat: 'CTRF',
    specVersion: '0.0.0',
    runId: run.run,
    timestamp: isoTime(run.finishedAt),
    generatedBy: `onetear ${run.engine.version}`,
    results: { tool: { name: 'onetear', version: run.engine.version }, summary, environment, extra, tests: [] },
  });
  // The list is the last field, so the text behind it is always the same.
  const foot = ']}}';
  return { head: whole.slice(0, -foot.length), foot: `${foot}\n` };
}

/** One element of `results.tests`. */
export function ctrfTest(run: FinishedRun, testcase: ReportTestcase): object {
  const { summary } = testcase;
  const last = lastAttempt(testcase);
  const failure = last ? failureOf(last) : undefined;
  const earlier = testcase.attempts.slice(0, -1);
  return {
    name: summary.id,
    status: STATUS[summary.verdict],
    rawStatus: summary.verdict,
    duration: summary.duration_ms,
    suite: [run.suite],
    flaky: summary.flaky,
    retries: earlier.length,
    ...(summary.reason === null ? {} : { message: stripAnsi(summary.reason) }),
    ...(failure ? { trace: traceOf(failure) } : {}),
    ...(last && last.attempt > 0 ? { start: last.startedAt, stop: last.finishedAt } : {}),
    ...(last ? { filePath: last.file, line: last.line, tags: last.tags, parameters: last.params } : {}),
    ...(earlier.length === 0 ? {} : { retryAttempts: earlier.map(retryAttempt) }),
    ...(last && last.steps.length > 0 ? { steps: stepsOf(last) } : {}),
    ...(last && artifactsOf(last).length > 0 ? { attachments: artifactsOf(last).map(attachmentOf) } : {}),
    ...(failure && failure.stdout !== '' ? { stdout: stripAnsi(failure.stdout).split('\n') } : {}),
    ...(failure && failure.stderr !== '' ? { stderr: stripAnsi(failure.stderr).split('\n') } : {}),
  };
}

function retryAttempt(record: TestcaseRecord): object {
  return {
    attempt: Math.max(1, record.attempt),
    status: STATUS[record.verdict],
    duration: Math.max(0, record.finishedAt - record.startedAt),
    start: record.startedAt,
    stop: record.finishedAt,
    ...(record.reason === null ? {} : { message: stripAnsi(record.reason) }),
  };
}

function stepsOf(record: TestcaseRecord): object[] {
  return record.steps.slice(0, 500).map((step) => ({
    name: step.step,
    status: STATUS[step.verdict],
    extra: {
      kind: step.kind,
      phase: step.phase,
      verdict: step.verdict,
      ...(isBad(step.verdict) && step.reason ? { reason: stripAnsi(step.reason) } : {}),
    },
  }));
}

function attachmentOf(artifact: { readonly path: string; readonly node: string; readonly stream: string }): object {
  return { name: `${artifact.stream} of ${artifact.node}`, contentType: 'text/plain', path: artifact.path };
}

function traceOf(failure: FailureView): string {
  const lines = [
    ...(failure.expected === undefined ? [] : [`expected: ${failure.expected}`, `actual:   ${failure.actual ?? ''}`]),
    `at ${failure.where}`,
  ];
  return capText(stripAnsi(lines.join('\n')));
}
