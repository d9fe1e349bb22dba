import type { JournalEntry } from '../dsl/model/journal.ts';
import type { StepRecord } from '../dsl/model/record.ts';
import type { NodeResult } from '../dsl/model/result.ts';
import { SIGNAL } from '../dsl/model/workflow-io.ts';
import type { FaultSignal, RolesAnswer } from '../dsl/model/workflow-io.ts';
import type { Fact } from './facts.ts';

type Entry<T extends JournalEntry['type']> = Extract<JournalEntry, { readonly type: T }>;

/** A journal entry with everything it names looked up. */
export type Moment =
  | { readonly kind: 'step_started'; readonly entry: Entry<'step_started'> }
  | { readonly kind: 'step_finished'; readonly step: StepRecord }
  | { readonly kind: 'testcase_skipped'; readonly entry: Entry<'testcase_skipped'> }
  | { readonly kind: 'fault_state'; readonly entry: Entry<'fault_state'> };

/** Reads the journal out of one workflow's facts, fed in order. */
export interface JournalReader {
  /**
   * What this fact made known. A step that finished is held back until the results of all activities it names are here, or the
   * workflow is closed. Each step is started and finished once, however often its entries are carried.
   */
  readonly read: (fact: Fact) => Moment[];
  /** A fact of a `fanout` child of this workflow: its activities are those of this workflow's steps. */
  readonly readChild: (fact: Fact) => Moment[];
}

/** A reader for one workflow execution. Keeps results only until the step that names them has finished. */
export function createJournalReader(): JournalReader {
  const state: ReaderState = {
    results: new Map(),
    open: new Map(),
    faultResults: new Map(),
    started: new Map(),
    finished: new Set(),
    waiting: [],
  };
  return {
    read: (fact) => readFact(fact, state),
    readChild: (fact) => (fact.kind === 'activity_scheduled' || fact.kind === 'activity_finished' ? readFact(fact, state) : []),
  };
}

interface ReaderState {
  /** Activity id (of a role: `<activity id>:<role>`) → results, not yet named by a step. */
  readonly results: Map<string, readonly NodeResult[]>;
  /** Activities scheduled and not finished → their node; empty when they have none. */
  readonly open: Map<string, string>;
  /** Chaos step → what its fault workflow reported. */
  readonly faultResults: Map<string, readonly NodeResult[]>;
  readonly started: Map<string, Entry<'step_started'>>;
  readonly finished: Set<string>;
  waiting: Entry<'step_finished'>[];
}

function readFact(fact: Fact, state: ReaderState): Moment[] {
  if (fact.kind === 'activity_scheduled') {
    state.open.set(fact.activityId, nodeOf(fact.input));
    return readEntries(journalOf(fact.input), state);
  }
  if (fact.kind === 'activity_finished') {
    const node = state.open.get(fact.activityId);
    state.open.delete(fact.activityId);
    const result = fact.status === 'completed' ? fact.result : fact.detail;
    if (isNodeResult(result)) state.results.set(fact.activityId, [result]);
    else if (isRolesAnswer(result)) for (const each of result.roles) state.results.set(`${fact.activityId}:${each.role}`, each.results);
    else if (node) state.results.set(fact.activityId, [lostResult(node, fact)]);
    return releaseWaiting(state, false);
  }
  if (fact.kind === 'memo_journal') return readEntries(fact.journal, state);
  if (fact.kind === 'signal') {
    if (fact.name === SIGNAL.faultState && isFaultSignal(fact.payload)) {
      const known = state.faultResults.get(fact.payload.step) ?? [];
      state.faultResults.set(fact.payload.step, [...known, ...(fact.payload.results ?? [])]);
    }
    return [];
  }
  if (fact.kind === 'closed') {
    return [...readEntries(journalOf(fact.result), state), ...releaseWaiting(state, true), ...abandonedSteps(fact, state)];
  }
  return [];
}

function readEntries(entries: readonly JournalEntry[], state: ReaderState): Moment[] {
  return entries.flatMap((entry) => readEntry(entry, state));
}

function readEntry(entry: JournalEntry, state: ReaderState): Moment[] {
  if (entry.type === 'testcase_skipped') return [{ kind: 'testcase_skipped', entry }];
  if (entry.type === 'fault_state') return [{ kind: 'fault_state', entry }];
  if (entry.type === 'step_started') {
    if (state.started.has(entry.step) || state.finished.has(entry.step)) return [];
    state.started.set(entry.step, entry);
    return [{ kind: 'step_started', entry }];
  }
  if (state.finished.has(entry.step)) return [];
  state.finished.add(entry.step);
  if (isComplete(entry, state)) return [finish(entry, state)];
  state.waiting.push(entry);
  return [];
}

function isComplete(entry: Entry<'step_finished'>, state: ReaderState): boolean {
  return entry.activities.every((id) => !state.open.has(id));
}

function releaseWaiting(state: ReaderState, closed: boolean): Moment[] {
  if (state.waiting.length === 0) return [];
  const ready = state.waiting.filter((entry) => closed || isComplete(entry, state));
  state.waiting = state.waiting.filter((entry) => !ready.includes(entry));
  return ready.map((entry) => finish(entry, state));
}

function finish(entry: Entry<'step_finished'>, state: ReaderState): Moment {
  const results = entry.activities.flatMap((id) => state.results.get(id) ?? []);
  for (const id of entry.activities) state.results.delete(id);
  const fromFault = entry.kind === 'chaos' && results.length === 0 ? state.faultResults.get(entry.step) : undefined;
  const started = state.started.get(entry.step);
  state.started.delete(entry.step);
  return {
    kind: 'step_finished',
    step: {
      step: entry.step,
      kind: entry.kind,
      name: entry.name,
      title: entry.title,
      phase: entry.phase,
      verdict: entry.verdict,
      ...(entry.reason === undefined ? {} : { reason: entry.reason }),
      tries: entry.tries,
      cached: entry.cached,
      startedAt: entry.startedAt,
      finishedAt: entry.at,
      nodes: entry.nodes,
      results: fromFault ?? results,
      outputs: entry.outputs,
      continueOnError: entry.continueOnError,
      ...locationOf(started),
      ...(entry.parent === undefined ? {} : { parent: entry.parent }),
      ...(entry.checks.length === 0 ? {} : { checks: entry.checks }),
    },
  };
}

/** Steps that were under way when their workflow was ended from outside: nobody knows how they went, so they are broken. */
function abandonedSteps(fact: Extract<Fact, { kind: 'closed' }>, state: ReaderState): Moment[] {
  const open = [...state.started.values()];
  state.started.clear();
  return open.map((entry) => {
    state.finished.add(entry.step);
    return {
      kind: 'step_finished',
      step: {
        step: entry.step,
        kind: entry.kind,
        name: entry.name,
        title: entry.title,
        phase: entry.phase,
        verdict: 'broken',
        reason: `not finished when its workflow was ${fact.status.replaceAll('_', ' ')}`,
        tries: 0,
        cached: false,
        startedAt: entry.at,
        finishedAt: Math.max(entry.at, fact.at),
        nodes: entry.nodes,
        results: [],
        outputs: {},
        continueOnError: false,
        ...locationOf(entry),
        ...(entry.parent === undefined ? {} : { parent: entry.parent }),
      },
    };
  });
}

function locationOf(entry: Entry<'step_started'> | undefined): Pick<StepRecord, 'location'> {
  if (entry?.file === undefined || entry.line === undefined) return {};
  return { location: { file: entry.file, line: entry.line, column: 1 } };
}

/** The journal that rides on an activity's input or a workflow's result; empty when there is none. */
export function journalOf(carrier: unknown): readonly JournalEntry[] {
  if (typeof carrier !== 'object' || carrier === null || !('journal' in carrier)) return [];
  return Array.isArray(carrier.journal) ? (carrier.journal as readonly JournalEntry[]) : [];
}

function nodeOf(input: unknown): string {
  const node = typeof input === 'object' && input !== null && 'node' in input && 'address' in input ? input.node : undefined;
  return typeof node === 'object' && node !== null && 'name' in node && typeof node.name === 'string' ? node.name : '';
}

/** What is left of an activity that ended without a result: cancelled before it began, timed out with its worker, or a bug of ours. */
function lostResult(node: string, fact: Extract<Fact, { kind: 'activity_finished' }>): NodeResult {
  const nothing = { text: '', bytes: 0, truncated: false };
  const reasons = {
    completed: 'no result',
    failed: 'command lost',
    cancelled: 'cancelled',
    timed_out: 'command lost: no answer from its worker',
  };
  return {
    node,
    verdict: 'broken',
    reason: fact.message && fact.status === 'failed' ? fact.message : reasons[fact.status],
    exitCode: null,
    timedOut: false,
    stdout: nothing,
    stderr: nothing,
    checks: [],
    outputs: {},
    durationMs: 0,
    startedAt: fact.at,
    finishedAt: fact.at,
    tries: fact.status === 'cancelled' ? 0 : 1,
    earlierTries: [],
    cached: false,
  };
}

function isNodeResult(value: unknown): value is NodeResult {
  return typeof value === 'object' && value !== null && 'node' in value && 'verdict' in value && 'stdout' in value && 'stderr' in value;
}

function isRolesAnswer(value: unknown): value is RolesAnswer {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'roles' &&
    'roles' in value &&
    Array.isArray(value.roles)
  );
}

function isFaultSignal(value: unknown): value is FaultSignal {
  return typeof value === 'object' && value !== null && 'step' in value && 'state' in value;
}
