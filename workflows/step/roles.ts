import { hasMarks } from '../../dsl/expression/marks.ts';
import { possibleNodes } from '../../dsl/expression/selector.ts';
import { resolveNodes } from '../../dsl/expand/select-nodes.ts';
import { rolesInOrder, rolesOfRole, roleSpec } from '../../dsl/expand/roles.ts';
import type { RoleNames } from '../../dsl/expand/roles.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { RoleDefinition } from '../../dsl/model/suite.ts';
import type { AskRolesInput, RoleAnswer, RoleQuestion, RolesAnswer } from '../../dsl/model/workflow-io.ts';
import { askRoles as callAskRoles } from '../base/activity-calls.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import { addressOf, renderTarget } from './render.ts';
import type { BodyOutcome, LiveRoles, Stage, StepLabel } from './stage.ts';
import { bodyWithoutRun, cancelReason, noteFinished, noteStarted, queueFor, rememberIncarnation, stageScope } from './stage.ts';

const EVERY_MS = 500;

/** Who asks, and under which id: `<id>/roles` is the activity, `<id>/role.<name>` the entry in the report. */
export interface Asking {
  readonly label: StepLabel;
  /** Default the step. */
  readonly id?: string;
  /** False for what is no step of its own (`bind`, the `if` of a testcase): the entries then stand by themselves. */
  readonly isStep?: boolean;
  readonly condition?: { readonly expr: string; readonly windowMs: number; readonly everyMs: number };
}

export type AskOutcome =
  | { readonly kind: 'asked'; readonly roles: LiveRoles }
  /** A role does not hold, or could not be asked: what needs it ends so. */
  | { readonly kind: 'bad'; readonly body: BodyOutcome };

export function roleNames(stage: Stage): RoleNames {
  return { groups: stage.slice.context.groups, roles: Object.keys(stage.slice.definitions.roles) };
}

/**
 * Asks the live cluster for these roles (and those that their selectors name), in one activity. Its answer stands in history; nothing is kept for
 * the next step. Every role is a hook of the step in reports, with an answer per node.
 */
export async function askRoles(stage: Stage, asking: Asking, wanted: readonly string[]): Promise<AskOutcome> {
  const { label } = asking;
  const id = asking.id ?? label.step;
  const startedAt = Date.now();
  let input: Omit<AskRolesInput, 'journal'>;
  try {
    input = makeInput(stage, asking, id, wanted);
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    return { kind: 'bad', body: bodyWithoutRun('broken', error.message) };
  }
  const labels = input.roles.map((question) => roleLabel(stage, asking, id, question.role));
  for (const [index, question] of input.roles.entries()) {
    noteStarted(
      stage,
      labels[index] as StepLabel,
      question.candidates.map(({ node }) => node.name),
      startedAt,
    );
  }
  const activityId = `${id}/roles`;
  const queues = input.roles.flatMap(({ candidates }) => candidates.map(({ node, command }) => queueFor(stage, node, command)));
  const answer = await callAskRoles(
    { ...input, journal: stage.journal.take() },
    {
      activityId,
      summary: `role ${wanted.join(', ')}`,
      // One question that belongs to the host that started the run takes the others there: they are reached from it as well.
      taskQueue: queues.find((queue) => queue === stage.run.queues.host) ?? stage.run.queues.main,
      cancelReason: () => cancelReason(stage),
    },
  );
  for (const [index, question] of input.roles.entries()) {
    const found = answer.roles.find((each) => each.role === question.role);
    noteFinished(
      stage,
      labels[index] as StepLabel,
      question.candidates.map(({ node }) => node.name),
      startedAt,
      roleBody(answer, found, `${activityId}:${question.role}`),
    );
    for (const result of found?.results ?? []) rememberIncarnation(stage, result);
  }
  if (answer.verdict !== 'passed') return { kind: 'bad', body: bodyWithoutRun(answer.verdict, answer.reason) };
  return { kind: 'asked', roles: liveRoles(input.roles, answer) };
}

function makeInput(stage: Stage, asking: Asking, id: string, wanted: readonly string[]): Omit<AskRolesInput, 'journal'> {
  const { definitions, context } = stage.slice;
  const names = roleNames(stage);
  const order = rolesInOrder(wanted, definitions.roles, names);
  const roles = order.map((role) => question(stage, id, definitions.roles[role] as RoleDefinition, names));
  const { condition } = asking;
  return {
    v: 1,
    run: stage.run,
    // Several asks of one step must not share their jobs on the nodes.
    address: { ...addressOf(stage, asking.label), step: `${id}/roles` },
    roles,
    ...(roles.some((each) => each.nodes !== undefined) && { selection: { nodes: context.nodes, groups: context.groups } }),
    ...(condition && { condition: { expr: condition.expr, windowMs: condition.windowMs, scope: stageScope(stage) } }),
    everyMs: condition?.everyMs ?? EVERY_MS,
  };
}

function question(stage: Stage, id: string, role: RoleDefinition, names: RoleNames): RoleQuestion {
  const spec = roleSpec(stage.slice, role);
  const isDependent = rolesOfRole(role, names).length > 0;
  return {
    role: role.name,
    expect: role.expect,
    withinMs: role.withinMs,
    timeoutMs: spec.timeoutMs,
    ...(isDependent && role.nodes !== undefined && { nodes: role.nodes }),
    candidates: candidateNodes(stage, role, names, isDependent).map((node) => {
      const { command, match, scope } = renderTarget(stage, `${id}/role.${role.name}`, spec, node);
      return { node, command, match, scope };
    }),
  };
}

function candidateNodes(stage: Stage, role: RoleDefinition, names: RoleNames, isDependent: boolean): readonly Node[] {
  const { context } = stage.slice;
  const selector = role.nodes ?? 'all';
  if (isDependent && !hasMarks(selector)) return possibleNodes(selector, { ...context, roles: new Set(names.roles) });
  return resolveNodes(selector, context, {
    scope: { values: stageScope(stage) },
    seed: stage.run.seed,
    draw: [],
    roleNames: names.roles,
  });
}

function roleLabel(stage: Stage, asking: Asking, id: string, role: string): StepLabel {
  const { label, isStep = true } = asking;
  return {
    step: `${id}/role.${role}`,
    kind: 'hook',
    phase: label.phase,
    name: role,
    title: `role ${role}`,
    continueOnError: false,
    location: (stage.slice.definitions.roles[role] as RoleDefinition).location,
    ...(isStep && { parent: label.step }),
  };
}

function roleBody(answer: RolesAnswer, found: RoleAnswer | undefined, activity: string): BodyOutcome {
  if (!found) return bodyWithoutRun('broken', answer.reason);
  const bad = found.held ? {} : { reason: answer.reason ?? answer.verdict };
  return {
    // A role that held while another did not is not to blame.
    verdict: found.held ? 'passed' : answer.verdict,
    ...bad,
    results: found.results,
    activities: [activity],
    checks: [],
    outputs: { nodes: found.nodes, rounds: answer.rounds },
  };
}

function liveRoles(questions: readonly RoleQuestion[], answer: RolesAnswer): LiveRoles {
  return Object.fromEntries(
    answer.roles.map(({ role, nodes }) => {
      const candidates = questions.find((each) => each.role === role)?.candidates ?? [];
      return [role, candidates.map(({ node }) => node).filter((node) => nodes.includes(node.name))];
    }),
  );
}
