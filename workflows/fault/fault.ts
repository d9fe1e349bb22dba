import {
  CancellationScope,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  sleep,
  TemporalFailure,
} from '@temporalio/workflow';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { FaultState, NodeResult, OwedFault } from '../../dsl/model/result.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { SIGNAL } from '../../dsl/model/workflow-io.ts';
import type { FaultInput, FaultResult, FaultSignal, FaultTarget } from '../../dsl/model/workflow-io.ts';
import { watchOwner } from '../base/activity-calls.ts';
import type { Deferred } from '../base/deferred.ts';
import { createDeferred } from '../base/deferred.ts';
import { engineBug } from '../base/engine-bug.ts';
import { createJournal } from '../base/journal.ts';
import type { Journal } from '../base/journal.ts';
import { mergeResults } from '../step/fan-out.ts';
import { injectOn, recoverUntilConfirmed, verifyOn } from './fault-activities.ts';

const releaseSignal = defineSignal<[{ readonly reason?: string }?]>(SIGNAL.release);

/** What the parts of a fault share. */
export interface FaultContext {
  readonly input: FaultInput;
  readonly journal: Journal;
  /** Resolved with the reason to recover now. */
  readonly release: Deferred<string>;
  /** Replaced at every `release` while recovery is owed: try again at once instead of waiting for the next try. */
  nudge: Deferred<void>;
}

/**
 * One chaos step with all its nodes, from planned to undone: planned → injected → verified | void → held → recovering → recovered | owed.
 *
 * It is started (and awaited until started) before anything is injected, and ABANDONed by its testcase: whatever happens to the testcase,
 * its worker or this workflow's worker, at any line, a fault whose injection was tried is undone. Recovery needs nothing but this workflow's
 * input; it begins at the end of `duration`, on `release`, on cancel of this workflow and when the testcase's run is closed for any reason.
 * It is tried for ever. Only a terminate of this very workflow stops it.
 */
export async function fault(input: FaultInput): Promise<FaultResult> {
  const root = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    const context: FaultContext = { input, journal: createJournal(), release: createDeferred(), nudge: createDeferred() };
    let owed = false;
    const release = (reason: string): void => {
      context.release.resolve(reason);
      if (owed) context.nudge.resolve();
    };
    setHandler(releaseSignal, (payload) => release(payload?.reason ?? 'released'));
    root.cancelRequested.catch(() => release('cancelled'));
    const watch = new CancellationScope();
    void watch.run(() => watchForOwner(context));
    let bug: unknown;
    let tried: readonly FaultTarget[] = input.targets;
    try {
      note(context, 'planned', input.targets);
      tried = await injectAndHold(context);
    } catch (error) {
      // A bug of ours must not leave a fault behind: everything that may have been injected is undone first.
      bug = error;
    }
    try {
      const state = await recoverTried(context, tried, () => {
        owed = true;
      });
      if (bug !== undefined) throw bug;
      return { id: input.id, state, owed: [], journal: context.journal.take() };
    } catch (error) {
      throw engineBug(error);
    } finally {
      watch.cancel();
    }
  });
}

/** The testcase's run may be closed by a terminate, which runs none of its code: an activity looks for us. */
async function watchForOwner(context: FaultContext): Promise<void> {
  const { owner, run } = context.input;
  try {
    const { status } = await watchOwner(owner, run.queues.control);
    context.release.resolve(`its testcase is ${status.toLowerCase()}`);
  } catch (error) {
    if (isCancellation(error)) return;
    // Nobody watches the owner any more, so the safe side is to undo.
    context.release.resolve('its testcase cannot be watched');
  }
}

/** Resolves with the targets whose injection was tried: those, and only those, are to be undone. */
async function injectAndHold(context: FaultContext): Promise<readonly FaultTarget[]> {
  const { input, release } = context;
  const startedAt = Date.now();
  const work = new CancellationScope();
  void release.promise.then(() => work.cancel());
  const results = await onAll(context, work, injectOn);
  // Nothing but a refusal before the start (tries 0) is sure not to have happened.
  const tried = input.targets.filter((_, index) => (results[index] as NodeResult).tries > 0);
  if (tried.length > 0) note(context, 'injected', tried);
  let failure = firstBad(results);
  if (!failure) failure = firstBad(await onAll(context, work, verifyOn));
  if (failure) {
    note(context, 'void', input.targets, failure.reason);
    await tellOwner(context, { state: 'void', startedAt, results: withVerdict(results, failure), reason: failure.reason });
    return tried;
  }
  note(context, 'verified', input.targets);
  await tellOwner(context, { state: 'verified', startedAt, results });
  if (input.durationMs === undefined) await release.promise;
  else await hold(context, input.durationMs);
  return tried;
}

/** If one rejects (a bug of ours) the others are cancelled and waited for: nothing may still be injected while it is undone. */
async function onAll(context: FaultContext, work: CancellationScope, act: typeof injectOn): Promise<NodeResult[]> {
  const settled = await work.run(() =>
    Promise.allSettled(
      context.input.targets.map(async (target) => {
        try {
          return await act(context, target);
        } catch (error) {
          work.cancel();
          throw error;
        }
      }),
    ),
  );
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

async function hold(context: FaultContext, durationMs: number): Promise<void> {
  const timer = new CancellationScope();
  const held = timer.run(() => sleep(durationMs, { summary: `hold for ${formatDuration(durationMs)}` })).catch(ignoreCancellation);
  await Promise.race([held, context.release.promise]);
  timer.cancel();
}

/** Undoes on all nodes at once, for ever; tells the owner once when it takes too long. */
async function recoverTried(context: FaultContext, tried: readonly FaultTarget[], onOwed: () => void): Promise<FaultState> {
  const { input } = context;
  const targets = tried.filter((target) => target.recover);
  if (targets.length === 0) return tried.length === 0 ? 'void' : 'verified';
  note(context, 'recovering', targets, context.release.value);
  const open = new Set(targets);
  const all = Promise.all(
    targets.map(async (target) => {
      await recoverUntilConfirmed(context, target);
      open.delete(target);
      note(context, 'recovered', [target]);
    }),
  ).then(() => 'recovered' as const);
  const timer = new CancellationScope();
  const late = timer.run(() => sleep(input.recoverWithinMs, { summary: 'recovery is owed after' })).then(() => 'owed' as const);
  const first = await Promise.race([all, late.catch(ignoreCancellation)]);
  if (first === 'owed') {
    onOwed();
    const reason = `not confirmed undone within ${formatDuration(input.recoverWithinMs)}`;
    const owed: OwedFault[] = [...open].map((target) => ({ fault: input.id, node: target.node.name, undo: target.undo }));
    note(context, 'owed', [...open], reason);
    await tellOwner(context, { state: 'owed', owed, reason: `recovery owed: ${input.name} was ${reason}` });
  }
  timer.cancel();
  return all;
}

function note(context: FaultContext, state: FaultState, targets: readonly FaultTarget[], reason?: string): void {
  const { id, step, name } = context.input;
  context.journal.add({
    type: 'fault_state',
    at: Date.now(),
    step,
    name,
    nodes: targets.map((target) => target.node.name),
    id,
    state,
    ...(reason !== undefined && { reason }),
    undo: Object.fromEntries(targets.map((target) => [target.node.name, target.undo])),
  });
}

/** The owner may be closed by now; then there is nobody to tell. */
async function tellOwner(context: FaultContext, news: Omit<FaultSignal, 'step' | 'id' | 'at'>): Promise<void> {
  const { owner, id, step } = context.input;
  const signal: FaultSignal = { step, id, at: Date.now(), ...news };
  try {
    await getExternalWorkflowHandle(owner.workflowId, owner.runId).signal(SIGNAL.faultState, signal);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    context.release.resolve('its testcase is closed');
  }
}

interface Failure {
  readonly reason: string;
  readonly verdict: NodeResult['verdict'];
}

function firstBad(results: readonly NodeResult[]): Failure | undefined {
  const merged = mergeResults(results);
  return isBad(merged.verdict) ? { reason: merged.reason ?? merged.verdict, verdict: merged.verdict as NodeResult['verdict'] } : undefined;
}

/** The owner takes its step's verdict from the results: an effect that was not verified must be seen in them. */
function withVerdict(results: readonly NodeResult[], failure: Failure): readonly NodeResult[] {
  if (results.some((result) => isBad(result.verdict))) return results;
  return results.map((result) => ({ ...result, verdict: failure.verdict, reason: failure.reason }));
}

function ignoreCancellation(error: unknown): undefined {
  if (!isCancellation(error)) throw error;
  return undefined;
}
