import { formatDuration } from '../../dsl/expression/duration.ts';
import type { Check, MatcherBlock } from '../../dsl/model/matcher.ts';
import type { NodeResult, StreamExcerpt } from '../../dsl/model/result.ts';
import type { RetryReason } from '../../dsl/model/suite.ts';
import type { Expression, ValueMap } from '../../dsl/model/value.ts';
import type { Execution } from '../run-types.ts';
import type { Output } from '../nodes/job-output.ts';
import type { Masker } from '../secrets/masker.ts';
import { checkBlock, type Examined, keepBytesFor, reasonOf } from './check-block.ts';
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
  /** Masks secrets in all that is told; absent when the suite has none. */
  readonly masker?: Masker | undefined;
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
  const { result, examined, checks, unknown } = await examineTry(execution, rules, tries);
  if (unknown !== undefined || examined === undefined) return { result: { ...result, verdict: 'broken', reason: unknown ?? 'unknown' } };
  if (result.timedOut) {
    return { result: { ...result, verdict: rules.badVerdict, reason: timeoutReason(result, rules.timeoutMs) }, failure: 'timeout' };
  }
  const reason = reasonOf(checks, examined);
  if (checks.some(({ ok }) => ok === false)) {
    return { result: { ...result, verdict: rules.badVerdict, reason }, failure: failureOf(checks) };
  }
  if (checks.some(({ ok }) => ok === 'undecidable')) return { result: { ...result, verdict: 'broken', reason } };

  if (rules.hashStdout && examined.stdout.over) {
    return { result: { ...result, verdict: 'broken', reason: 'cannot decide all_equal: the output is over the limit' } };
  }
  if (rules.keepStdout && examined.stdout.bytes > INLINE_LIMIT) {
    const why = `use outputs: stdout has ${examined.stdout.bytes} bytes, more than the 16 KiB that a later expression may read whole`;
    return { result: { ...result, verdict: 'broken', reason: why } };
  }
  const own = execution.kind === 'ended' ? execution.outputs : undefined;
  const evaluated = evaluateOutputs(rules.outputs, rules.scope, examined, own);
  if ('problem' in evaluated) {
    const reason = rules.masker?.message(evaluated.problem) ?? evaluated.problem;
    return { result: { ...result, verdict: 'broken', reason } };
  }
  const fullStdout = rules.keepStdout ? { fullStdout: rules.masker?.text(examined.stdout.text) ?? examined.stdout.text } : {};
  const outputs = rules.masker?.value(evaluated.outputs) ?? evaluated.outputs;
  return { result: { ...result, verdict: 'passed', outputs, ...fullStdout } };
}

/** What can be seen of an execution before a verdict. */
export interface Examination {
  readonly result: Omit<NodeResult, 'verdict' | 'reason'>;
  /** Absent when it did not run, or when nobody can know how it ended. */
  readonly examined?: Examined;
  readonly checks: readonly Check[];
  /** Why nothing can be said: not run, lost, cancelled. */
  readonly unknown?: string;
}

/** Reads both streams once and checks `expect`; `implicitExitCode` as in checkBlock. */
export async function examineTry(
  execution: Execution,
  rules: JudgeRules,
  tries: Pick<NodeResult, 'tries' | 'earlierTries'>,
  implicitExitCode = true,
): Promise<Examination> {
  const why = execution.kind === 'ended' ? '' : (rules.masker?.value(execution.why) ?? execution.why);
  if (execution.kind === 'not_run') return { result: blank(rules.node, { ...tries, tries: tries.tries - 1 }), checks: [], unknown: why };
  const streams = await scanBoth(execution.stdout, execution.stderr, rules);
  const result = {
    ...blank(rules.node, tries),
    stdout: excerpt(streams.stdout),
    stderr: excerpt(streams.stderr),
    ...(execution.incarnation === '' ? {} : { incarnation: execution.incarnation }),
  };
  if (execution.kind === 'lost') return { result, checks: [], unknown: why };
  const ran = {
    ...result,
    exitCode: execution.exitCode,
    timedOut: execution.how === 'timeout',
    durationMs: execution.durationMs,
    startedAt: execution.startedAt,
    finishedAt: execution.finishedAt,
    ...(execution.survivors.length === 0 ? {} : { survivors: rules.masker?.value(execution.survivors) ?? execution.survivors }),
  };
  if (execution.how === 'cancel') return { result: ran, checks: [], unknown: `cancelled${survivorsOf(ran)}` };
  const examined = {
    ...streams,
    exitCode: execution.exitCode,
    durationMs: execution.durationMs,
    ...(execution.facts && { facts: execution.facts }),
  };
  if (ran.timedOut) {
    // It said only a part of what it had to say. `never` is told what holds already, whatever would have followed; nothing else is decided.
    if (implicitExitCode) return { result: { ...ran, checks: [] }, examined, checks: [] };
    const part = {
      ...examined,
      stdout: { ...streams.stdout, cut: true, over: true },
      stderr: { ...streams.stderr, cut: true, over: true },
    };
    const holding = (await checkBlock(rules.expect, part, rules.scope, false, rules.masker)).filter(({ ok }) => ok === true);
    return { result: { ...ran, checks: holding }, examined, checks: holding };
  }
  const checks = await checkBlock(rules.expect, examined, rules.scope, implicitExitCode, rules.masker);
  return { result: { ...ran, checks }, examined, checks };
}

/** `timeout after 2s`, and who is still alive. */
export function timeoutReason(result: Pick<NodeResult, 'survivors'>, timeoutMs: number): string {
  return `timeout after ${formatDuration(timeoutMs)}${survivorsOf(result)}`;
}

function survivorsOf(result: Pick<NodeResult, 'survivors'>): string {
  return result.survivors === undefined ? '' : `; still alive: ${result.survivors.join(', ')}`;
}

/** The worst of what failed, as `retry.when` counts it: an unexpected exit code explains most other failures. */
function failureOf(checks: readonly Check[]): RetryReason {
  return checks.some(({ matcher, path, ok }) => matcher === 'exit_code' && path !== 'stderr' && ok === false) ? 'exit_code' : 'expect';
}

async function scanBoth(stdout: Output, stderr: Output, rules: JudgeRules): Promise<{ readonly stdout: Scan; readonly stderr: Scan }> {
  const keep = keepBytesFor(rules.expect, rules.outputs);
  const [out, err] = await Promise.all([
    scanOutput(
      stdout,
      { needles: needlesOf(rules.expect), keepBytes: keep.stdout, hashTrimmed: rules.hashStdout, masker: rules.masker },
      rules.storeDir,
    ),
    scanOutput(
      stderr,
      { needles: needlesOf(rules.expect.stderr), keepBytes: keep.stderr, hashTrimmed: false, masker: rules.masker },
      rules.storeDir,
    ),
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
