import { ChildWorkflowCancellationType, isCancellation, ParentClosePolicy, startChild } from '@temporalio/workflow';
import type { Cell } from '../../dsl/model/plan.ts';
import type { OwedFault, TestcaseSummary } from '../../dsl/model/result.ts';
import { SIGNAL, WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { ShardInput, ShardResult } from '../../dsl/model/workflow-io.ts';
import { engineBugWith, failureLine } from '../base/engine-bug.ts';
import { shardWorkflowId } from '../base/ids.ts';
import { childAttributes } from '../base/search-attributes.ts';
import type { CellsContext, CellsOutcome } from './run-cells.ts';
import { endedTestcases, runCells } from './run-cells.ts';

/** Cells of one shard, and the most that a suite runs without shards: nine events each stay well under 4,096 (P5). */
export const SHARD_SIZE = 100;

/** Runs a large suite as shards of {@link SHARD_SIZE} cells, one after another. */
export async function runShards(context: CellsContext): Promise<CellsOutcome> {
  const { plan } = context;
  const testcases: TestcaseSummary[] = [];
  const owed: OwedFault[] = [];
  const bugs: unknown[] = [];
  let stopped = false;
  for (let index = 0; index * SHARD_SIZE < plan.cells.length; index++) {
    const cells = plan.cells.slice(index * SHARD_SIZE, (index + 1) * SHARD_SIZE);
    const outcome = await runShard(context, cells, index + 1, { stopped, ended: endedTestcases(plan, testcases) });
    for (const summary of outcome.testcases) context.progress.ended(summary);
    testcases.push(...outcome.testcases);
    owed.push(...outcome.owed);
    bugs.push(...outcome.bugs);
    stopped ||= outcome.stopped;
  }
  return { testcases, owed, stopped, bugs };
}

async function runShard(
  context: CellsContext,
  cells: readonly Cell[],
  index: number,
  earlier: { readonly stopped: boolean; readonly ended: ShardInput['ended'] & object },
): Promise<CellsOutcome> {
  const { run, plan, incarnations, broken, skipped } = context;
  const names = new Set(cells.map((cell) => cell.testcase));
  // A stopped run starts no more children: the rest is skipped here.
  if (context.stopped.settled) return runCells({ ...context, progress: SILENT }, cells, earlier);
  const input: ShardInput = {
    v: 1,
    run,
    // Only its own testcases: a hundred copies of a large plan would not fit into the suite's history.
    plan: { ...plan, cells, testcases: plan.testcases.filter((testcase) => names.has(testcase.name)) },
    index,
    stopped: earlier.stopped,
    incarnations,
    ended: earlier.ended,
    ...(broken !== undefined && { broken }),
    ...(skipped !== undefined && { skipped }),
  };
  try {
    const handle = await context.children.run(() =>
      startChild<(input: ShardInput) => Promise<ShardResult>>(WORKFLOW.shard, {
        workflowId: shardWorkflowId(run, index),
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        workflowTaskTimeout: 5_000,
        staticSummary: `testcases ${(index - 1) * SHARD_SIZE + 1} to ${(index - 1) * SHARD_SIZE + cells.length}`,
        typedSearchAttributes: childAttributes(run),
      }),
    );
    void context.stopped.promise.then(async (stop) => {
      if (stop.kind !== 'timeout') return;
      try {
        await handle.signal(SIGNAL.cancelTestcase, { reason: stop.reason });
      } catch (error) {
        // It has ended in the same moment; its result is on the way.
        failureLine(error);
      }
    });
    const result = await handle.result();
    return { ...result, bugs: result.bug === undefined ? [] : [engineBugWith(result.bug)] };
  } catch (error) {
    if (isCancellation(error)) return runCells({ ...context, progress: SILENT }, cells, earlier);
    return { testcases: cells.map((cell) => lostCell(cell, failureLine(error))), owed: [], stopped: true, bugs: [error] };
  }
}

const SILENT = { started: () => undefined, ended: () => undefined };

function lostCell(cell: Cell, reason: string): TestcaseSummary {
  return { id: cell.id, verdict: 'broken', flaky: false, attempts: 0, reason, duration_ms: 0 };
}
