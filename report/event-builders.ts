import type { NodeEventResult, RunEvent, RunFinished, StepEventFields } from '../dsl/model/events.ts';
import type { JournalEntry } from '../dsl/model/journal.ts';
import type { Check } from '../dsl/model/matcher.ts';
import type { TestcaseRecord, StepRecord } from '../dsl/model/record.ts';
import type { FaultState, NodeResult, StreamExcerpt, SuiteResult } from '../dsl/model/result.ts';
import type { SuiteInput, TestcaseInput } from '../dsl/model/workflow-io.ts';
import { stepArtifacts } from './artifact-path.ts';
import { exitCode } from './exit-code.ts';
import type { FinishedRun } from './report-model.ts';
import { capStart, capText, isoTime } from './text.ts';

/**
 * The lines of suite-language §13, each built in one place: the live projection of histories and the projection of records use
 * the same builders, so both say the same.
 */

const REASON_BYTES = 2048;
const TITLE_BYTES = 1024;
/** Of one step; a fan-out over many nodes repeats the same conditions. */
const MAX_CHECKS = 200;

/** Testcase id and attempt that the steps of a suite's own hooks carry. */
export const SUITE_LEVEL = { testcase: '', attempt: 0 } as const;

export interface AttemptName {
  readonly testcase: string;
  readonly attempt: number;
}

export function runStartedEvent(input: SuiteInput, workflowId: string, runId: string, startedAt: number): RunEvent {
  return {
    type: 'run_started',
    ts: isoTime(startedAt),
    suite: input.plan.suite.name,
    file: input.plan.suite.file,
    seed: input.plan.seed,
    total: input.plan.cells.length,
    workflow_id: workflowId,
    url: workflowUrl(input.run, workflowId, runId),
    results: input.run.resultsDir,
  };
}

/** Link to a workflow in Temporal's Web UI; `null` when no UI is known. */
export function workflowUrl(run: SuiteInput['run'], workflowId: string, runId: string): string | null {
  if (run.ui === undefined) return null;
  const base = run.ui.replace(/\/+$/u, '');
  return `${base}/namespaces/${encodeURIComponent(run.namespace)}/workflows/${encodeURIComponent(workflowId)}/${encodeURIComponent(runId)}/history`;
}

export function testcaseStartedEvent(input: TestcaseInput, workflowId: string, startedAt: number): RunEvent {
  return {
    type: 'testcase_started',
    ts: isoTime(startedAt),
    testcase: input.cell.id,
    name: input.cell.testcase,
    params: input.cell.params,
    tags: input.slice.testcase.tags,
    attempt: input.attempt,
    workflow_id: workflowId,
  };
}

export function testcaseStartedFromRecord(record: TestcaseRecord): RunEvent {
  return {
    type: 'testcase_started',
    ts: isoTime(record.startedAt),
    testcase: record.testcase,
    name: record.name,
    params: record.params,
    tags: record.tags,
    attempt: record.attempt,
    workflow_id: record.workflowId,
  };
}

export function testcaseFinishedEvent(record: TestcaseRecord): RunEvent {
  return {
    type: 'testcase_finished',
    ts: isoTime(record.finishedAt),
    testcase: record.testcase,
    verdict: record.verdict,
    reason: reasonText(record.reason),
    flaky: record.flaky,
    attempt: record.attempt,
    step: record.step,
    recovery: record.recovery,
    duration_ms: Math.max(0, record.finishedAt - record.startedAt),
  };
}

/** A testcase that never started: attempt 0. */
export function testcaseNotStartedEvent(skipped: {
  readonly testcase: string;
  readonly verdict: SuiteResult['verdict'];
  readonly reason: string | null;
  readonly at: number;
}): RunEvent {
  return {
    type: 'testcase_finished',
    ts: isoTime(skipped.at),
    testcase: skipped.testcase,
    verdict: skipped.verdict,
    reason: reasonText(skipped.reason),
    flaky: false,
    attempt: 0,
    step: null,
    recovery: 'clean',
    duration_ms: 0,
  };
}

export function stepStartedEvent(name: AttemptName, entry: Extract<JournalEntry, { type: 'step_started' }>): RunEvent {
  return { type: 'step_started', ts: isoTime(entry.at), ...stepFields(name, entry) };
}

/** The start of a step that is known from its end only. */
export function stepStartedFromRecord(name: AttemptName, step: StepRecord): RunEvent {
  return { type: 'step_started', ts: isoTime(step.startedAt), ...stepFields(name, step) };
}

export function stepFinishedEvent(name: AttemptName, step: StepRecord): RunEvent {
  const artifacts = new Map<string, string>();
  // Standard output comes first; where both streams are cut its file is the one named, the other lies beside it.
  for (const artifact of stepArtifacts(name.testcase, name.attempt, step)) {
    if (!artifacts.has(artifact.node)) artifacts.set(artifact.node, artifact.path);
  }
  return {
    type: 'step_finished',
    ts: isoTime(step.finishedAt),
    ...stepFields(name, step),
    verdict: step.verdict,
    reason: reasonText(step.reason),
    tries: step.tries,
    cached: step.cached,
    duration_ms: Math.max(0, step.finishedAt - step.startedAt),
    outputs: step.outputs,
    results: step.results.map((result) => nodeEventResult(result, artifacts.get(result.node) ?? null)),
    checks: stepChecks(step),
  };
}

/** Checks of all nodes in node order, then those of the workflow. */
export function stepChecks(step: StepRecord): readonly Check[] {
  return [...step.results.flatMap((result) => result.checks), ...(step.checks ?? [])].slice(0, MAX_CHECKS);
}

function nodeEventResult(result: NodeResult, artifact: string | null): NodeEventResult {
  return {
    node: result.node,
    exit_code: result.exitCode,
    signal: result.signal ?? null,
    stdout: excerptText(result.stdout),
    stderr: excerptText(result.stderr),
    stdout_bytes: result.stdout.bytes,
    stderr_bytes: result.stderr.bytes,
    truncated: result.stdout.truncated || result.stderr.truncated,
    artifact,
    duration_ms: result.durationMs,
    verdict: result.verdict,
    reason: reasonText(result.reason),
  };
}

/** An output as every sink shows it: at most 8 KiB of valid UTF-8. */
export function excerptText(excerpt: StreamExcerpt): string {
  return capText(excerpt.text, undefined, excerpt.bytes);
}

export interface FaultMoment {
  readonly step: string;
  readonly name: string;
  readonly node: string;
  readonly id: string;
  readonly state: FaultState;
  readonly at: number;
  readonly reason?: string | undefined;
  readonly undo?: string | undefined;
}

export function faultEvent(testcase: string, fault: FaultMoment): RunEvent {
  return {
    type: 'fault',
    ts: isoTime(fault.at),
    testcase,
    step: fault.step,
    name: fault.name,
    node: fault.node,
    id: fault.id,
    state: fault.state,
    reason: reasonText(fault.reason),
    undo: fault.undo ? capStart(fault.undo, 8192) : null,
  };
}

export function runFinished(result: Omit<SuiteResult, 'journal'>, resultsDir: string): RunFinished {
  return {
    verdict: result.verdict,
    recovery: result.recovery,
    exit: exitCode(result),
    duration_ms: Math.max(0, result.finishedAt - result.startedAt),
    counts: result.counts,
    testcases: result.testcases,
    owed: result.owed,
    ...(result.iterations === undefined ? {} : { iterations: result.iterations }),
    results: resultsDir,
  };
}

export function runFinishedEvent(result: Omit<SuiteResult, 'journal'>, resultsDir: string): RunEvent {
  return { type: 'run_finished', ts: isoTime(result.finishedAt), ...runFinished(result, resultsDir) };
}

function stepFields(name: AttemptName, step: Omit<StepEventFields, 'testcase' | 'attempt'>): StepEventFields {
  return {
    testcase: name.testcase,
    attempt: name.attempt,
    step: step.step,
    kind: step.kind,
    name: step.name,
    title: capStart(step.title, TITLE_BYTES),
    phase: step.phase,
    nodes: step.nodes,
  };
}

function reasonText(reason: string | null | undefined): string | null {
  return reason === null || reason === undefined || reason === '' ? null : capStart(reason, REASON_BYTES);
}

/** The first line of a stream, from the run's record. */
export function runStartedFromRecord(run: FinishedRun): RunEvent {
  const { suite, file, seed, workflowId, url, results } = run;
  return {
    type: 'run_started',
    ts: isoTime(run.startedAt),
    suite,
    file,
    seed,
    total: run.finished.testcases.length,
    workflow_id: workflowId,
    url,
    results,
  };
}

export function runFinishedFromRecord(run: FinishedRun): RunEvent {
  return { type: 'run_finished', ts: isoTime(run.finishedAt), ...run.finished };
}
