import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { identify } from '../../worker/process-identity.ts';
import type { WorkerIdentity } from '../../worker/worker-identity.ts';
import { parseWorkerIdentity } from '../../worker/worker-identity.ts';

// A CommonJS package whose names Node cannot see.
const { TaskQueueType } = proto.temporal.api.enums.v1;

/** A living poller asks again at least once a minute; the server lists dead ones for five. */
const FRESH_MS = 75_000;

/** A task queue of a namespace, and who is meant. */
export interface PollerQuery {
  readonly namespace: string;
  readonly queue: string;
  readonly kind: 'workflow' | 'activity';
  /** Only workers of this build count: another one may not know what our workflows do. */
  readonly build: string;
  /** A poller that names this host must be a process that runs here. */
  readonly hostId: string;
}

/** Workers of a build that poll a task queue now. */
export async function pollersOfBuild(connection: Connection, query: PollerQuery): Promise<WorkerIdentity[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace: query.namespace,
    taskQueue: { name: query.queue },
    taskQueueType: query.kind === 'workflow' ? TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW : TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
  });
  return pollers.flatMap(({ identity, lastAccessTime }) => {
    const worker = parseWorkerIdentity(identity ?? '');
    const seenAt = Number(lastAccessTime?.seconds ?? 0) * 1000;
    if (worker?.build !== query.build || Date.now() - seenAt > FRESH_MS) return [];
    if (worker.hostId === query.hostId && identify(worker.pid) === undefined) return [];
    return [worker];
  });
}
