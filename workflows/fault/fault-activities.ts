import { ActivityFailure, CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { NO_RETRY } from '../../dsl/expand/command-spec.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import type { FaultTarget, Incarnations, StepAddress } from '../../dsl/model/workflow-io.ts';
import { recoverFault, resultWithoutRun, runCommand, sampleCommand } from '../base/activity-calls.ts';
import { createDeferred } from '../base/deferred.ts';
import type { FaultContext } from './fault.ts';

/** Sends the injection to one node, once. */
export function injectOn(context: FaultContext, target: FaultTarget): Promise<NodeResult> {
  const { input } = context;
  if (CancellationScope.current().consideredCancelled) {
    return Promise.resolve(resultWithoutRun(target.node.name, context.release.value ?? 'released', 0));
  }
  return runCommand(
    {
      v: 1,
      run: input.run,
      address: addressOf(context, 'inject'),
      node: target.node,
      ...incarnationOf(input.incarnations, target.node.name),
      command: target.inject,
      expect: {},
      outputs: {},
      retry: NO_RETRY,
      timeoutMs: target.injectTimeoutMs,
      keepStdout: false,
      hashStdout: false,
      scope: target.scope,
      badVerdict: 'void',
      journal: context.journal.take(),
    },
    callOptions(context, `inject/${target.node.name}`, `inject ${input.title}`),
  );
}

/** Looks for the effect; without a `verify` the injection's exit code was the proof. */
export function verifyOn(context: FaultContext, target: FaultTarget): Promise<NodeResult> {
  const { input } = context;
  const { verify } = target;
  if (!verify) return Promise.resolve({ ...resultWithoutRun(target.node.name, '', 0), verdict: 'passed' });
  return sampleCommand(
    {
      v: 1,
      run: input.run,
      // Several nodes may be looked at from one: their jobs there must not be taken for each other.
      address: addressOf(context, `verify/${target.node.name}`),
      node: verify.node,
      ...incarnationOf(input.incarnations, verify.node.name),
      command: verify.command,
      match: verify.match,
      mode: 'until',
      windowMs: verify.withinMs,
      everyMs: verify.everyMs,
      timeoutMs: Math.max(verify.withinMs, 1_000),
      scope: target.scope,
      badVerdict: 'void',
      journal: context.journal.take(),
    },
    callOptions(context, `verify/${target.node.name}`, `verify ${input.title}`),
  );
}

/** Tries until the undo is confirmed. Resolves only then. */
export async function recoverUntilConfirmed(context: FaultContext, target: FaultTarget): Promise<void> {
  const { recover } = target;
  if (!recover) return;
  let pauseMs = 1_000;
  for (let round = 1; ; round++) {
    const attempt = new CancellationScope();
    void context.nudge.promise.then(() => attempt.cancel());
    try {
      await attempt.run(() =>
        recoverFault(
          {
            v: 1,
            run: context.input.run,
            address: addressOf(context, round === 1 ? 'recover' : `recover#${round}`),
            node: target.node,
            command: recover.command,
            ...(recover.verify && { verify: recover.verify }),
            timeoutMs: recover.timeoutMs,
            scope: target.scope,
            journal: context.journal.take(),
          },
          {
            activityId: round === 1 ? `recover/${target.node.name}` : `recover#${round}/${target.node.name}`,
            summary: `recover ${context.input.title}`,
            taskQueue: context.input.run.queues.control,
          },
        ),
      );
      return;
    } catch (error) {
      if (isCancellation(error)) {
        // Somebody asked for a try now. Later requests need a new deferred; the first node to see the old one replaces it.
        if (context.nudge.settled) context.nudge = createDeferred();
        continue;
      }
      // Even a failure that the activity calls final does not end the duty to undo.
      if (!(error instanceof ActivityFailure)) throw error;
      await sleep(pauseMs, { summary: 'before the next try to recover' });
      pauseMs = Math.min(pauseMs * 2, 3_600_000);
    }
  }
}

function addressOf(context: FaultContext, what: string): StepAddress {
  const { input } = context;
  return {
    testcase: input.testcase,
    attempt: input.attempt,
    step: `${input.step}/${what}`,
    kind: 'chaos',
    phase: 'steps',
    name: input.name,
    title: input.title,
  };
}

function callOptions(context: FaultContext, activityId: string, summary: string) {
  return {
    activityId,
    summary,
    taskQueue: context.input.run.queues.control,
    cancelReason: () => context.release.value ?? 'cancelled',
  };
}

function incarnationOf(incarnations: Incarnations, node: string): { readonly incarnation?: string } {
  const incarnation = Object.hasOwn(incarnations, node) ? incarnations[node] : undefined;
  return incarnation === undefined ? {} : { incarnation };
}
