import {
  ApplicationFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  isCancellation,
  ParentClosePolicy,
  sleep,
  startChild,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { Cell, PlannedTestcase, PlanSlice } from '../../dsl/model/plan.ts';
import type { OwedFault, TestcaseResult } from '../../dsl/model/result.ts';
import type { RetryPolicy } from '../../dsl/model/suite.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { FAILURE, SIGNAL, WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { TestcaseInput } from '../../dsl/model/workflow-io.ts';
import { failureLine, findEngineBug } from '../base/engine-bug.ts';
import { faultId, testcaseWorkflowId } from '../base/ids.ts';
import { childAttributes } from '../base/search-attributes.ts';
import type { CellsContext } from './run-cells.ts';

type TestcaseWorkflow = (input: TestcaseInput) => Promise<TestcaseResult>;

export type CellOutcome =
  | { readonly kind: 'not_started' }
  | {
      readonly kind: 'ended';
      readonly result: TestcaseResult;
      /** Of the first attempt, epoch ms. */
      readonly startedAt: number;
      readonly bug?: unknown;
    };

/**
 * One cell with all its attempts, each a child workflow. A next attempt starts only after the one before is closed, which is after its
 * recovery and its `after` hooks; never after a cancel or while recovery is owed.
 */
export async function runTestcaseChild(
  context: CellsContext,
  cell: Cell,
  testcase: PlannedTestcase,
  slice: PlanSlice,
): Promise<CellOutcome> {
  let last: { readonly result: TestcaseResult; readonly bug?: unknown } | undefined;
  let startedAt = Date.now();
  for (let attempt = 1; attempt <= testcase.retry.max + 1; attempt++) {
    const handle = await startAttempt(context, cell, testcase, slice, attempt);
    if (!handle) break;
    context.progress.started(cell.id, handle.workflowId);
    const outcome = await endOf(context, cell, testcase, attempt, handle);
    if (attempt === 1) startedAt = outcome.result.startedAt;
    last = outcome;
    context.finalizer.add({ id: cell.id, attempt, workflowId: handle.workflowId, runId: handle.firstExecutionRunId });
    const { result } = outcome;
    if (!isBad(result.verdict) || result.cancelled || result.recovery === 'owed' || outcome.bug !== undefined) break;
    if (attempt > testcase.retry.max || context.stopped.settled || !(await pause(context, testcase.retry, attempt))) break;
  }
  return last ? { kind: 'ended', startedAt, ...last } : { kind: 'not_started' };
}

/** `undefined` when the work was cancelled before the child came to be. */
async function startAttempt(
  context: CellsContext,
  cell: Cell,
  testcase: PlannedTestcase,
  slice: PlanSlice,
  attempt: number,
): Promise<ChildWorkflowHandle<TestcaseWorkflow> | undefined> {
  const { run, broken, incarnations } = context;
  const title = testcase.description ?? cell.id;
  try {
    return await context.children.run(() =>
      startChild<TestcaseWorkflow>(WORKFLOW.testcase, {
        workflowId: testcaseWorkflowId(run, cell.id, attempt),
        args: [{ v: 1, run, slice, cell, attempt, incarnations, ...(broken !== undefined && { broken }) }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        workflowTaskTimeout: 5_000,
        staticSummary: title.slice(0, 200),
        memo: { title },
        typedSearchAttributes: childAttributes(run, cell.id, testcase.tags),
      }),
    );
  } catch (error) {
    if (isCancellation(error)) return undefined;
    throw error;
  }
}

async function endOf(
  context: CellsContext,
  cell: Cell,
  testcase: PlannedTestcase,
  attempt: number,
  handle: ChildWorkflowHandle<TestcaseWorkflow>,
): Promise<{ readonly result: TestcaseResult; readonly bug?: unknown }> {
  const startedAt = Date.now();
  // A timeout of the suite is told with its reason; a cancel reaches the child through the scope it was started in.
  void context.stopped.promise.then((stop) => (stop.kind === 'timeout' ? tellStop(handle, stop.reason) : undefined));
  try {
    return { result: withoutJournal(await handle.result()) };
  } catch (error) {
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure && cause.type === FAILURE.testFailed) {
      const [result] = (cause.details ?? []) as TestcaseResult[];
      if (result) return { result: withoutJournal(result) };
    }
    const bug = findEngineBug(error);
    const result: TestcaseResult = {
      id: cell.id,
      attempt,
      verdict: 'broken',
      reason: bug ? bug.message : `its workflow has ended: ${failureLine(error)}`,
      flaky: false,
      recovery: 'clean',
      owed: [],
      startedAt,
      finishedAt: Date.now(),
      cancelled: context.stopped.settled,
      journal: [],
    };
    // Its faults undo themselves, but nobody has told us that they did.
    const owed = testcase.steps.flatMap((step): OwedFault[] =>
      step.kind === 'chaos' ? [{ fault: faultId(context.run, cell.id, attempt, step.id), node: '*', undo: 'onetear recover' }] : [],
    );
    return { result: owed.length === 0 || bug ? result : { ...result, recovery: 'owed', owed }, ...(bug && { bug }) };
  }
}

/** The child may have ended in the same moment; then there is nothing to stop. */
async function tellStop(handle: ChildWorkflowHandle<TestcaseWorkflow>, reason: string): Promise<void> {
  try {
    await handle.signal(SIGNAL.cancelTestcase, { reason });
  } catch (error) {
    failureLine(error);
  }
}

/** Waits before the next attempt; false when the run was stopped meanwhile. */
async function pause(context: CellsContext, retry: RetryPolicy, attempt: number): Promise<boolean> {
  const delayMs = Math.min(retry.delayMs * retry.backoff ** (attempt - 1), retry.maxDelayMs);
  if (delayMs <= 0) return true;
  try {
    await context.work.run(() => sleep(delayMs, { summary: `before the next attempt, ${formatDuration(delayMs)}` }));
    return !context.stopped.settled;
  } catch (error) {
    if (isCancellation(error)) return false;
    throw error;
  }
}

/** What the suite keeps of a testcase: its journal stands in its own history. */
function withoutJournal(result: TestcaseResult): TestcaseResult {
  return { ...result, journal: [] };
}
