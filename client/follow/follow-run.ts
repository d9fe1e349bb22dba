import type { LoadedDataConverter } from '@temporalio/common';
import type { RunEvent } from '../../dsl/model/events.ts';
import { createEventProjector } from '../../report/project-events.ts';
import { EXIT } from '../../report/exit-code.ts';
import type { TailedWorkflow } from './history-tail.ts';
import { createQueue } from './queue.ts';
import type { LinkedServer, ServerLink } from './server-link.ts';
import { createTaskWatchdog } from './task-watchdog.ts';
import { watchHistories } from './watch-histories.ts';

/**
 * The events of a run from its first, as they come. The last one is `run_finished`, or `error` when the run ended without a
 * verdict or hangs on a bug of ours. Ends early only by the signal; a lost server is waited for. `onNote`: see TaskWatchdog.
 */
export async function* followRun<S extends LinkedServer>(
  link: ServerLink<S>,
  converter: LoadedDataConverter,
  root: TailedWorkflow,
  signal: AbortSignal,
  onNote: (text: string) => void = () => undefined,
): AsyncGenerator<RunEvent> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const projector = createEventProjector();
  const watchdog = createTaskWatchdog(link, root, both, onNote);
  const events = createQueue<RunEvent>();

  const read = async (): Promise<void> => {
    for await (const { workflow, fact } of watchHistories(link, converter, root, both, watchdog)) {
      for (const event of projector.add(workflow, [fact])) events.push(event);
      if (projector.finished()) return;
    }
  };
  read().then(events.end, events.fail);
  void watchdog.bug.then(({ workflowId, message }) => {
    events.push(engineBugEvent(`the workflow ${workflowId} cannot go on: ${message}`));
    events.end();
  });

  try {
    yield* events.items();
  } finally {
    stop.abort(new Error('nobody follows this run any more'));
  }
}

function engineBugEvent(what: string): RunEvent {
  const message = `${what}. This is a bug in onetear, not in your suite`;
  return { type: 'error', ts: new Date().toISOString(), exit: EXIT.engineBug, message, diagnostics: [] };
}
