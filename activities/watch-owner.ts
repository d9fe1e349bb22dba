import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';

import type { WatchOwnerInput } from '../dsl/model/workflow-io.ts';
import { currentAttendance, detached, pause, withHeartbeat } from './attendance.ts';
import type { ActivityDeps } from './deps.ts';

const EVERY_MS = 3_000;

/**
 * Activity `watchOwner`: resolves when the owner's workflow run is closed, however it closed; a run that the server does not know any more is
 * closed too. It follows no chain: the owner's next run does not own the fault.
 *
 * It changes nothing: if this process dies, the next attempt asks again. A server that cannot be asked is asked again for ever.
 */
export function createWatchOwner(deps: ActivityDeps): (input: WatchOwnerInput) => Promise<{ readonly status: string }> {
  return async ({ workflowId, runId }) => {
    const context = Context.current();
    const attendance = currentAttendance();
    const handle = context.client.workflow.getHandle(workflowId, runId, { followRuns: false });
    return withHeartbeat(
      attendance,
      () => undefined,
      async () => {
        for (;;) {
          try {
            const { status } = await handle.describe();
            if (status.name !== 'RUNNING' && status.name !== 'PAUSED') return { status: status.name };
          } catch (error) {
            if (error instanceof WorkflowNotFoundError) return { status: 'NOT_FOUND' };
            deps.log.debug('the owner of a fault cannot be described', { workflowId, error: String(error) });
          }
          await pause(attendance, EVERY_MS);
          const stop = attendance.stopped();
          if (stop === 'cancel') return { status: 'UNWATCHED' };
          if (stop === 'detach') throw detached();
        }
      },
    );
  };
}
