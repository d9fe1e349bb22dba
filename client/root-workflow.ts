import { WorkflowNotFoundError } from '@temporalio/client';
import type { RunRecord } from '../dsl/model/record.ts';
import { EXIT } from '../report/exit-code.ts';
import { CliError } from './cli/cli-error.ts';
import type { TailedWorkflow } from './follow/history-tail.ts';
import type { OpenServer } from './open-server.ts';

/** The suite workflow of a run on this server. Throws a CliError (exit 11) when the server does not know it. */
export async function rootOf(server: OpenServer, record: RunRecord): Promise<TailedWorkflow> {
  try {
    const { runId } = await server.client.workflow.getHandle(record.workflowId).describe();
    return { workflowId: record.workflowId, runId };
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const message = `the server does not know run ${record.run}: it was started on another one, or its history was deleted`;
    throw new CliError('RUN_NOT_ON_SERVER', EXIT.unreachable, message, {
      hint: 'Name its server with --address, --namespace or --profile.',
    });
  }
}
