import { formatDuration } from '../../dsl/expression/duration.ts';
import { roleExpectText, roleHolds } from '../../dsl/expand/roles.ts';
import type { NodeResult, StreamExcerpt } from '../../dsl/model/result.ts';
import type { RoleAnswer, RoleQuestion } from '../../dsl/model/workflow-io.ts';

/** Nodes named in a reason; the rest is counted, and all are in the results. */
const NAMED = 5;
const TEXT_CHARS = 1_024;
const REASON_CHARS = 160;

/** The answer of one role from those of its candidates. A node that could not be asked does not have the role. */
export function judgeRole(question: Pick<RoleQuestion, 'role' | 'expect'>, results: readonly NodeResult[]): RoleAnswer {
  const nodes = results.filter((result) => result.verdict === 'passed').map((result) => result.node);
  return {
    role: question.role,
    held: roleHolds(question.expect, nodes.length, results.length),
    nodes,
    results: results.map(shortened),
  };
}

/** Why the roles do not hold. `broken` when more than half of the nodes of one that does not hold could not be asked: nobody knows who has it. */
export function rolesReason(
  questions: readonly RoleQuestion[],
  answers: readonly RoleAnswer[],
  windowMs: number,
): { readonly verdict: 'failed' | 'broken'; readonly reason: string } {
  const bad = answers.filter((answer) => !answer.held);
  const unknown = bad.some((answer) => answer.results.filter((result) => result.verdict === 'broken').length * 2 > answer.results.length);
  const reason = bad
    .map((answer) => {
      const expect = questions.find((question) => question.role === answer.role)?.expect ?? 'one';
      return roleReason(answer, expect, windowMs);
    })
    .join('; ');
  return { verdict: unknown ? 'broken' : 'failed', reason };
}

function roleReason(answer: RoleAnswer, expect: RoleQuestion['expect'], windowMs: number): string {
  const { results, nodes } = answer;
  const head = `role ${answer.role}: ${roleExpectText(expect, results.length)} expected within ${formatDuration(windowMs)}`;
  if (answer.reason !== undefined) return `${head}, but ${answer.reason}`;
  if (results.length === 0) return `${head}, but there was no node to ask`;
  const count = nodes.length === 0 ? 'none' : `${nodes.length}`;
  const have = `but ${count} of ${results.length} ${nodes.length === 1 ? 'has' : 'have'} it${nodes.length === 0 ? '' : ` (${listed(nodes)})`}`;
  // Those that have it explain too many; the others explain too few.
  const others = results.filter((result) => result.verdict !== 'passed');
  const reasons = others.map((result) => `${result.node}: ${cut(result.reason ?? result.verdict, REASON_CHARS)}`);
  const why = nodes.length > 1 || others.length === 0 ? '' : `: ${listed(reasons, '; ')}`;
  return `${head}, ${have}${why}`;
}

function listed(texts: readonly string[], by = ', '): string {
  const more = texts.length - NAMED;
  return more > 0 ? `${texts.slice(0, NAMED).join(by)} and ${more} more` : texts.join(by);
}

/** Answers of many nodes travel in one result: what a role says is short, and the rest of a long text is not needed. */
function shortened(result: NodeResult): NodeResult {
  const { fullStdout: _full, ...rest } = result;
  return {
    ...rest,
    ...(result.reason !== undefined && { reason: cut(result.reason, REASON_CHARS * 4) }),
    stdout: short(result.stdout),
    stderr: short(result.stderr),
    checks: result.checks.slice(0, 8),
  };
}

function short(excerpt: StreamExcerpt): StreamExcerpt {
  return excerpt.text.length <= TEXT_CHARS ? excerpt : { ...excerpt, text: cut(excerpt.text, TEXT_CHARS), truncated: true };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).replace(/\p{Surrogate}$/u, '')}…`;
}
