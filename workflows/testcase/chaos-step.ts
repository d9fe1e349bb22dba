import { patched } from '@temporalio/workflow';
import { chaosSpec } from '../../dsl/expand/chaos-spec.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { ChaosSpec, PlannedStep } from '../../dsl/model/plan.ts';
import type { FaultInput, FaultSignal } from '../../dsl/model/workflow-io.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { mergeResults } from '../step/fan-out.ts';
import { runHooks } from '../step/hooks.ts';
import { prepare } from '../step/prepare.ts';
import { endPrepared, endUnrendered } from '../step/run-command-step.ts';
import type { BodyOutcome, StepLabel, StepOutcome } from '../step/stage.ts';
import { bodyWithoutRun, cancelReason, NO_OUTPUTS, noteFinished, noteStarted } from '../step/stage.ts';
import { faultInput } from './fault-input.ts';
import type { LiveFault } from './live-fault.ts';
import { startFault } from './live-fault.ts';
import type { TestcaseStage } from './testcase-stage.ts';
import { reach } from './testcase-stage.ts';

type ChaosStep = Extract<PlannedStep, { kind: 'chaos' }>;

/**
 * A chaos step as its testcase sees it: it starts the `fault` workflow, which injects and undoes by itself, and waits for what it tells.
 * Finished when the effect is verified; with `duration` and without `background` when the fault is undone.
 * `runsAfterStop`: the step was begun in answer to a stop (`always()`), so that the stop does not cut it off.
 */
export async function runChaosStep(stage: TestcaseStage, label: StepLabel, step: ChaosStep, runsAfterStop: boolean): Promise<StepOutcome> {
  let startedAt = Date.now();
  let spec: ChaosSpec;
  let input: FaultInput;
  try {
    spec = chaosSpec(stage.slice, step.chaos, { with: step.with, overrides: step.overrides, testcaseEnv: stage.slice.testcase.env });
    const asked = prepare(stage, label, { spec: spec.inject, texts: [spec] });
    const prepared = asked instanceof Promise ? await asked : asked;
    if (asked instanceof Promise) startedAt = Date.now();
    if (prepared.kind === 'bad') return endPrepared(stage, label, startedAt, prepared.body);
    input = faultInput(stage, step.id, spec, prepared.nodes, prepared.roles);
  } catch (error) {
    return endUnrendered(stage, label, startedAt, error);
  }
  const nodes = input.targets.map((target) => target.node.name);
  noteStarted(stage, label, nodes, startedAt);
  const body = await runHooks(stage, label, spec.hooks, () => injectAndHold(stage, spec, input, runsAfterStop));
  return noteFinished(stage, label, nodes, startedAt, body);
}

async function injectAndHold(stage: TestcaseStage, spec: ChaosSpec, input: FaultInput, runsAfterStop: boolean): Promise<BodyOutcome> {
  // The stop may have come during a `before` hook that ended well all the same. Histories of older workers injected then.
  if (stage.stopped.settled && !runsAfterStop && patched('no-fault-after-stop')) return bodyWithoutRun('broken', cancelReason(stage));
  const stop = runsAfterStop || stage.stopped.settled ? undefined : stage.stopped.promise;
  const fault = await stage.cleanup.run(() =>
    startFault(input, (early) => {
      stage.faultSignals.set(input.id, early);
    }),
  );
  stage.faults.push(fault);
  void fault.ended.promise.then((end) => {
    fault.endNoted = true;
    if (end.owed.length === 0) reach(stage, input.step, 'recovered', end.at);
    else noteOwed(stage, fault);
  });
  reach(stage, input.step, 'started', Date.now());

  const effect = await firstOf(fault.effect.promise, stop);
  if (effect === undefined) return bodyWithoutRun('broken', cancelReason(stage));
  if (effect.startedAt !== undefined) stage.marks.set(`${input.step}.started`, effect.startedAt);
  if (effect.state !== 'verified') return afterVoid(effect);
  reach(stage, input.step, 'verified', effect.at);
  const verified = bodyOf(effect);
  if (spec.durationMs === undefined || spec.background) return verified;
  const end = await firstOf(fault.ended.promise, stop);
  if (end === undefined) return { ...verified, verdict: 'broken', reason: cancelReason(stage) };
  if (end.owed.length > 0) return { ...verified, verdict: 'broken', reason: end.reason ?? owedReason(fault) };
  return verified;
}

export function owedReason(fault: LiveFault): string {
  return `recovery owed: ${fault.input.name} was not confirmed undone within ${formatDuration(fault.input.recoverWithinMs)}`;
}

/** From now on the testcase is at best broken, whenever the undo may still be confirmed. */
function noteOwed(stage: TestcaseStage, fault: LiveFault): void {
  const end = fault.ended.value;
  if (!end) return;
  stage.owed.push(...end.owed);
  stage.causes.push({ verdict: 'broken', reason: end.reason ?? owedReason(fault), step: fault.input.step });
  // Whoever waits for `<id>.recovered` must not wait for ever.
  stage.steps.get(fault.input.step)?.recovered.resolve();
}

function bodyOf(signal: FaultSignal): BodyOutcome {
  const results = signal.results ?? [];
  return {
    verdict: 'passed',
    results,
    activities: [],
    checks: [],
    outputs: results[0]?.outputs ?? NO_OUTPUTS,
  };
}

/** The effect was not there: `void`, but `broken` when we could not even find out. */
function afterVoid(signal: FaultSignal): BodyOutcome {
  const merged = mergeResults(signal.results ?? []);
  const verdict = isBad(merged.verdict) && merged.verdict !== 'failed' ? merged.verdict : 'void';
  const reason = signal.reason ?? merged.reason;
  return { ...bodyOf(signal), verdict, ...(reason !== undefined && { reason }) };
}

/** `undefined` when the stop came first. */
function firstOf<T>(promise: Promise<T>, stop: Promise<unknown> | undefined): Promise<T | undefined> {
  return stop ? Promise.race([promise, stop.then(() => undefined)]) : promise;
}
