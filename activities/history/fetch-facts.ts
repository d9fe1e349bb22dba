import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';
import type { WorkflowFacts } from '../../report/facts.ts';
import { decodeHistory } from './decode-history.ts';
import type { Execution } from './decode-history.ts';

export interface FetchedHistory {
  readonly facts: WorkflowFacts;
  readonly history: temporal.api.history.v1.IHistory;
}

/** The whole history of one execution, raw and as facts. Rejects when the server does not know it. */
export async function fetchFacts(client: Client, execution: Execution): Promise<FetchedHistory> {
  const handle = client.workflow.getHandle(execution.workflowId, execution.runId, { followRuns: false });
  const history = await handle.fetchHistory();
  return { facts: await decodeHistory(history.events ?? [], execution, client.options.loadedDataConverter), history };
}

/** Protobuf JSON of a history, the form that Temporal's own tools read and that `replay` needs. */
export function historyJson(history: temporal.api.history.v1.IHistory): string {
  return historyToJSON(history);
}
