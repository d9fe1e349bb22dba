import type { temporal } from '@temporalio/proto';
import type { LinkedServer, ServerLink } from './server-link.ts';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

export interface TailedWorkflow {
  readonly workflowId: string;
  readonly runId: string;
}

/** A long poll of the server answers after at most 20 s; beyond this the connection is taken for dead. */
const LONG_POLL_DEADLINE_MS = 40_000;

/**
 * The events of one workflow run from its first, in order, as they come: yields a batch at a time and ends after the
 * closing event. Waits by long poll. A page token dies with the server that gave it, so after a lost connection it
 * reads from the start and leaves out what was seen: no event twice, none lost.
 */
export async function* tailHistory<S extends LinkedServer>(
  link: ServerLink<S>,
  workflow: TailedWorkflow,
  signal: AbortSignal,
  options: {
    /** False = read what is there now and stop. */
    readonly wait: boolean;
    /** Called when a poll ended without news. */
    readonly onIdle?: () => void;
  },
): AsyncGenerator<readonly HistoryEvent[]> {
  let token: Uint8Array | undefined;
  let seen = 0;
  let tokenOf: S | undefined;
  for (;;) {
    const page = await link.call(LONG_POLL_DEADLINE_MS, signal, (server) => {
      if (server !== tokenOf) token = undefined;
      tokenOf = server;
      return server.connection.workflowService.getWorkflowExecutionHistory({
        namespace: server.namespace,
        execution: { workflowId: workflow.workflowId, runId: workflow.runId },
        waitNewEvent: options.wait,
        ...(token === undefined ? {} : { nextPageToken: token }),
      });
    });
    const events = (page.history?.events ?? []).filter((event) => Number(event.eventId) > seen && !isTaskBookkeeping(event));
    const last = events.at(-1);
    if (last) {
      seen = Number(last.eventId);
      yield events;
      if (isClosing(last)) return;
    } else if (options.wait) {
      options.onIdle?.();
    }
    token = page.nextPageToken?.length ? page.nextPageToken : undefined;
    if (token === undefined && !options.wait) return;
  }
}

/**
 * Scheduled and started workflow tasks carry nothing we need, and while a task is being repeated the server shows them with
 * event ids that other events get later: counting them as seen would lose those.
 */
function isTaskBookkeeping(event: HistoryEvent): boolean {
  return Boolean(event.workflowTaskScheduledEventAttributes ?? event.workflowTaskStartedEventAttributes);
}

/** True for the events a workflow run ends with. */
export function isClosing(event: HistoryEvent): boolean {
  return Boolean(
    event.workflowExecutionCompletedEventAttributes ??
    event.workflowExecutionFailedEventAttributes ??
    event.workflowExecutionCanceledEventAttributes ??
    event.workflowExecutionTerminatedEventAttributes ??
    event.workflowExecutionTimedOutEventAttributes ??
    event.workflowExecutionContinuedAsNewEventAttributes,
  );
}
