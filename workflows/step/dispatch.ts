import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { slug } from '../../dsl/expand/slug.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { FanoutCall, FanoutInput, FanoutResult } from '../../dsl/model/workflow-io.ts';
import { resultWithoutRun, runCommand, sampleCommand } from '../base/activity-calls.ts';
import { failureLine, findEngineBug } from '../base/engine-bug.ts';
import { childAttributes } from '../base/search-attributes.ts';
import { fanOut } from './fan-out.ts';
import type { Stage, StepLabel } from './stage.ts';
import { cancelReason, rememberIncarnation } from './stage.ts';

/** Nodes that a testcase runs in its own history; more of them go to a child. */
export const WIDE = 16;
/** Nodes of one child. */
const PER_CHILD = 200;
/** Input of one child, as JSON: what is compressed may still be hard to compress. */
const CHILD_CHARS = 1_000_000;

type FanoutWorkflow = (input: FanoutInput) => Promise<FanoutResult>;

/**
 * Runs one activity per item and gives the results in their order; with `maxParallel` 1 the first bad one is the last. Up to 16 items are activities
 * of this workflow, more are those of `fanout` children, one child after another.
 */
export function dispatch<T>(
  stage: Stage,
  label: StepLabel,
  items: readonly T[],
  maxParallel: number,
  callOf: (item: T) => FanoutCall,
  path = '',
): Promise<NodeResult[]> {
  if (items.length > WIDE) return dispatchWide(stage, label, items.map(callOf), maxParallel, path);
  return fanOut(items, maxParallel, async (item) => rememberIncarnation(stage, await callHere(stage, label, callOf(item))));
}

function callHere(stage: Stage, label: StepLabel, call: FanoutCall): Promise<NodeResult> {
  const options = {
    activityId: call.activityId,
    summary: label.title,
    taskQueue: call.taskQueue,
    cancelReason: () => cancelReason(stage),
  };
  const journal = stage.journal.take();
  return call.kind === 'command' ? runCommand({ ...call.input, journal }, options) : sampleCommand({ ...call.input, journal }, options);
}

async function dispatchWide(
  stage: Stage,
  label: StepLabel,
  calls: readonly FanoutCall[],
  maxParallel: number,
  path: string,
): Promise<NodeResult[]> {
  const results: NodeResult[] = [];
  for (const [index, part] of chunks(calls).entries()) {
    const found = await runChild(
      stage,
      label,
      part,
      maxParallel,
      `${slug(label.step + (path && `/${path.slice(0, -1)}`))}${index === 0 ? '' : `/${index + 1}`}`,
    );
    results.push(...found);
    if (maxParallel === 1 && found.some((result) => isBad(result.verdict))) break;
  }
  for (const result of results) rememberIncarnation(stage, result);
  return results;
}

/** At most 200 calls each, and no more than fit into one event. */
function chunks(calls: readonly FanoutCall[]): FanoutCall[][] {
  const parts: FanoutCall[][] = [];
  let room = 0;
  for (const call of calls) {
    const size = JSON.stringify(call).length;
    const last = parts.at(-1);
    if (last && last.length < PER_CHILD && size <= room) {
      last.push(call);
      room -= size;
    } else {
      parts.push([call]);
      room = CHILD_CHARS - size;
    }
  }
  return parts;
}

async function runChild(
  stage: Stage,
  label: StepLabel,
  calls: readonly FanoutCall[],
  maxParallel: number,
  name: string,
): Promise<NodeResult[]> {
  const input: FanoutInput = {
    v: 1,
    run: stage.run,
    testcase: stage.cell.id,
    step: label.step,
    title: label.title,
    maxParallel,
    calls,
  };
  try {
    const { results } = await executeChild<FanoutWorkflow>(WORKFLOW.fanout, {
      workflowId: `${workflowInfo().workflowId}/f/${name}`,
      args: [input],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      workflowTaskTimeout: 5_000,
      staticSummary: `${label.title} on ${calls.length} nodes`.slice(0, 200),
      memo: { title: label.title },
      typedSearchAttributes: childAttributes(stage.run, stage.cell.id === '' ? undefined : stage.cell.id),
    });
    if (!stage.stopped.settled) return [...results];
    return results.map((result) => (result.reason === 'cancelled' ? { ...result, reason: cancelReason(stage) } : result));
  } catch (error) {
    const bug = findEngineBug(error);
    if (bug) throw bug;
    // Cancelled before it came to be: nothing was started.
    if (isCancellation(error) && !(error instanceof ChildWorkflowFailure)) return without(calls, cancelReason(stage), 0);
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    return without(calls, `its fan-out workflow has ended: ${failureLine(error)}`, 1);
  }
}

function without(calls: readonly FanoutCall[], reason: string, tries: 0 | 1): NodeResult[] {
  return calls.map((call) => resultWithoutRun(call.input.node.name, reason, tries));
}
