import { setTimeout as sleep } from 'node:timers/promises';
import type { TailedWorkflow } from './history-tail.ts';
import { describeWorkflow, type Description, openWorkflows, stuckActivities } from './open-workflows.ts';
import { isServerAway, type LinkedServer, type ServerLink } from './server-link.ts';

/** A workflow task that failed this often in a row will not get better by itself. */
const FAILURES_THAT_MEAN_A_BUG = 3;
/** Attempts rise by time-outs, too, when workers die; without a failure on record this many mean the same. */
const ATTEMPTS_THAT_MEAN_A_BUG = 10;
/** Between two looks at all open workflows. */
const LOOK_EVERY_S = 5;

export interface EngineBug {
  readonly workflowId: string;
  readonly message: string;
}

/**
 * Mistakes in workflow code hang a workflow, they do not fail it. Looks at the attempt of a pending workflow task, once a
 * second after a failed one until there is progress, else rarely, then at those of all open workflows. Resolves with the bug, or never.
 * `onNote` is told, once each, what does not get on for a reason outside of the suite: it may still come right.
 */
export interface TaskWatchdog {
  readonly onTaskFailed: (workflow: TailedWorkflow, message: string) => void;
  readonly onProgress: (workflow: TailedWorkflow) => void;
  readonly bug: Promise<EngineBug>;
}

export function createTaskWatchdog<S extends LinkedServer>(
  link: ServerLink<S>,
  root: TailedWorkflow,
  signal: AbortSignal,
  onNote: (text: string) => void,
): TaskWatchdog {
  const suspects = new Map<string, { readonly workflow: TailedWorkflow; readonly message: string }>();
  let found: (bug: EngineBug) => void = () => undefined;
  const noted = new Set<string>();
  const noteOnce = (key: string, text: string): void => {
    if (noted.has(key)) return;
    noted.add(key);
    onNote(text);
  };
  const bug = new Promise<EngineBug>((resolve) => {
    found = resolve;
  });

  const attemptOf = async (workflow: TailedWorkflow): Promise<number> => taskAttempt(await describeWorkflow(link, workflow));

  const look = async (): Promise<void> => {
    for (const { workflow, message } of suspects.values()) {
      if ((await attemptOf(workflow)) >= FAILURES_THAT_MEAN_A_BUG) found({ workflowId: workflow.workflowId, message });
    }
  };

  /** Workflow tasks that only time out leave no event, activities that are tried again neither: only the server's description tells. */
  const lookAtAll = async (): Promise<void> => {
    for await (const { workflow, description } of openWorkflows(link, root)) {
      const { workflowId } = workflow;
      const attempt = taskAttempt(description);
      if (attempt >= ATTEMPTS_THAT_MEAN_A_BUG)
        found({ workflowId, message: 'its workflow task is repeated again and again; see the worker log' });
      else if (attempt >= FAILURES_THAT_MEAN_A_BUG)
        noteOnce(workflowId, `${workflowId}: no worker finishes its workflow task; tried ${attempt} times`);
      for (const { activityId, text } of stuckActivities(description)) noteOnce(`${workflowId} ${activityId}`, `${workflowId}: ${text}`);
    }
  };

  const run = async (): Promise<void> => {
    for (let round = 1; !signal.aborted; round += 1) {
      try {
        await sleep(1000, undefined, { signal });
        await look();
        if (round % LOOK_EVERY_S === 0) await lookAtAll();
      } catch (error) {
        // Those who follow the histories report a server that is away; here it only means: look again later.
        if (!signal.aborted && !isServerAway(error)) throw error;
      }
    }
  };
  run().catch((error: unknown) => found({ workflowId: root.workflowId, message: `its state cannot be read: ${String(error)}` }));

  return {
    bug,
    onTaskFailed: (workflow, message) => suspects.set(workflow.workflowId, { workflow, message }),
    onProgress: (workflow) => suspects.delete(workflow.workflowId),
  };
}

function taskAttempt({ pendingWorkflowTask }: Description): number {
  return pendingWorkflowTask?.attempt ?? 0;
}
