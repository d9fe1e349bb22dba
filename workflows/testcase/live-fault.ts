import { ChildWorkflowCancellationType, isCancellation, ParentClosePolicy, startChild, TemporalFailure } from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import type { OwedFault } from '../../dsl/model/result.ts';
import { SIGNAL, WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { FaultInput, FaultResult, FaultSignal } from '../../dsl/model/workflow-io.ts';
import type { Deferred } from '../base/deferred.ts';
import { createDeferred } from '../base/deferred.ts';
import { failureLine } from '../base/engine-bug.ts';
import { faultWorkflowId } from '../base/ids.ts';

type FaultWorkflow = (input: FaultInput) => Promise<FaultResult>;

/** A fault that this testcase started, and what it has told so far. */
export interface LiveFault {
  readonly input: FaultInput;
  readonly handle: ChildWorkflowHandle<FaultWorkflow>;
  /** `verified` or `void`, once. */
  readonly effect: Deferred<FaultSignal>;
  /** The end, or `owed`: what recovery waits for, and no longer. */
  readonly ended: Deferred<FaultEnd>;
  released: boolean;
  /** The steps of the testcase know of its end. */
  endNoted: boolean;
}

export interface FaultEnd {
  readonly owed: readonly OwedFault[];
  readonly at: number;
  readonly reason?: string;
}

/**
 * Starts the fault workflow and resolves when it is started: from then on the fault is undone whatever becomes of this testcase.
 * Call it in a scope that is never cancelled: a start cut in half would leave a fault that nobody listens to.
 */
export async function startFault(input: FaultInput, register: (fault: Pick<LiveFault, 'effect' | 'ended'>) => void): Promise<LiveFault> {
  const effect = createDeferred<FaultSignal>();
  const ended = createDeferred<FaultEnd>();
  // Before the start: its first signal may come together with the news of the start.
  register({ effect, ended });
  const handle = await startChild<FaultWorkflow>(WORKFLOW.fault, {
    workflowId: faultWorkflowId(input.id),
    args: [input],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    cancellationType: ChildWorkflowCancellationType.ABANDON,
    workflowTaskTimeout: 5_000,
    staticSummary: `fault: ${input.title}`.slice(0, 200),
    memo: { title: input.title, testcase: input.testcase },
  });
  const fault: LiveFault = { input, handle, effect, ended, released: false, endNoted: false };
  void watchEnd(fault);
  return fault;
}

async function watchEnd(fault: LiveFault): Promise<void> {
  try {
    const result = await fault.handle.result();
    fault.ended.resolve({ owed: result.owed, at: Date.now() });
  } catch (error) {
    // Terminated, or a bug of ours: nobody undoes the fault any more, so a person has to.
    const reason = isCancellation(error) ? 'its workflow was cancelled' : failureLine(error);
    fault.ended.resolve({ owed: owedOf(fault.input), at: Date.now(), reason: `the fault's workflow has ended: ${reason}` });
  }
  fault.effect.resolve({
    step: fault.input.step,
    id: fault.input.id,
    state: 'void',
    reason: 'the fault ended before its effect was known',
    at: Date.now(),
  });
}

/** Tells the fault to recover now. Does nothing when it has ended or was told before. */
export async function releaseFault(fault: LiveFault, reason: string): Promise<void> {
  if (fault.released || fault.ended.settled) return;
  fault.released = true;
  try {
    await fault.handle.signal(SIGNAL.release, { reason });
  } catch (error) {
    // It ended meanwhile: its result is on the way.
    if (!(error instanceof TemporalFailure)) throw error;
  }
}

/** Every undo of a fault, for a fault about which nothing better is known. */
export function owedOf(input: FaultInput): OwedFault[] {
  return input.targets.filter((target) => target.recover).map((target) => ({ fault: input.id, node: target.node.name, undo: target.undo }));
}
