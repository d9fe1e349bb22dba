import { evaluateCondition, ExpressionError } from '../../dsl/expression/cel.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import { selectNodes, SelectorError } from '../../dsl/expression/selector.ts';
import { roleHolds } from '../../dsl/expand/roles.ts';
import { roleValue } from '../../dsl/expand/scope.ts';
import type { AskRolesInput, RoleAnswer, RoleQuestion, RolesAnswer } from '../../dsl/model/workflow-io.ts';
import { type Attendance, cancelled, currentAttendance, detached, pause, stepFailed, withHeartbeat } from '../attendance.ts';
import type { ActivityDeps } from '../deps.ts';
import { createQuestions, type Questions } from './questions.ts';
import { judgeRole, rolesReason } from './role-answer.ts';

/**
 * Activity `askRoles`: who has which role now. Asks every candidate node, round after round, until each role's `expect` and the condition hold in
 * one and the same round, or the window is over. Nothing is remembered from one round to the next, or from one activity to another.
 *
 * A question changes nothing, so it may be asked again at will: if this process dies at any line, the next attempt begins with a first round and a
 * window of its own. What was asked meanwhile ends on the node by its own limit and is read by nobody.
 */
export function createAskRoles(deps: ActivityDeps): (input: AskRolesInput) => Promise<RolesAnswer> {
  return (input) => askRoles(deps, input, currentAttendance());
}

/** The activity with its attendance given; for tests without a server. */
export async function askRoles(deps: ActivityDeps, input: AskRolesInput, attendance: Attendance): Promise<RolesAnswer> {
  let rounds = 0;
  const questions = createQuestions(deps, input, attendance);
  try {
    const answer = await withHeartbeat(
      attendance,
      () => ({ rounds }),
      () =>
        askUntilHeld(input, questions, attendance, (count) => {
          rounds = count;
        }),
    );
    if (answer.verdict === 'passed') return answer;
    throw stepFailed(answer, 'never');
  } finally {
    questions.close();
  }
}

async function askUntilHeld(
  input: AskRolesInput,
  questions: Questions,
  attendance: Attendance,
  onRound: (count: number) => void,
): Promise<RolesAnswer> {
  const { condition } = input;
  const windowMs = condition?.windowMs ?? Math.max(...input.roles.map((role) => role.withinMs));
  const began = performance.now();
  for (let rounds = 1; ; rounds++) {
    onRound(rounds);
    const roundBegan = performance.now();
    const roles = await askOnce(input, questions);
    const stop = attendance.stopped();
    if (stop === 'detach') throw detached();
    const held = roles.every((role) => role.held);
    const met = held ? conditionMet(condition, input, roles) : undefined;
    const answer = { kind: 'roles' as const, rounds, roles };
    if (stop === 'cancel') throw cancelled({ ...answer, verdict: 'broken', reason: 'cancelled' });
    if (met === true) return { ...answer, verdict: 'passed' };
    const dueInMs = Math.max(0, input.everyMs - (performance.now() - roundBegan));
    if (performance.now() - began + dueInMs >= windowMs) return endedBadly(answer, input, windowMs, met);
    await pause(attendance, dueInMs);
  }
}

/** One round: the roles in their order, because a selector may name the answers of those before. */
async function askOnce(input: AskRolesInput, questions: Questions): Promise<RoleAnswer[]> {
  const answers: { [role: string]: readonly string[] } = {};
  const round: RoleAnswer[] = [];
  // Roles that depend on no other are asked at the same time.
  const free = input.roles.filter((role) => role.nodes === undefined);
  const early = new Map((await Promise.all(free.map((role) => askRole(role, questions)))).map((answer) => [answer.role, answer]));
  for (const role of input.roles) {
    const answer = early.get(role.role) ?? (await askDependent(role, input, answers, questions));
    answers[role.role] = answer.nodes;
    round.push(answer);
  }
  return round;
}

async function askRole(question: RoleQuestion, questions: Questions): Promise<RoleAnswer> {
  return judgeRole(question, await questions.ask(question, question.candidates));
}

/** A selector that names roles may match nothing in this round: then nobody is asked, and nobody has the role. */
async function askDependent(
  question: RoleQuestion,
  input: AskRolesInput,
  roles: { readonly [role: string]: readonly string[] },
  questions: Questions,
): Promise<RoleAnswer> {
  const { nodes = [], groups = {} } = input.selection ?? {};
  try {
    const chosen = new Set(selectNodes(question.nodes ?? 'all', { nodes, groups, roles }).map((node) => node.name));
    const candidates = question.candidates.filter((candidate) => chosen.has(candidate.node.name));
    return judgeRole(question, await questions.ask(question, candidates));
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { role: question.role, held: roleHolds(question.expect, 0, 0), nodes: [], results: [], reason: error.message };
  }
}

/** True, false, or why it cannot be told in this round. */
function conditionMet(condition: AskRolesInput['condition'], input: AskRolesInput, answers: readonly RoleAnswer[]): boolean | string {
  if (!condition) return true;
  const roles = Object.fromEntries(
    answers.map((answer) => {
      const candidates = input.roles.find((question) => question.role === answer.role)?.candidates ?? [];
      return [answer.role, roleValue(candidates.map(({ node }) => node).filter((node) => answer.nodes.includes(node.name)))];
    }),
  );
  try {
    return evaluateCondition(condition.expr, { values: { ...condition.scope, roles } });
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return error.message;
  }
}

function endedBadly(
  answer: Pick<RolesAnswer, 'kind' | 'rounds' | 'roles'>,
  input: AskRolesInput,
  windowMs: number,
  met: boolean | string | undefined,
): RolesAnswer {
  const { condition } = input;
  if (condition && met !== undefined) {
    const reason = `not within ${formatDuration(windowMs)}: ${condition.expr}: ${met === false ? 'it is false' : met}`;
    return { ...answer, verdict: met === false ? 'failed' : 'broken', reason };
  }
  const { verdict, reason } = rolesReason(input.roles, answer.roles, windowMs);
  return { ...answer, verdict, reason };
}
