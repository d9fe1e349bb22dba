import { decodeHistory } from '../activities/history/decode-history.ts';
import type { FaultState } from '../dsl/model/result.ts';
import { WORKFLOW } from '../dsl/model/workflow-io.ts';
import { createFaultStates, faultInputOf } from '../report/fault-states.ts';
import { createJournalReader } from '../report/journal-reader.ts';
import type { OpenServer } from './open-server.ts';

/** A fault on one node that is not confirmed undone. */
export interface LiveFault {
  readonly workflowId: string;
  readonly run: string;
  readonly testcase: string;
  readonly step: string;
  readonly name: string;
  readonly node: string;
  readonly state: FaultState;
  /** Epoch ms since when it is in this state. */
  readonly since: number;
  readonly undo: string;
}

/**
 * The live faults of all runs, from the open `fault` workflows: one per node that is not recovered. Visibility is eventually
 * consistent, so what it calls open is looked up in its history, which is not.
 */
export async function liveFaults(server: OpenServer): Promise<readonly LiveFault[]> {
  const found: LiveFault[] = [];
  const query = `WorkflowType = '${WORKFLOW.fault}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId, runId } of server.client.workflow.list({ query })) {
    const { events } = await server.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const history = await decodeHistory(events ?? [], { workflowId, runId }, server.converter);
    const input = faultInputOf(history);
    if (!input || history.facts.some((fact) => fact.kind === 'closed')) continue;
    const now = new Map<string, { state: FaultState; since: number }>(
      input.targets.map(({ node }) => [node.name, { state: 'planned', since: history.startedAt }]),
    );
    const states = createFaultStates(input);
    const reader = createJournalReader();
    for (const moment of history.facts.flatMap(reader.read)) {
      if (moment.kind !== 'fault_state') continue;
      for (const { node, state, at } of states.fromEntry(moment.entry)) now.set(node, { state, since: at });
    }
    for (const { node, undo } of input.targets) {
      const at = now.get(node.name);
      if (!at || at.state === 'recovered') continue;
      found.push({
        workflowId,
        run: input.run.run,
        testcase: input.testcase,
        step: input.step,
        name: input.name,
        node: node.name,
        state: at.state,
        since: at.since,
        undo,
      });
    }
  }
  return found.toSorted((a, b) => a.since - b.since);
}
