import type { Need, PlannedStep } from '../model/plan.ts';
import { isBad } from '../model/verdict.ts';
import type { Verdict } from '../model/verdict.ts';

/**
 * The order of steps (suite-language §8) as pure functions: what `success()` and `failure()` are for each.
 * The workflow keeps the progress and does the waiting.
 */
export interface StepGraph {
  readonly steps: readonly PlannedStep[];
  readonly byId: ReadonlyMap<string, PlannedStep>;
  /** Every step this one comes after, directly or through others; written order. */
  ancestors(id: string): readonly string[];
}

/** What is known of one step; a step without an entry is waiting. */
export interface StepProgress {
  readonly state: 'running' | 'finished';
  /** Present when finished; a step whose `if` was false is `skipped`. */
  readonly verdict?: Verdict;
  /** Moments of a chaos step that have come, also while it still runs. */
  readonly moments?: ReadonlySet<Exclude<Need['moment'], 'finished'>>;
}

export type Progress = ReadonlyMap<string, StepProgress>;

/** Status functions of `if`, and why `success()` is false. */
export interface StepStatus {
  readonly success: boolean;
  readonly failure: boolean;
  /** For the report of a skipped step, e.g. `after "kill", which failed`. */
  readonly blockedBy?: string;
}

/** Builds the graph. The plan's needs are checked and free of cycles; a need of an unknown step throws. */
export function stepGraph(steps: readonly PlannedStep[]): StepGraph {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const order = new Map(steps.map((step, index) => [step.id, index]));
  const memo = new Map<string, readonly string[]>();
  const ancestors = (id: string): readonly string[] => {
    const known = memo.get(id);
    if (known) return known;
    // Iterative: a testcase of thousands of serial steps must not overflow the stack.
    const seen = new Set<string>();
    const open = [id];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const need of byId.get(next)?.needs ?? []) {
        if (!seen.has(need.step)) {
          seen.add(need.step);
          open.push(need.step);
        }
      }
    }
    const found = [...seen].sort((a, b) => (order.get(a) as number) - (order.get(b) as number));
    memo.set(id, found);
    return found;
  };
  for (const step of steps) {
    for (const need of step.needs)
      if (!byId.has(need.step)) throw new Error(`step "${step.id}" needs "${need.step}", which is not in the plan`);
  }
  return { steps, byId, ancestors };
}

/** The moment a need waits for: `a.started` of a fault means that its effect is verified. */
export function momentOf(need: Need): Need['moment'] {
  return need.moment === 'started' ? 'verified' : need.moment;
}

/**
 * `success()` and `failure()` of a step now. A bad verdict of a step with `continue_on_error` counts for neither. A moment that never came
 * (the chaos was skipped) makes `success()` false: a step that relies on a fault must not run without it.
 * An `if` that calls no status function (usesStatus of dsl/expression/cel.ts) has `success() &&` before it: `if: params.x == 1` says nothing
 * about failures, so the step is still skipped after one.
 */
export function stepStatus(graph: StepGraph, id: string, progress: Progress): StepStatus {
  const failed = badAncestor(graph, id, progress);
  if (failed !== undefined) {
    return { success: false, failure: true, blockedBy: `after "${failed}", which ${phrase(progress.get(failed)?.verdict as Verdict)}` };
  }
  const missed = graph.byId.get(id)?.needs.find((need) => {
    const moment = momentOf(need);
    return moment !== 'finished' && !progress.get(need.step)?.moments?.has(moment);
  });
  if (missed && progress.get(missed.step)?.state === 'finished') {
    return { success: false, failure: false, blockedBy: `"${missed.step}.${missed.moment}" never came` };
  }
  return { success: true, failure: false };
}

/** The first written one: what went wrong first explains the rest. */
function badAncestor(graph: StepGraph, id: string, progress: Progress): string | undefined {
  const { byId } = graph;
  return graph.ancestors(id).find((ancestor) => {
    const known = progress.get(ancestor);
    const step = byId.get(ancestor) as PlannedStep;
    return (
      known?.state === 'finished' &&
      known.verdict !== undefined &&
      isBad(known.verdict) &&
      !step.continueOnError &&
      step.kind !== 'parallel'
    );
  });
}

function phrase(verdict: Verdict): string {
  return verdict === 'failed' ? 'failed' : `was ${verdict}`;
}

/** Verdict of the join behind a `parallel` block: the worst of its steps that is not excused by `continue_on_error`. */
export function joinVerdict(graph: StepGraph, id: string, progress: Progress): Verdict {
  const children = (graph.byId.get(id) as PlannedStep).needs.map((need) => need.step);
  const order: readonly Verdict[] = ['failed', 'broken', 'void', 'passed'];
  const counted = children.map((child) => {
    const verdict = progress.get(child)?.verdict ?? 'skipped';
    return isBad(verdict) && graph.byId.get(child)?.continueOnError ? 'passed' : verdict;
  });
  return order.find((verdict) => counted.includes(verdict)) ?? 'skipped';
}
