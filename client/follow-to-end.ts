import type { RunEvent } from '../dsl/model/events.ts';
import { EXIT } from '../report/exit-code.ts';
import { visibleLine } from '../report/terminal/terminal-text.ts';
import { followRun } from './follow/follow-run.ts';
import type { TailedWorkflow } from './follow/history-tail.ts';
import { watchInterrupts, type InterruptPolicy } from './follow/interrupts.ts';
import { createServerLink, type ServerLink } from './follow/server-link.ts';
import type { OpenServer } from './open-server.ts';
import type { Reporter } from './render/reporter.ts';

export interface FollowToEnd {
  readonly run: string;
  readonly root: TailedWorkflow;
  readonly server: OpenServer;
  /** A new connection when the server is away. */
  readonly reopen: () => Promise<OpenServer>;
  /** Looks after what must run beside the run, see reviveKeeper. */
  readonly keepAlive: () => Promise<void>;
  readonly reporter: Reporter;
  /** Asked when the run has ended: what its results folder's file system refused, see RunRecord.resultsProblem. */
  readonly resultsProblem?: () => Promise<string | undefined>;
  readonly interrupts: InterruptPolicy['first'];
  /** Hands over the signals that came while the run was started, see holdInterrupts. */
  readonly releaseInterrupts?: () => void;
}

const CANCEL_DEADLINE_MS = 10_000;

/**
 * Shows a run until it ends and returns its exit code; 2 when the terminal was detached. 0 only when a `run_finished` that
 * says so was seen.
 */
export async function followToEnd({
  run,
  root,
  server,
  reopen,
  keepAlive,
  reporter,
  resultsProblem,
  interrupts,
  releaseInterrupts,
}: FollowToEnd): Promise<number> {
  const detached = new AbortController();
  const ended = new AbortController();
  let lastProblem = '';
  const link = createServerLink(server, {
    reopen,
    keepAlive: () =>
      keepAlive().catch((error: unknown) => {
        const problem = error instanceof Error ? error.message : String(error);
        if (problem !== lastProblem) reporter.note(problem);
        lastProblem = problem;
      }),
    onState: reporter.link,
    signal: ended.signal,
  });
  const stopInterrupts = watchInterrupts({
    first: interrupts,
    onAsk: () => reporter.note(`\n${detachHint(run)}\nPress Ctrl-C again within 2 s to cancel it instead.`),
    onCancel: () => {
      reporter.note('Cancelling: faults are recovered and after hooks run. Ctrl-C again detaches.');
      cancelRun(link, root, detached.signal).catch((error: unknown) => {
        if (!detached.signal.aborted)
          reporter.note(`The run could not be cancelled: ${error instanceof Error ? error.message : String(error)}`);
      });
    },
    onDetach: () => detached.abort(new Error('detached')),
  });
  releaseInterrupts?.();
  let last: RunEvent | undefined;
  try {
    for await (const event of followRun(link, server.converter, root, detached.signal, reporter.note)) {
      last = event;
      reporter.event(event);
    }
  } catch (error) {
    if (!detached.signal.aborted) throw error;
  } finally {
    stopInterrupts();
    ended.abort(new Error('the run is not followed any more'));
    reporter.close();
    await link.server().connection.close();
  }
  if (last?.type === 'run_finished') {
    const problem = await resultsProblem?.();
    if (problem !== undefined) reporter.note(resultsNote(run, problem));
  }
  if (last?.type === 'run_finished' || last?.type === 'error') return last.exit;
  if (interrupts !== 'ask') reporter.note(detachHint(run));
  return EXIT.cancelled;
}

/** What to do when the results folder could not be written: the record has everything. */
export function resultsNote(run: string, problem: string): string {
  return `results not written: ${visibleLine(problem)}; onetear report ${run} --results DIR`;
}

/** How to come back to a run that goes on without us. */
export function detachHint(run: string): string {
  return [
    `Detached. The run ${run} goes on:`,
    `  onetear watch ${run}    follow it again`,
    `  onetear cancel ${run}   end it, with recovery and teardown`,
    `  onetear report ${run}   its reports, when it has ended`,
  ].join('\n');
}

/** Asks the suite workflow to end: what runs is cancelled, faults are recovered, after hooks run. Waits for the server. */
export async function cancelRun(link: ServerLink<OpenServer>, root: TailedWorkflow, signal: AbortSignal): Promise<void> {
  await link.call(CANCEL_DEADLINE_MS, signal, ({ client }) => client.workflow.getHandle(root.workflowId).cancel());
}
