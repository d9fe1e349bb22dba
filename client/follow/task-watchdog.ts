import { setTimeout as sleep } from 'node:timers/promises';
import type { TailedWorkflow } from './history-tail.ts';
import { isServerAway, type LinkedServer, type ServerLink } from './server-link.ts';

/** A workflow task that failed this often in a row will not get better by itself. */
const FAILURES_THAT_MEAN_A_BUG = 3;
/** Attempts rise by time-outs, too, when workers die; without a failure on record this many mean the same. */
const ATTEMPTS_THAT_MEAN_A_BUG = 10;
const DESCRIBE_DEADLINE_MS = 10_000;

export interface EngineBug {
  readonly workflowId: string;
  readonly message: string;
}

/**
 * Mistakes in workflow code hang a workflow, they do not fail it. Looks at the attempt of a pending workflow task, once a
 * second after a failed one until there is progress, else rarely. Resolves with the bug, or never.
 */
export interface TaskWatchdog {
  readonly onTaskFailed: (workflow: TailedWorkflow, message: string) => void;
  readonly onProgress: (workflow: TailedWorkflow) => void;
  readonly bug: Promise<EngineBug>;
}

export function createTaskWatchdog<S extends LinkedServer>(link: ServerLink<S>, root: TailedWorkflow, signal: AbortSignal): TaskWatchdog {
  const suspects = new Map<string, { readonly workflow: TailedWorkflow; readonly message: string }>();
  let found: (bug: EngineBug) => void = () => undefined;
  const bug = new Promise<EngineBug>((resolve) => {
    found = resolve;
  });

  const attemptOf = async ({ workflowId, runId }: TailedWorkflow): Promise<number> => {
    const { connection, namespace } = link.server();
    const request = { namespace, execution: { workflowId, runId } };
    const answer = await connection.withDeadline(Date.now() + DESCRIBE_DEADLINE_MS, () =>
      connection.workflowService.describeWorkflowExecution(request),
    );
    return answer.pendingWorkflowTask?.attempt ?? 0;
  };

  const look = async (): Promise<void> => {
    for (const { workflow, message } of suspects.values()) {
      if ((await attemptOf(workflow)) >= FAILURES_THAT_MEAN_A_BUG) found({ workflowId: workflow.workflowId, message });
    }
  };

  const run = async (): Promise<void> => {
    for (let round = 1; !signal.aborted; round += 1) {
      try {
        await sleep(1000, undefined, { signal });
        await look();
        if (round % 15 === 0 && (await attemptOf(root)) >= ATTEMPTS_THAT_MEAN_A_BUG) {
          found({ workflowId: root.workflowId, message: 'its workflow task is repeated again and again; see the worker log' });
        }
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
