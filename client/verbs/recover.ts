import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { SIGNAL } from '../../dsl/model/workflow-io.ts';
import { EXIT } from '../../report/exit-code.ts';
import { usageError } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import type { ConnectionOptions } from '../cli/options.ts';
import { homeOf } from '../home.ts';
import { liveFaults } from '../live-faults.ts';
import { plural } from '../load-plan.ts';
import { openServer, type OpenServer } from '../open-server.ts';
import { visibleLine } from '../../report/terminal/terminal-text.ts';
import { readRun } from '../runs-index.ts';

export interface RecoverOptions extends ConnectionOptions {
  readonly all?: true;
  /** Seconds to wait for the confirmation. */
  readonly within: string;
}

/**
 * `onetear recover [RUN|--all]`: tells the fault workflows to recover now and waits until they confirm it. Exit 0 when all
 * did, 10 when some are still owed after `--within`; they go on trying either way.
 */
export async function recover(run: string | undefined, options: RecoverOptions, io: CliIo): Promise<number> {
  if ((run === undefined) === (options.all === undefined)) throw usageError('CLI_USAGE', 'say which: a run, or --all');
  const withinMs = Number(options.within) * 1000;
  if (!(withinMs > 0)) throw usageError('CLI_USAGE', `--within ${options.within} is not a number of seconds`);
  const only = run === undefined ? undefined : (await readRun(homeOf(io), run)).run;
  const server = await openServer({ ...options, worker: true }, io, (text) => io.err(`${text}\n`));
  try {
    const live = (await liveFaults(server)).filter((fault) => only === undefined || fault.run === only);
    if (live.length === 0) {
      io.err('No live faults.\n');
      return EXIT.passed;
    }
    const workflows = [...new Set(live.map(({ workflowId }) => workflowId))];
    for (const workflowId of workflows) await release(server, workflowId);
    const left = new Set(await stillOpen(server, workflows, Date.now() + withinMs));
    for (const fault of live) {
      const what = `${visibleLine(fault.name)} on ${visibleLine(fault.node)} (run ${fault.run})`;
      io.err(left.has(fault.workflowId) ? `still owed: ${what}\n  undo by hand: ${visibleLine(fault.undo)}\n` : `recovered: ${what}\n`);
    }
    if (left.size > 0) io.err(`${plural(left.size, 'fault')} not confirmed undone within ${options.within} s; onetear goes on trying\n`);
    return left.size === 0 ? EXIT.passed : EXIT.recoveryOwed;
  } finally {
    await server.connection.close();
  }
}

async function release(server: OpenServer, workflowId: string): Promise<void> {
  try {
    await server.client.workflow.getHandle(workflowId).signal(SIGNAL.release, { reason: 'onetear recover' });
  } catch (error) {
    // Closed in the meantime: recovered.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

async function stillOpen(server: OpenServer, workflows: readonly string[], deadline: number): Promise<readonly string[]> {
  let open = workflows;
  for (;;) {
    const states = await Promise.all(open.map(async (id) => (await server.client.workflow.getHandle(id).describe()).status.name));
    open = open.filter((_, index) => states[index] === 'RUNNING');
    if (open.length === 0 || Date.now() > deadline) return open;
    await sleep(300);
  }
}
