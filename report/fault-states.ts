import type { FaultRecord } from '../dsl/model/record.ts';
import type { FaultState } from '../dsl/model/result.ts';
import type { FaultInput, FaultResult } from '../dsl/model/workflow-io.ts';
import { WORKFLOW } from '../dsl/model/workflow-io.ts';
import type { FaultMoment } from './event-builders.ts';
import type { Fact, WorkflowFacts } from './facts.ts';
import { createJournalReader } from './journal-reader.ts';
import type { Moment } from './journal-reader.ts';

/** Follows one fault: every state of every node once, whoever tells it (the fault's journal, its result, the owner's history). */
export interface FaultStates {
  readonly fromEntry: (entry: Extract<Moment, { kind: 'fault_state' }>['entry']) => FaultMoment[];
  readonly fromResult: (result: FaultResult, at: number) => FaultMoment[];
  /** Every node is recovered, or owed, or was never touched. */
  readonly settled: () => boolean;
}

export function createFaultStates(input: FaultInput): FaultStates {
  const seen = new Map<string, FaultState[]>(input.targets.map((target) => [target.node.name, []]));
  const undoOf = (node: string): string | undefined => input.targets.find((target) => target.node.name === node)?.undo;
  const add = (node: string, state: FaultState, at: number, reason: string | undefined, undo?: string): FaultMoment[] => {
    const states = seen.get(node) ?? [];
    if (states.includes(state)) return [];
    seen.set(node, [...states, state]);
    return [{ step: input.step, name: input.name, node, id: input.id, state, at, reason, undo: undo ?? undoOf(node) }];
  };
  return {
    fromEntry: (entry) => entry.nodes.flatMap((node) => add(node, entry.state, entry.at, entry.reason, entry.undo[node])),
    fromResult: (result, at) => {
      const owed = result.owed.flatMap((debt) => add(debt.node, 'owed', at, undefined, debt.undo));
      const owing = new Set(result.owed.map((debt) => debt.node));
      const ended = [...seen].flatMap(([node, states]) => {
        const last = states.at(-1);
        // A journal that told the end is more exact than the result, which speaks of all nodes together.
        if (owing.has(node) || last === 'recovered' || last === 'void' || (result.state !== 'recovered' && result.state !== 'void'))
          return [];
        return add(node, result.state, at, undefined);
      });
      return [...owed, ...ended];
    },
    settled: () => [...seen.values()].every((states) => states.includes('recovered') || states.includes('owed')),
  };
}

/** Input of a fault workflow, from its own history or from the event that started it. */
export function faultInputOf(workflow: { readonly workflowType: string; readonly input: unknown }): FaultInput | undefined {
  return workflow.workflowType === WORKFLOW.fault && typeof workflow.input === 'object' && workflow.input !== null
    ? (workflow.input as FaultInput)
    : undefined;
}

export function isFaultResult(value: unknown): value is FaultResult {
  return typeof value === 'object' && value !== null && 'id' in value && 'state' in value && 'owed' in value && Array.isArray(value.owed);
}

/**
 * The faults of a testcase attempt, one record per fault and node. A fault that is owed lives on after its testcase: what happens to
 * it later belongs to no record, so only entries up to `until` count, and the record is the same whenever it is made.
 */
export function faultRecords(testcase: WorkflowFacts, faults: readonly WorkflowFacts[], until: number): FaultRecord[] {
  const records = new Map<string, { fault: FaultMoment; states: FaultRecord['states'][number][] }>();
  const note = (moments: readonly FaultMoment[]): void => {
    for (const moment of moments) {
      const key = `${moment.id}\n${moment.node}`;
      const record = records.get(key) ?? { fault: moment, states: [] };
      record.states.push({ state: moment.state, at: moment.at, ...(moment.reason === undefined ? {} : { reason: moment.reason }) });
      records.set(key, record);
    }
  };
  for (const started of testcase.facts) {
    const input = started.kind === 'child_started' ? faultInputOf(started) : undefined;
    if (!input || started.kind !== 'child_started') continue;
    const states = createFaultStates(input);
    const reader = createJournalReader();
    const own = faults.find((fault) => fault.workflowId === started.workflowId);
    for (const fact of own?.facts ?? []) {
      for (const moment of reader.read(fact)) {
        if (moment.kind === 'fault_state' && moment.entry.at <= until) note(states.fromEntry(moment.entry));
      }
    }
    const ended = testcase.facts.find((fact): fact is Extract<Fact, { kind: 'child_finished' }> => {
      return fact.kind === 'child_finished' && fact.workflowId === started.workflowId;
    });
    if (ended && isFaultResult(ended.result)) note(states.fromResult(ended.result, ended.at));
  }
  return [...records.values()].map(({ fault, states }) => ({
    id: fault.id,
    step: fault.step,
    name: fault.name,
    node: fault.node,
    undo: fault.undo ?? '',
    states: states.toSorted((a, b) => a.at - b.at),
  }));
}
