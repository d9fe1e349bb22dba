import type { LoadedDataConverter } from '@temporalio/common';
import { createHistoryDecoder, type WorkflowHeader } from '../../activities/history/decode-history.ts';
import { WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { Fact } from '../../report/facts.ts';
import { tailHistory, type HistoryEvent, type TailedWorkflow } from './history-tail.ts';
import { createQueue } from './queue.ts';
import type { LinkedServer, ServerLink } from './server-link.ts';

/** Something that became known of one workflow of the run. */
export interface FactItem {
  readonly workflow: WorkflowHeader;
  readonly fact: Fact;
}

export interface HistoryHooks {
  /** A workflow task failed: a mistake in workflow code repeats it for ever, so somebody must look. */
  readonly onTaskFailed: (workflow: TailedWorkflow, message: string) => void;
  /** Events came for this workflow. */
  readonly onProgress: (workflow: TailedWorkflow) => void;
}

interface Child {
  readonly done: Promise<void>;
  readonly isFault: boolean;
  /** Stops waiting for more; what is there is still read. */
  readonly settle: () => Promise<void>;
}

/**
 * The facts of a run's workflows as they come: the suite, its shards and testcases, their faults. Causes come before effects:
 * what follows the end of a child in its parent is held back until the child's own history is read to its end, and the
 * end of the root until all is read. A fault that is still open then (owed) is read as far as it has come.
 */
export async function* watchHistories<S extends LinkedServer>(
  link: ServerLink<S>,
  converter: LoadedDataConverter,
  root: TailedWorkflow,
  outerSignal: AbortSignal,
  hooks: HistoryHooks,
): AsyncGenerator<FactItem> {
  const queue = createQueue<FactItem>();
  const stop = new AbortController();
  const signal = AbortSignal.any([outerSignal, stop.signal]);
  const faults: Child[] = [];

  const readOne = async (workflow: TailedWorkflow, isRoot: boolean, settled: AbortSignal): Promise<void> => {
    const decoder = createHistoryDecoder(workflow, converter);
    const children = new Map<string, Child>();

    const take = async (events: readonly HistoryEvent[]): Promise<void> => {
      for (const fact of await decoder.append(events)) {
        if (fact.kind === 'child_started') children.set(fact.workflowId, startChild(fact));
        if (fact.kind === 'child_finished') await children.get(fact.workflowId)?.done;
        if (fact.kind === 'closed') {
          // A workflow that did not end by itself leaves children behind that may never end; the stream must.
          const awaited = fact.status === 'completed' ? [...children.values()].filter((child) => !child.isFault) : [];
          await Promise.all(awaited.map((child) => child.done));
          if (isRoot) await Promise.all(faults.map((fault) => fault.settle()));
        }
        const header = decoder.header();
        if (!header) throw new Error(`the history of ${workflow.workflowId} does not begin with its first event`);
        queue.push({ workflow: header, fact });
      }
      hooks.onProgress(workflow);
      const failed = events.at(-1)?.workflowTaskFailedEventAttributes;
      if (failed) hooks.onTaskFailed(workflow, failed.failure?.message ?? 'unknown cause');
    };

    try {
      for await (const events of tailHistory(link, workflow, AbortSignal.any([signal, settled]), { wait: true })) await take(events);
    } catch (error) {
      if (!settled.aborted || signal.aborted) throw error;
      // The run is over and this fault is not: take what came until now, then leave it to `onetear faults`.
      for await (const events of tailHistory(link, workflow, signal, { wait: false })) await take(events);
    }
  };

  const startChild = (child: { workflowId: string; runId: string; workflowType: string }): Child => {
    const settled = new AbortController();
    const isFault = child.workflowType === WORKFLOW.fault;
    const done = readOne({ workflowId: child.workflowId, runId: child.runId }, false, settled.signal);
    done.catch((error: unknown) => queue.fail(error));
    const started: Child = {
      done,
      isFault,
      settle: () => {
        settled.abort();
        return done;
      },
    };
    if (isFault) faults.push(started);
    return started;
  };

  readOne(root, true, new AbortController().signal).then(queue.end, queue.fail);
  try {
    yield* queue.items();
  } finally {
    stop.abort();
  }
}
