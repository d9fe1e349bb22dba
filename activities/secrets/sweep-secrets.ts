import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { WORKFLOW } from '../../dsl/model/workflow-io.ts';
import type { ActivityDeps } from '../deps.ts';
import { homePaths } from '../store/home-paths.ts';
import { listRunSecrets, readRunSecrets, removeRunSecrets, type RunSecretsFile } from '../store/run-secrets-file.ts';
import { forgetSecrets } from './run-secrets.ts';

/** A run that is being started has its file before the server knows it. */
const STARTING_MS = 10 * 60_000;
/** Lists of open workflows lag behind. */
const SETTLED_MS = 60_000;
const FAULT_ID = 'onetear/fault/';

/**
 * Removes the secrets of runs that are over and owe nothing: of those that were terminated, that owed a recovery which came later, or whose
 * starter died before the start. Only of runs on this worker's server, and only when that server says so; what cannot be asked stays.
 */
export async function sweepSecrets(deps: ActivityDeps, client: Client): Promise<readonly string[]> {
  const home = homePaths(deps.homeDir);
  const removed: string[] = [];
  for (const { run, ageMs } of await listRunSecrets(home)) {
    const file = readRunSecrets(home, run);
    if (file === undefined || ageMs < SETTLED_MS || !isOurs(file, deps.server)) continue;
    if (!(await isOver(client, file, ageMs))) continue;
    removeRunSecrets(home, run);
    forgetSecrets(deps, run);
    removed.push(run);
  }
  return removed;
}

/** An embedded server moves to other ports, but its queue is its host's alone. */
function isOurs({ server }: RunSecretsFile, own: ActivityDeps['server']): boolean {
  if (own === undefined || own.queue !== server.queue || own.namespace !== server.namespace) return false;
  return own.address === server.address || server.queue.startsWith('onetear-host-');
}

async function isOver(client: Client, { run, workflowId }: RunSecretsFile, ageMs: number): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    if (status.name === 'RUNNING' || status.name === 'PAUSED') return false;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    if (ageMs < STARTING_MS) return false;
  }
  const query = `WorkflowType = '${WORKFLOW.fault}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId: fault } of client.workflow.list({ query })) {
    if (fault.startsWith(`${FAULT_ID}${run}/`)) return false;
  }
  return true;
}
