import { condition, patched } from '@temporalio/workflow';
import type { CancellationScope } from '@temporalio/workflow';
import { rolesInExpression } from '../../dsl/expand/roles.ts';
import { momentOf, stepStatus } from '../../dsl/expand/step-graph.ts';
import type { StepProgress, StepStatus } from '../../dsl/expand/step-graph.ts';
import { evaluateCondition, usesStatus } from '../../dsl/expression/cel.ts';
import type { Need, PlannedStep } from '../../dsl/model/plan.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import { askRoles, roleNames } from '../step/roles.ts';
import { endPrepared } from '../step/run-command-step.ts';
import type { LiveRoles, StepOutcome } from '../step/stage.ts';
import { stageScope } from '../step/stage.ts';
import { breakStep, labelOf, runStep, skipStep } from './run-step.ts';
import type { LiveFault } from './live-fault.ts';
import type { StepState, TestcaseStage } from './testcase-stage.ts';
import { changed, createStepState } from './testcase-stage.ts';

/**
 * Runs the steps in the order of their needs. Every step is a promise that waits for its needs; nothing here uses timers, so that
 * whatever an event makes possible is scheduled in the same activation and carries the journal for nothing.
 * Rejects only with a bug of ours, after every step has ended.
 */
export async function runSteps(stage: TestcaseStage): Promise<void> {
  const { steps } = stage.graph;
  for (const step of steps) stage.steps.set(step.id, createStepState());
  const counts = { waiting: steps.length, running: 0 };
  void stage.stopped.promise.then(() => giveUpRecoveries(stage));
  void giveUpHopelessWaits(stage, counts);
  const settled = await Promise.allSettled(
    steps.map(async (step) => {
      for (const need of step.needs) await stateOf(stage, need.step)[awaitedMoment(need)].promise;
      counts.waiting--;
      counts.running++;
      try {
        finish(stage, step, await decideAndRun(stage, step));
      } catch (error) {
        // A bug of ours: what runs is cancelled, what waits is skipped, cleanup follows.
        stage.stop({ kind: 'cancel', reason: 'engine bug' });
        endMoments(stateOf(stage, step.id));
        throw error;
      } finally {
        counts.running--;
      }
    }),
  );
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
}

/** `<fault>.started` of a need is the verified effect (suite-language §8). Histories of older workers went on when the fault existed. */
function awaitedMoment(need: Need): Need['moment'] {
  return need.moment === 'started' && patched('started-is-verified') ? momentOf(need) : need.moment;
}

/**
 * A step that needs `<fault>.recovered` of a fault that only the end of the testcase undoes would wait for ever. When nothing runs and
 * no fault ends by itself, the moment never comes.
 */
async function giveUpHopelessWaits(stage: TestcaseStage, counts: { readonly waiting: number; readonly running: number }): Promise<void> {
  while (counts.waiting > 0) {
    // The first look comes at once, in the middle of things; later ones when the promises of an activation have settled.
    let looked = false;
    await condition(() => {
      const early = !looked;
      looked = true;
      return !early && (counts.waiting === 0 || (counts.running === 0 && !stage.faults.some(endsByItself)));
    });
    const finished = [...stage.steps.values()].filter((state) => state.progress.state === 'finished' && !state.recovered.settled);
    if (finished.length === 0) return;
    for (const state of finished) state.recovered.resolve();
  }
}

function giveUpRecoveries(stage: TestcaseStage): void {
  for (const state of stage.steps.values()) state.recovered.resolve();
}

/** Its end will come, or has come and is not yet known to the steps. */
function endsByItself(fault: LiveFault): boolean {
  if (fault.endNoted) return false;
  return fault.ended.settled || fault.input.durationMs !== undefined || fault.released;
}

async function decideAndRun(stage: TestcaseStage, step: PlannedStep): Promise<StepOutcome> {
  if (step.kind === 'parallel') return runStep(stage, step, false);
  const early = decideEarly(stage, step);
  const needed = early ? [] : rolesInExpression(step.if, roleNames(stage));
  let roles: LiveRoles | undefined;
  if (needed.length > 0) {
    const asked = await scopeOf(stage).run(() => askRoles(stage, { label: labelOf(stage, step), id: `${step.id}/if` }, needed));
    if (asked.kind === 'bad') return endPrepared(stage, labelOf(stage, step), Date.now(), asked.body);
    ({ roles } = asked);
  }
  const decision = early ?? decide(stage, step, roles);
  if (decision.kind === 'broken') return breakStep(stage, step, decision.error);
  if (decision.kind === 'skip') return skipStep(stage, step, decision.reason);
  stage.marks.set(`${step.id}.started`, Date.now());
  const runsAfterStop = stage.stopped.settled;
  return scopeOf(stage).run(() => runStep(stage, step, runsAfterStop));
}

/** After a stop only steps that ask for it run; they must not run in the scope that was cancelled. */
function scopeOf(stage: TestcaseStage): CancellationScope {
  return stage.stopped.settled ? stage.cleanup : stage.work;
}

type Decision =
  | { readonly kind: 'run' }
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'broken'; readonly error: unknown };

function statusOf(stage: TestcaseStage, step: PlannedStep): StepStatus {
  const progress = new Map<string, StepProgress>();
  for (const [id, state] of stage.steps) progress.set(id, state.progress);
  return stepStatus(stage.graph, step.id, progress);
}

/** What is decided without a look at the condition: nothing is asked of the cluster for a step that cannot run. */
function decideEarly(stage: TestcaseStage, step: PlannedStep): Decision | undefined {
  try {
    if (step.if !== undefined && usesStatus(step.if)) return undefined;
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    return { kind: 'broken', error };
  }
  const stop = stage.stopped.value;
  if (stop) return { kind: 'skip', reason: stop.reason };
  const status = statusOf(stage, step);
  if (!status.success) return { kind: 'skip', reason: status.blockedBy ?? 'after a step that did not pass' };
  return step.if === undefined ? { kind: 'run' } : undefined;
}

/** suite-language §8: the default is `success()`; an `if` without a status function says nothing about failures. */
function decide(stage: TestcaseStage, step: PlannedStep, roles?: LiveRoles): Decision {
  const early = decideEarly(stage, step);
  if (early || step.if === undefined) return early ?? { kind: 'run' };
  const status = statusOf(stage, step);
  const stop = stage.stopped.value;
  try {
    const holds = evaluateCondition(step.if, {
      values: stageScope(stage, undefined, roles),
      // After a stop nothing succeeds or fails any more: only always() and cancelled() hold.
      status: { success: status.success && !stop, failure: status.failure && !stop, always: true, cancelled: stop !== undefined },
    });
    return holds ? { kind: 'run' } : { kind: 'skip', reason: stop ? stop.reason : `if: ${step.if} is false` };
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    return { kind: 'broken', error };
  }
}

function finish(stage: TestcaseStage, step: PlannedStep, outcome: StepOutcome): void {
  const state = stateOf(stage, step.id);
  stage.outcomes.set(step.id, outcome);
  if (outcome.verdict !== 'skipped') stage.marks.set(`${step.id}.finished`, outcome.finishedAt);
  state.progress = { state: 'finished', verdict: outcome.verdict, moments: state.moments };
  if (isBad(outcome.verdict) && !step.continueOnError && step.kind !== 'parallel') {
    stage.causes.push({ verdict: outcome.verdict as 'failed', reason: outcome.reason ?? outcome.verdict, step: step.id });
  }
  endMoments(state);
  changed(stage);
}

/** Moments that did not come by now never will, but for the recovery of a fault that is in effect. */
function endMoments(state: StepState): void {
  state.started.resolve();
  state.verified.resolve();
  if (!state.moments.has('started')) state.recovered.resolve();
  state.finished.resolve();
}

function stateOf(stage: TestcaseStage, id: string): StepState {
  const state = stage.steps.get(id);
  if (!state) throw new Error(`step "${id}" is not in the plan`);
  return state;
}
