import { CancellationScope, setCurrentDetails } from '@temporalio/workflow';
import type { NodeResult } from '../../dsl/model/result.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import type { FanoutCall, FanoutInput, FanoutResult } from '../../dsl/model/workflow-io.ts';
import { runCommand, sampleCommand } from '../base/activity-calls.ts';
import { engineBug } from '../base/engine-bug.ts';
import { fanOut } from '../step/fan-out.ts';
import { fitted } from './fit-results.ts';

/**
 * One step on many nodes, as a child of its testcase, so that the testcase's history stays small whatever the number of nodes.
 *
 * If the worker dies at any line, another one continues here. A cancel (of the step, of the testcase, or because the testcase was ended from outside)
 * reaches every command that runs, and this workflow completes with what came of them. It fails only with `EngineBug`.
 */
export async function fanout(input: FanoutInput): Promise<FanoutResult> {
  const root = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    const work = new CancellationScope();
    root.cancelRequested.catch(() => work.cancel());
    const count = { ended: 0, bad: 0 };
    try {
      const results = await work.run(() =>
        fanOut(input.calls, input.maxParallel, async (call) => {
          const result = await runCall(call);
          note(count, result, input.calls.length);
          return result;
        }),
      );
      return { results: fitted(results), journal: [] };
    } catch (error) {
      throw engineBug(error);
    }
  });
}

function runCall(call: FanoutCall): Promise<NodeResult> {
  const options = {
    activityId: call.activityId,
    summary: call.input.address.title,
    taskQueue: call.taskQueue,
    cancelReason: () => 'cancelled',
  };
  return call.kind === 'command' ? runCommand(call.input, options) : sampleCommand(call.input, options);
}

/** What the Web UI shows beside the workflow. */
function note(count: { ended: number; bad: number }, result: NodeResult, total: number): void {
  count.ended++;
  if (isBad(result.verdict)) count.bad++;
  setCurrentDetails(`${count.ended} of ${total} nodes ended, ${count.bad} not passed`);
}
