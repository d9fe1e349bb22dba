import { isCancellation, sleep } from '@temporalio/workflow';
import { commandSpec } from '../../dsl/expand/command-spec.ts';
import { joinVerdict } from '../../dsl/expand/step-graph.ts';
import type { StepProgress } from '../../dsl/expand/step-graph.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { PlannedStep } from '../../dsl/model/plan.ts';
import { impossible, isSuiteError } from '../base/engine-bug.ts';
import { endUnrendered, runCommandStep } from '../step/run-command-step.ts';
import type { BodyOutcome, StepLabel, StepOutcome } from '../step/stage.ts';
import { bodyWithoutRun, cancelReason, noteFinished, noteStarted } from '../step/stage.ts';
import { owedReason, runChaosStep } from './chaos-step.ts';
import { releaseFault } from './live-fault.ts';
import type { TestcaseStage } from './testcase-stage.ts';
import { waitFor } from './wait-step.ts';

/** Runs one step whose turn it is, to its end; `runsAfterStop` = begun in answer to a stop. Rejects only with a bug of ours. */
export function runStep(stage: TestcaseStage, step: PlannedStep, runsAfterStop: boolean): Promise<StepOutcome> {
  const label = labelOf(stage, step);
  switch (step.kind) {
    case 'command':
      return runCommandStep(
        stage,
        label,
        () => commandSpec(stage.slice, step.command, { with: step.with, overrides: step.overrides, testcaseEnv: stage.slice.testcase.env }),
        {
          keepStdout: step.keepStdout,
          onTargets: (targets) => {
            const state = stage.steps.get(step.id);
            if (state) state.targets = targets;
          },
        },
      );
    case 'chaos':
      return runChaosStep(stage, label, step, runsAfterStop);
    case 'parallel':
      return Promise.resolve(joined(stage, label, step));
    case 'recover':
      return simpleStep(stage, label, () => recoverNow(stage, step.step));
    case 'wait':
      return simpleStep(stage, label, () => waitFor(stage, label, step.condition, step));
    case 'sleep':
      return simpleStep(stage, label, () => rest(stage, label, step.durationMs));
    case 'hold':
    case 'pause':
    case 'nemesis':
      return simpleStep(stage, label, () =>
        Promise.resolve(bodyWithoutRun('broken', `not supported yet: ${step.kind}, see docs/roadmap.md`)),
      );
    default:
      return impossible(step);
  }
}

/** A step whose `if` or whose predecessors keep it from running. It has an end, but no beginning. */
export function skipStep(stage: TestcaseStage, step: PlannedStep, reason: string): StepOutcome {
  return noteFinished(stage, labelOf(stage, step), [], Date.now(), bodyWithoutRun('skipped', reason));
}

/** A step whose `if` cannot be evaluated. */
export function breakStep(stage: TestcaseStage, step: PlannedStep, error: unknown): StepOutcome {
  return endUnrendered(stage, labelOf(stage, step), Date.now(), error);
}

async function simpleStep(stage: TestcaseStage, label: StepLabel, body: () => Promise<BodyOutcome>): Promise<StepOutcome> {
  const startedAt = Date.now();
  noteStarted(stage, label, [], startedAt);
  try {
    return noteFinished(stage, label, [], startedAt, await body());
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    return noteFinished(stage, label, [], startedAt, bodyWithoutRun('broken', error.message));
  }
}

async function rest(stage: TestcaseStage, label: StepLabel, durationMs: number): Promise<BodyOutcome> {
  try {
    await sleep(durationMs, { summary: label.title });
    return bodyWithoutRun('passed');
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return bodyWithoutRun('broken', cancelReason(stage));
  }
}

/** `recover: <step>`: now, and wait for it. A cancel does not cut it short: the recovery is under way and bounded by its `within`. */
async function recoverNow(stage: TestcaseStage, step: string): Promise<BodyOutcome> {
  const fault = stage.faults.find((candidate) => candidate.input.step === step);
  if (!fault) return bodyWithoutRun('skipped', `"${step}" injected nothing`);
  await stage.cleanup.run(() => releaseFault(fault, 'recover step'));
  const end = await fault.ended.promise;
  return end.owed.length === 0 ? bodyWithoutRun('passed') : bodyWithoutRun('broken', end.reason ?? owedReason(fault));
}

/** The join behind a `parallel` block is no step of its own in reports: its steps are there. */
function joined(stage: TestcaseStage, label: StepLabel, step: PlannedStep): StepOutcome {
  const progress = new Map<string, StepProgress>();
  for (const [id, state] of stage.steps) progress.set(id, state.progress);
  const children = step.needs.map((need) => stage.outcomes.get(need.step)).filter((outcome) => outcome !== undefined);
  const now = Date.now();
  const verdict = joinVerdict(stage.graph, step.id, progress);
  const first = children.find((child) => child.verdict === verdict);
  return {
    step: label.step,
    kind: label.kind,
    name: label.name,
    title: label.title,
    phase: label.phase,
    verdict,
    ...(first?.reason !== undefined && { reason: first.reason }),
    tries: 0,
    cached: false,
    startedAt: Math.min(now, ...children.map((child) => child.startedAt)),
    finishedAt: now,
    nodes: [],
    results: [],
    outputs: {},
    continueOnError: label.continueOnError,
    activities: [],
    checks: [],
    location: step.location,
  };
}

/** What a step is called. */
export function labelOf(stage: TestcaseStage, step: PlannedStep): StepLabel {
  return {
    step: step.id,
    kind: step.kind,
    phase: 'steps',
    ...nameOf(stage, step),
    continueOnError: step.continueOnError,
    location: step.location,
  };
}

/** Name (of a definition) and title (for people) of a step; what cannot be made out here becomes broken when it runs. */
function nameOf(stage: TestcaseStage, step: PlannedStep): { readonly name: string; readonly title: string } {
  switch (step.kind) {
    case 'command': {
      try {
        const { name, title } = commandSpec(stage.slice, step.command, { with: step.with, overrides: step.overrides });
        return { name, title };
      } catch (error) {
        if (!isSuiteError(error)) throw error;
        return { name: step.id, title: step.id };
      }
    }
    case 'chaos': {
      const definitions = stage.slice.definitions.chaos;
      const definition = Object.hasOwn(definitions, step.chaos) ? definitions[step.chaos] : undefined;
      return { name: step.chaos, title: definition?.description ?? step.chaos };
    }
    case 'recover':
      return { name: step.step, title: `recover ${step.step}` };
    case 'sleep':
      return { name: 'sleep', title: `sleep ${formatDuration(step.durationMs)}` };
    case 'wait':
      return { name: 'wait', title: `wait at most ${formatDuration(step.withinMs)}` };
    case 'parallel':
    case 'hold':
    case 'pause':
    case 'nemesis':
      return { name: step.kind, title: step.kind };
    default:
      return impossible(step);
  }
}
