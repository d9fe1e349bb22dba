import { formatDuration } from '../../dsl/expression/duration.ts';
import type { Check, MatcherBlock } from '../../dsl/model/matcher.ts';
import type { NodeResult, StreamExcerpt } from '../../dsl/model/result.ts';
import type { RetryReason } from '../../dsl/model/suite.ts';
import type { Expression, ValueMap } from '../../dsl/model/value.ts';
import type { Execution } from '../run-types.ts';
import { textOutput, type Output } from '../nodes/job-output.ts';
import { checkBlock, keepBytesFor } from './check-block.ts';
import { evaluateOutputs } from './evaluate-outputs.ts';
import { type Scan, scanOutput } from './scan-output.ts';
import { needlesOf } from './stream-checks.ts';

/** What a try is judged by. */
export interface JudgeRules {
  readonly node: string;
  readonly expect: MatcherBlock;
  readonly outputs: { readonly [name: string]: Expression };
  readonly scope: ValueMap;
  readonly timeoutMs: number;
  readonly keepStdout: boolean;
  readonly hashStdout: boolean;
  readonly badVerdict: 'failed' | 'void';
  readonly storeDir: string;
}

/** The result of one try, and what kind of failure it was, for `retry.when`. */
export interface Judgement {
  readonly result: NodeResult;
  /** Absent when it passed, and for what no retry can help. */
  readonly failure?: RetryReason;
}

/** Longest stdout that may be named by a later expression, and all outputs of a step together. */
export const INLINE_LIMIT = 16 * 1024;

/** Looks at an execution's end and output, and says how it went. Pure but for the store: the same execution is always judged the same. */
export async function judgeTry(
  execution: Execution,
  rules: JudgeRules,
  tries: Pick<NodeResult, 'tries' | 'earlierTries'>,
): Promise<Judgement> {
  if (execution.kind === 'not_run') {
    return { result: { ...blank(rules.node, tries), verdict: 'broken', reason: execution.why } };
  }
  const streams = await scanBoth(execution.stdout, execution.stderr, rules);
  const base = {
    ...blank(rules.node, tries),
    stdout: excerpt(streams.stdout),
    stderr: excerpt(streams.stderr),
    incarnation: execution.incarnation,
  };
  if (execution.kind === 'lost') return { result: { ...base, verdict: 'broken', reason: execution.why } };

  const ran = {
    ...base,
    exitCode: execution.exitCode,
    timedOut: execution.how === 'timeout',
    durationMs: execution.durationMs,
    startedAt: execution.startedAt,
    finishedAt: execution.finishedAt,
    ...(execution.survivors.length === 0 ? {} : { survivors: execution.survivors }),
  };
  const alive = execution.survivors.length === 0 ? '' : `; still alive: ${execution.survivors.join(', ')}`;
  if (execution.how === 'cancel') return { result: { ...ran, verdict: 'broken', reason: `cancelled${alive}` } };
  if (execution.how === 'timeout') {
    const reason = `timeout after ${formatDuration(rules.timeoutMs)}${alive}`;
    return { result: { ...ran, verdict: rules.badVerdict, reason }, failure: 'timeout' };
  }

  const { checks, reason } = await checkBlock(
    rules.expect,
    { ...streams, exitCode: execution.exitCode, durationMs: execution.durationMs, outputs: execution.outputs ?? {} },
    rules.scope,
  );
  const judged = { ...ran, checks };
  if (checks.some(({ ok }) => ok === false)) {
    return { result: { ...judged, verdict: rules.badVerdict, reason }, failure: failureOf(checks) };
  }
  if (checks.some(({ ok }) => ok === 'undecidable')) return { result: { ...judged, verdict: 'broken', reason } };

  if (rules.keepStdout && streams.stdout.bytes > INLINE_LIMIT) {
    const why = `stdout has ${streams.stdout.bytes} bytes, more than the 16 KiB that a later expression may name: use outputs`;
    return { result: { ...judged, verdict: 'broken', reason: why } };
  }
  const evaluated = evaluateOutputs(rules, execution, streams);
  if ('problem' in evaluated) return { result: { ...judged, verdict: 'broken', reason: evaluated.problem } };
  return {
    result: {
      ...judged,
      verdict: 'passed',
      outputs: evaluated.outputs,
      ...(rules.keepStdout ? { fullStdout: streams.stdout.text } : {}),
    },
  };
}

/** The worst of what failed, as `retry.when` counts it: an unexpected exit code explains most other failures. */
function failureOf(checks: readonly Check[]): RetryReason {
  return checks.some(({ matcher, path, ok }) => matcher === 'exit_code' && path !== 'stderr' && ok === false) ? 'exit_code' : 'expect';
}

async function scanBoth(stdout: Output, stderr: Output, rules: JudgeRules): Promise<{ readonly stdout: Scan; readonly stderr: Scan }> {
  const keep = keepBytesFor(rules.expect, rules.outputs, rules.keepStdout);
  const [out, err] = await Promise.all([
    scanOutput(stdout, { needles: needlesOf(rules.expect), keepBytes: keep.stdout, hashTrimmed: rules.hashStdout }, rules.storeDir),
    scanOutput(stderr, { needles: needlesOf(rules.expect.stderr), keepBytes: keep.stderr, hashTrimmed: false }, rules.storeDir),
  ]);
  return { stdout: out, stderr: err };
}

function excerpt(scan: Scan): StreamExcerpt {
  return {
    text: scan.excerpt,
    bytes: scan.bytes,
    truncated: scan.truncated,
    ...(scan.artifact === undefined ? {} : { artifact: scan.artifact }),
    ...(scan.trimmedSha256 === undefined ? {} : { trimmedSha256: scan.trimmedSha256 }),
  };
}

/** A result of which nothing is known yet. */
export function blank(node: string, tries: Pick<NodeResult, 'tries' | 'earlierTries'>): Omit<NodeResult, 'verdict' | 'reason'> {
  const none: StreamExcerpt = { text: '', bytes: 0, truncated: false };
  const now = Date.now();
  return {
    node,
    exitCode: null,
    timedOut: false,
    stdout: none,
    stderr: none,
    checks: [],
    outputs: {},
    durationMs: 0,
    startedAt: now,
    finishedAt: now,
    cached: false,
    ...tries,
  };
}

/** For callers that judge text they made themselves. */
export const noOutput: Output = textOutput('');
