import type { NodeResult, StreamExcerpt } from '../../dsl/model/result.ts';

/** All results of a fan-out together, as JSON; Temporal takes 2 MiB in one event. */
const TOTAL_CHARS = 1_000_000;
/** For everything but texts and outputs of one result. */
const FRAME_CHARS = 1_500;
const REASON_CHARS = 1_000;

/**
 * Results cut so that all of them fit into one event. A text that is cut says so, and is then no value of an expression. What a later expression
 * needs whole (outputs, a kept stdout) and does not fit makes its node broken, never shorter.
 */
export function fitted(results: readonly NodeResult[]): readonly NodeResult[] {
  const share = Math.max(500, Math.floor(TOTAL_CHARS / Math.max(1, results.length)) - FRAME_CHARS);
  return results.map((result) => fit(result, share));
}

function fit(result: NodeResult, share: number): NodeResult {
  const { fullStdout, ...rest } = result;
  const size = JSON.stringify(result.outputs).length + (fullStdout === undefined ? 0 : JSON.stringify(fullStdout).length);
  const isTooLarge = size > share;
  // Whatever the outputs leave is for texts, a third of it for stderr.
  const room = isTooLarge ? share : share - size;
  const whole: NodeResult = {
    ...rest,
    ...(result.reason !== undefined && { reason: result.reason.slice(0, REASON_CHARS) }),
    ...(fullStdout !== undefined && !isTooLarge && { fullStdout }),
    stdout: cut(result.stdout, Math.floor((room * 2) / 3)),
    stderr: cut(result.stderr, Math.floor(room / 3)),
    checks: result.checks.filter((check) => check.ok !== true).slice(0, 2),
    earlierTries: result.earlierTries.slice(-2).map((each) => ({ ...each, reason: each.reason.slice(0, 100) })),
  };
  if (!isTooLarge) return whole;
  const reason = `what later expressions read of this node takes ${size} characters, more than the ${share} that one of so many nodes may have`;
  return { ...whole, outputs: {}, verdict: 'broken', reason: result.reason === undefined ? reason : `${whole.reason}; ${reason}` };
}

/** By characters as they stand in JSON: a control character takes six. */
function cut(excerpt: StreamExcerpt, chars: number): StreamExcerpt {
  if (JSON.stringify(excerpt.text).length <= chars) return excerpt;
  let text = excerpt.text.slice(0, chars);
  while (JSON.stringify(text).length > chars) text = text.slice(0, Math.floor(text.length / 2));
  return { ...excerpt, text, truncated: true };
}
