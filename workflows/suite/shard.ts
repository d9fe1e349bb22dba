import { CancellationScope, defineSignal, setHandler } from '@temporalio/workflow';
import { SIGNAL } from '../../dsl/model/workflow-io.ts';
import type { ShardInput, ShardResult } from '../../dsl/model/workflow-io.ts';
import { createDeferred } from '../base/deferred.ts';
import { engineBug } from '../base/engine-bug.ts';
import { createJournal } from '../base/journal.ts';
import type { Stop } from '../step/stage.ts';
import { createFinalizer } from './finalizer.ts';
import { createProgress } from './progress.ts';
import { runCells } from './run-cells.ts';

const stopSignal = defineSignal<[{ readonly reason?: string }?]>(SIGNAL.cancelTestcase);

/**
 * At most a hundred cells of a large suite, run as the suite would run them.
 *
 * If the worker dies at any line, another one continues here. Cancel and the suite's timeout reach the running testcases, which clean up;
 * what has not started is skipped. If it is terminated, its testcases are asked to cancel and clean up by themselves.
 */
export async function shard(input: ShardInput): Promise<ShardResult> {
  const root = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    const { run, plan, broken, skipped, incarnations } = input;
    const stopped = createDeferred<Stop>();
    const work = new CancellationScope();
    const children = new CancellationScope();
    setHandler(stopSignal, (payload) => {
      stopped.resolve({ kind: 'timeout', reason: payload?.reason ?? 'cancelled' });
      work.cancel();
    });
    root.cancelRequested.catch(() => {
      stopped.resolve({ kind: 'cancel', reason: 'cancelled' });
      work.cancel();
      children.cancel();
    });
    try {
      const journal = createJournal();
      const finalizer = createFinalizer(run);
      const outcome = await runCells(
        {
          run,
          plan,
          journal,
          finalizer,
          progress: createProgress(plan.cells.length),
          incarnations,
          work,
          children,
          stopped,
          ...(broken !== undefined && { broken }),
          ...(skipped !== undefined && { skipped }),
        },
        plan.cells,
        { stopped: input.stopped, ended: input.ended ?? {} },
      );
      const lost = await finalizer.drained();
      const [bug] = lost === undefined ? outcome.bugs : [...outcome.bugs, lost];
      return {
        testcases: outcome.testcases,
        owed: outcome.owed,
        stopped: outcome.stopped,
        journal: journal.take(),
        // Not thrown: what its testcases came to, and the recovery they owe, must reach the suite all the same.
        ...(bug !== undefined && { bug: engineBug(bug).message }),
      };
    } catch (error) {
      throw engineBug(error);
    }
  });
}
