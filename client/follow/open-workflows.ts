import type { temporal } from '@temporalio/proto';
import { FAILURE } from '../../dsl/model/workflow-io.ts';
import { visibleLine } from '../../report/terminal/terminal-text.ts';
import type { TailedWorkflow } from './history-tail.ts';
import type { LinkedServer, ServerLink } from './server-link.ts';

/** What the server tells of a workflow now, beside its history. */
export type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

const DESCRIBE_DEADLINE_MS = 10_000;
/** A run may have more; those of the next look are others as testcases end. */
const MOST = 100;
/** Fewer failures of one activity are a worker that was restarted. */
const FAILURES_WORTH_A_NOTE = 3;

export async function describeWorkflow<S extends LinkedServer>(
  link: ServerLink<S>,
  { workflowId, runId }: TailedWorkflow,
): Promise<Description> {
  const { connection, namespace } = link.server();
  const request = { namespace, execution: { workflowId, runId } };
  return connection.withDeadline(Date.now() + DESCRIBE_DEADLINE_MS, () => connection.workflowService.describeWorkflowExecution(request));
}

/** The root and all open workflows below it, parents first, at most 100. */
export async function* openWorkflows<S extends LinkedServer>(
  link: ServerLink<S>,
  root: TailedWorkflow,
): AsyncGenerator<{ readonly workflow: TailedWorkflow; readonly description: Description }> {
  const waiting = [root];
  for (let count = 0; count < MOST; count += 1) {
    const workflow = waiting.shift();
    if (workflow === undefined) return;
    const description = await describeWorkflow(link, workflow);
    yield { workflow, description };
    for (const { workflowId, runId } of description.pendingChildren ?? []) {
      if (workflowId && runId) waiting.push({ workflowId, runId });
    }
  }
}

/** An activity that cannot do its work, for a reason that is not the suite's: no attempt came to a verdict. */
export interface StuckActivity {
  readonly activityId: string;
  readonly text: string;
}

/** Activities of a workflow that failed three times or more and will be tried again. A command that is not passed is no such failure. */
export function stuckActivities({ pendingActivities }: Description): readonly StuckActivity[] {
  return (pendingActivities ?? []).flatMap(({ activityId, activityType, attempt, lastFailure }) => {
    const failures = (attempt ?? 1) - 1;
    const type = lastFailure?.applicationFailureInfo?.type ?? '';
    if (!activityId || !lastFailure || failures < FAILURES_WORTH_A_NOTE || NO_TROUBLE.has(type)) return [];
    const why = [...(type === '' ? [] : [type]), lastFailure.message ?? ''].join(': ').split('\n', 1)[0] as string;
    return [
      {
        activityId,
        text: `${activityType?.name ?? 'an activity'} failed ${failures} times and is tried again: ${visibleLine(why.slice(0, 500))}`,
      },
    ];
  });
}

/** `Detached`: the worker was asked to stop. */
const NO_TROUBLE: ReadonlySet<string> = new Set([FAILURE.stepFailed, 'Detached']);
