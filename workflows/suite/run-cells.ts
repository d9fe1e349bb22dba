import type { CancellationScope } from '@temporalio/workflow';
import { slicePlan } from '../../dsl/expand/slice-plan.ts';
import type { JournalEntry } from '../../dsl/model/journal.ts';
import type { Cell, Plan, PlannedTestcase } from '../../dsl/model/plan.ts';
import type { OwedFault, TestcaseResult, TestcaseSummary } from '../../dsl/model/result.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';
import type { Incarnations, RunInfo } from '../../dsl/model/workflow-io.ts';
import type { Deferred } from '../base/deferred.ts';
import { createDeferred } from '../base/deferred.ts';
import type { Journal } from '../base/journal.ts';
import type { Stop } from '../step/stage.ts';
import type { Finalizer } from './finalizer.ts';
import type { Progress } from './progress.ts';
import { runTestcaseChild } from './testcase-child.ts';

/** What the suite and its shards share to run cells. */
export interface CellsContext {
  readonly run: RunInfo;
  readonly plan: Plan;
  readonly journal: Journal;
  readonly finalizer: Finalizer;
  readonly progress: Progress;
  readonly incarnations: Incarnations;
  /** Pauses between attempts: cancelled by every stop. */
  readonly work: CancellationScope;
  /** Children are started in it; cancelled by a cancel alone, because a timeout is told by a signal with its reason. */
  readonly children: CancellationScope;
  readonly stopped: Deferred<Stop>;
  /** The suite's `before` failed: every testcase is broken with this reason. */
  readonly broken?: string;
  /** A requirement of the suite is not met: every testcase is skipped with this reason. */
  readonly skipped?: string;
}

export interface CellsOutcome {
  /** In the order of the given cells. */
  readonly testcases: readonly TestcaseSummary[];
  readonly owed: readonly OwedFault[];
  /** fail_fast has acted. */
  readonly stopped: boolean;
  /** Bugs of ours met in children; the run ends with exit 3. */
  readonly bugs: readonly unknown[];
}

/** How far the testcases of earlier shards got. */
export interface Earlier {
  readonly stopped: boolean;
  readonly ended: { readonly [testcase: string]: Verdict };
}

/**
 * Runs cells as child workflows: in written order, at most `max_parallel` at a time, each after the testcases it needs.
 * Resolves when all have ended; a stop cancels what runs (through the work scope or a signal) and skips the rest.
 */
export async function runCells(context: CellsContext, cells: readonly Cell[], earlier: Earlier): Promise<CellsOutcome> {
  const { plan, stopped } = context;
  const testcases = new Map(plan.testcases.map((testcase) => [testcase.name, testcase]));
  const summaries = new Map<string, TestcaseSummary>();
  const owed: OwedFault[] = [];
  const bugs: unknown[] = [];
  const waiting = [...cells];
  const needs = createNeeds(cells, earlier.ended);
  let running = 0;
  let failedFast = earlier.stopped;
  let change = createDeferred<void>();

  const end = (cell: Cell, summary: TestcaseSummary): void => {
    summaries.set(cell.id, summary);
    needs.ended(cell, summary.verdict);
    context.progress.ended(summary);
    if (plan.strategy.failFast && isBad(summary.verdict)) failedFast = true;
  };
  const skip = (cell: Cell, reason: string): void => {
    context.journal.add(skippedEntry(cell, reason));
    end(cell, { id: cell.id, verdict: 'skipped', flaky: false, attempts: 0, reason, duration_ms: 0 });
  };
  const start = async (cell: Cell, testcase: PlannedTestcase): Promise<void> => {
    running++;
    try {
      const outcome = await runTestcaseChild(context, cell, testcase, slicePlan(plan, testcase.name));
      if (outcome.kind === 'not_started') skip(cell, stopped.value?.reason ?? 'cancelled');
      else {
        owed.push(...outcome.result.owed);
        if (outcome.bug !== undefined) bugs.push(outcome.bug);
        end(cell, summaryOf(outcome.result, outcome.startedAt));
      }
    } catch (error) {
      bugs.push(error);
      end(cell, { id: cell.id, verdict: 'broken', flaky: false, attempts: 1, reason: 'engine bug', duration_ms: 0 });
    } finally {
      running--;
      const changed = change;
      change = createDeferred();
      changed.resolve();
    }
  };

  /** One look at what waits: skips and starts what can be. False when nothing changed. */
  const advance = (): boolean => {
    let moved = false;
    for (let index = 0; index < waiting.length;) {
      const cell = waiting[index] as Cell;
      const testcase = testcases.get(cell.testcase) as PlannedTestcase;
      const reason =
        stopped.value?.reason ?? context.skipped ?? (failedFast ? 'fail_fast: a testcase before it did not pass' : needs.unmet(testcase));
      if (reason === undefined && running >= plan.strategy.maxParallel) break;
      if (reason === undefined && needs.waiting(testcase)) {
        // Only a testcase that waits for another one lets later ones pass.
        index++;
        continue;
      }
      waiting.splice(index, 1);
      moved = true;
      if (reason === undefined) void start(cell, testcase);
      else skip(cell, reason);
    }
    return moved;
  };

  const isOver = (): boolean => waiting.length === 0 && running === 0;
  while (!isOver()) {
    const moved = advance();
    if (running > 0) await Promise.race([change.promise, ...(stopped.settled ? [] : [stopped.promise])]);
    else if (!moved) for (const cell of waiting.splice(0)) skip(cell, 'needs a testcase that cannot run before it');
  }
  return { testcases: cells.map((cell) => summaries.get(cell.id) as TestcaseSummary), owed, stopped: failedFast, bugs };
}

/** `needs` between testcases: all cells of the needed testcase must have passed. */
function createNeeds(cells: readonly Cell[], earlier: { readonly [testcase: string]: Verdict }) {
  const open = new Map<string, number>();
  for (const cell of cells) open.set(cell.testcase, (open.get(cell.testcase) ?? 0) + 1);
  const verdicts = new Map<string, Verdict[]>(Object.entries(earlier).map(([name, verdict]) => [name, [verdict]]));
  return {
    ended(cell: Cell, verdict: Verdict): void {
      open.set(cell.testcase, (open.get(cell.testcase) ?? 1) - 1);
      verdicts.set(cell.testcase, [...(verdicts.get(cell.testcase) ?? []), verdict]);
    },
    waiting: (testcase: PlannedTestcase): boolean => testcase.needs.some((name) => (open.get(name) ?? 0) > 0),
    unmet(testcase: PlannedTestcase): string | undefined {
      for (const name of testcase.needs) {
        const known = verdicts.get(name) ?? [];
        const bad = known.find((verdict) => verdict !== 'passed');
        if (bad !== undefined) return `needs ${name}, which ${bad === 'failed' ? 'failed' : `was ${bad}`}`;
        if (known.length === 0 && (open.get(name) ?? 0) === 0) return `needs ${name}, which is not part of this run`;
      }
      return undefined;
    },
  };
}

function summaryOf(result: TestcaseResult, startedAt: number): TestcaseSummary {
  return {
    id: result.id,
    verdict: result.verdict,
    flaky: result.flaky,
    attempts: result.attempt,
    reason: result.reason ?? null,
    duration_ms: result.finishedAt - startedAt,
  };
}

function skippedEntry(cell: Cell, reason: string): JournalEntry {
  return { type: 'testcase_skipped', at: Date.now(), testcase: cell.id, verdict: 'skipped', reason };
}

/** Verdict per testcase name, `passed` only when all its cells passed; for the shards after this one. */
export function endedTestcases(plan: Plan, summaries: readonly TestcaseSummary[]): { readonly [testcase: string]: Verdict } {
  const names = new Map(plan.cells.map((cell) => [cell.id, cell.testcase]));
  const verdicts = new Map<string, Verdict>();
  for (const { id, verdict } of summaries) {
    const name = names.get(id) as string;
    const known = verdicts.get(name);
    if (known === undefined || known === 'passed') verdicts.set(name, verdict);
  }
  return Object.fromEntries(verdicts);
}
