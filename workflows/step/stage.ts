import type { CancellationScope } from '@temporalio/workflow';
import { buildScope } from '../../dsl/expand/scope.ts';
import type { Node } from '../../dsl/model/node.ts';
import { runsOnWorker } from '../../dsl/model/command.ts';
import type { Cell, CommandSpec, PlanSlice } from '../../dsl/model/plan.ts';
import type { NodeResult, Phase, StepResult } from '../../dsl/model/result.ts';
import type { Check } from '../../dsl/model/matcher.ts';
import type { Value, ValueMap } from '../../dsl/model/value.ts';
import type { RunInfo } from '../../dsl/model/workflow-io.ts';
import type { Journal } from '../base/journal.ts';
import type { Deferred } from '../base/deferred.ts';

/** What running a step needs to know about the workflow it runs in: a testcase, or the suite for its hooks. */
export interface Stage {
  readonly run: RunInfo;
  readonly slice: PlanSlice;
  /** In the suite a cell without testcase: id, name and params are empty. */
  readonly cell: Cell;
  readonly attempt: number;
  readonly journal: Journal;
  /** Node → incarnation last seen; updated from every result. */
  readonly incarnations: Map<string, string>;
  /** Nodes pinned by the testcase's `bind`. */
  readonly bind: Map<string, Node>;
  /** Steps that have ended, by id. */
  readonly outcomes: Map<string, StepOutcome>;
  /** Moments of a testcase that have come, by name (`kill.started`) → epoch ms. */
  readonly marks?: ReadonlyMap<string, number>;
  /** Cancelled by a cancel or a timeout. */
  readonly work: CancellationScope;
  /** Never cancelled: hooks, recovery, `always()`. */
  readonly cleanup: CancellationScope;
  /** Set once, before `work` is cancelled. */
  readonly stopped: Deferred<Stop>;
}

export interface Stop {
  readonly kind: 'cancel' | 'timeout';
  /** Reason of everything that was cut off, e.g. `cancelled`, `testcase timeout after 3s`. */
  readonly reason: string;
}

/** A step that has ended. */
export interface StepOutcome extends StepResult {
  /** Activity ids of the results, for the journal. */
  readonly activities: readonly string[];
  /** Checks made in the workflow. */
  readonly checks: readonly Check[];
  readonly parent?: string;
}

/** How the body of a step went, before its hooks had their say. */
export interface BodyOutcome {
  readonly verdict: StepResult['verdict'];
  readonly reason?: string;
  readonly results: readonly NodeResult[];
  readonly activities: readonly string[];
  readonly checks: readonly Check[];
  readonly outputs: ValueMap;
}

/** Answers of the roles that were asked for one step, nodes in the order of the suite. Kept for nothing else. */
export type LiveRoles = { readonly [role: string]: readonly Node[] };

/** Everything an expression may name at this moment; per node when one is given, with `roles` when some were asked for it. */
export function stageScope(stage: Stage, node?: Node, roles?: LiveRoles): ValueMap {
  return buildScope({
    run: stage.run,
    context: stage.slice.context,
    testcase: stage.slice.testcase,
    cell: stage.cell,
    attempt: stage.attempt,
    steps: stage.outcomes.values(),
    ...(stage.bind.size > 0 && { bind: Object.fromEntries(stage.bind) }),
    ...(node && { node }),
    ...(roles && { roles }),
  });
}

export function cancelReason(stage: Stage): string {
  return stage.stopped.value?.reason ?? 'cancelled';
}

/**
 * Queue of a step's activities on this node: local nodes are those of the starting host, and so is the place of what runs beside the worker:
 * its records lie there, and no other host could tell whether it was sent.
 */
export function queueFor(stage: Stage, node: Node, command?: Pick<CommandSpec, 'run'>): string {
  return node.connection === 'local' || (command !== undefined && runsOnWorker(command.run))
    ? stage.run.queues.host
    : stage.run.queues.main;
}

export function rememberIncarnation(stage: Stage, result: NodeResult): NodeResult {
  if (result.incarnation !== undefined) stage.incarnations.set(result.node, result.incarnation);
  return result;
}

export function knownIncarnation(stage: Stage, node: Node): { readonly incarnation?: string } {
  const incarnation = stage.incarnations.get(node.name);
  return incarnation === undefined ? {} : { incarnation };
}

/** What a step is called, for its journal entries and results. */
export interface StepLabel {
  readonly step: string;
  readonly kind: StepResult['kind'];
  readonly phase: Phase;
  readonly name: string;
  readonly title: string;
  readonly continueOnError: boolean;
  readonly parent?: string;
  readonly location?: StepResult['location'];
}

export function noteStarted(stage: Stage, label: StepLabel, nodes: readonly string[], at: number): void {
  stage.journal.add({
    type: 'step_started',
    at,
    step: label.step,
    kind: label.kind,
    name: label.name,
    title: label.title,
    phase: label.phase,
    nodes,
    ...(label.parent !== undefined && { parent: label.parent }),
    ...(label.location && { line: label.location.line, file: label.location.file }),
  });
}

/** Writes the end of a step into the journal and makes its outcome. */
export function noteFinished(stage: Stage, label: StepLabel, nodes: readonly string[], startedAt: number, body: BodyOutcome): StepOutcome {
  const finishedAt = Date.now();
  const tries = body.results.reduce((most, result) => Math.max(most, result.tries), 0);
  const cached = body.results.length > 0 && body.results.every((result) => result.cached);
  const shared = {
    step: label.step,
    kind: label.kind,
    name: label.name,
    title: label.title,
    phase: label.phase,
    nodes,
    verdict: body.verdict,
    ...(body.reason !== undefined && { reason: body.reason }),
    ...(label.parent !== undefined && { parent: label.parent }),
    tries,
    cached,
    startedAt,
    continueOnError: label.continueOnError,
    activities: body.activities,
    outputs: body.outputs,
    checks: body.checks,
  };
  stage.journal.add({ type: 'step_finished', at: finishedAt, ...shared });
  return { ...shared, finishedAt, results: body.results, ...(label.location && { location: label.location }) };
}

export const NO_OUTPUTS: { readonly [key: string]: Value } = {};

/** A body that never reached a node. */
export function bodyWithoutRun(verdict: StepResult['verdict'], reason?: string): BodyOutcome {
  return { verdict, ...(reason !== undefined && { reason }), results: [], activities: [], checks: [], outputs: NO_OUTPUTS };
}
