import { WorkflowNotFoundError } from '@temporalio/client';
import { EXIT } from '../../report/exit-code.ts';
import { usageError } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import { nearest } from '../cli/nearest.ts';
import type { ConnectionOptions } from '../cli/options.ts';
import { homeOf } from '../home.ts';
import { openServer, type OpenServer } from '../open-server.ts';
import { rootOf } from '../root-workflow.ts';
import { runningTestcases } from '../running-testcases.ts';
import { readRun } from '../runs-index.ts';
import { SIGNAL } from '../../dsl/model/workflow-io.ts';

/**
 * `onetear cancel RUN [TESTCASE]`: asks and returns (with `--wait` when it has ended). Cancelling what has ended is a usage
 * error: whoever asks believes that something runs.
 */
export async function cancel(
  name: string,
  testcase: string | undefined,
  options: ConnectionOptions & { readonly wait?: true },
  io: CliIo,
): Promise<number> {
  const record = await readRun(homeOf(io), name);
  if (record.status !== 'running')
    throw usageError('CLI_RUN_ENDED', `run ${record.run} has ended: ${record.finished?.verdict ?? record.status}`);
  const server = await openServer({ ...options, worker: 'ignore' }, io, (text) => io.err(`${text}\n`));
  try {
    const root = await rootOf(server, record);
    const handle = server.client.workflow.getHandle(root.workflowId, root.runId);
    if (testcase !== undefined) {
      await cancelOne(server, root, testcase);
      io.err(`Cancelling ${testcase} of run ${record.run}: faults are recovered, after hooks run.\n`);
      return EXIT.passed;
    }
    try {
      await handle.cancel();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw usageError('CLI_RUN_ENDED', `run ${record.run} has ended`);
    }
    io.err(`Cancelling run ${record.run}: faults are recovered, after hooks run. Follow it: onetear watch ${record.run}\n`);
    // Its outcome is told by watch and show; here only that it is over.
    if (options.wait) await handle.result();
    return EXIT.passed;
  } finally {
    await server.connection.close();
  }
}

async function cancelOne(server: OpenServer, root: { workflowId: string; runId: string }, testcase: string): Promise<void> {
  const running = await runningTestcases(server, root);
  const workflowId = running.get(testcase);
  if (workflowId === undefined) {
    const close = nearest(testcase, [...running.keys()]);
    const hint = close === undefined ? `Running now: ${[...running.keys()].join(', ') || 'none'}` : `Did you mean ${close}?`;
    throw usageError('CLI_UNKNOWN_TESTCASE', `testcase ${testcase} does not run now`, hint);
  }
  await server.client.workflow.getHandle(workflowId).signal(SIGNAL.cancelTestcase, { reason: 'onetear cancel' });
}
