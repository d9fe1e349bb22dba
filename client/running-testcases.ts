import { decodeHistory } from '../activities/history/decode-history.ts';
import { WORKFLOW } from '../dsl/model/workflow-io.ts';
import { testcaseInputOf } from '../report/project-record.ts';
import type { TailedWorkflow } from './follow/history-tail.ts';
import type { OpenServer } from './open-server.ts';

/** Testcases of a run that run now: id → workflow id of the running attempt. */
export async function runningTestcases(server: OpenServer, parent: TailedWorkflow): Promise<ReadonlyMap<string, string>> {
  const { events } = await server.client.workflow.getHandle(parent.workflowId, parent.runId).fetchHistory();
  const { facts } = await decodeHistory(events ?? [], parent, server.converter);
  const ended = new Set(facts.flatMap((fact) => (fact.kind === 'child_finished' ? [fact.workflowId] : [])));
  const running = new Map<string, string>();
  for (const fact of facts) {
    if (fact.kind !== 'child_started' || ended.has(fact.workflowId)) continue;
    if (fact.workflowType === WORKFLOW.shard) {
      for (const [id, workflowId] of await runningTestcases(server, fact)) running.set(id, workflowId);
    }
    const input = testcaseInputOf(fact);
    if (input) running.set(input.cell.id, fact.workflowId);
  }
  return running;
}
