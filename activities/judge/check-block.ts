import { checkMatchers, failureReason, type Sample } from '../../dsl/expression/match.ts';
import type { Check, MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Expression, ValueMap } from '../../dsl/model/value.ts';
import type { Execution } from '../run-types.ts';
import type { Masker } from '../secrets/masker.ts';
import type { Scan } from './scan-output.ts';
import { shortText, streamChecks, withoutStreamed, type StreamBlock } from './stream-checks.ts';
import { testPatterns } from './test-patterns.ts';

/** Output beyond this is not loaded: conditions that need the text are then undecidable. */
export const TEXT_CAP = 64 * 1024 * 1024;
/** Up to this size the text is at hand anyway, and all conditions look at it. */
const AT_HAND = 1024 * 1024;
const TOO_SLOW = 'condition too slow';

/** What a block is checked against. */
export interface Examined {
  readonly stdout: Scan;
  readonly stderr: Scan;
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** What a run type has beside its output. */
  readonly facts?: Execution['facts'];
}

/** How much of each stream must be kept as text: little, when one pass decides all that is asked. */
export function keepBytesFor(
  block: MatcherBlock,
  outputs: { readonly [name: string]: Expression },
): { readonly stdout: number; readonly stderr: number } {
  const expressions = Object.keys(outputs).length > 0 || block.expr !== undefined || block.stderr?.expr !== undefined;
  const { exit_code: _code, duration: _duration, all_equal: _equal, status: _status, rows: _rows, stderr, ...own } = withoutStreamed(block);
  const errKeys = stderr === undefined ? [] : Object.keys(withoutStreamed(stderr));
  return {
    stdout: expressions || Object.keys(own).length > 0 ? TEXT_CAP : AT_HAND,
    stderr: expressions || errKeys.length > 0 ? TEXT_CAP : AT_HAND,
  };
}

/** The sample as expressions and matchers see it. */
export function sampleOf(examined: Examined): Sample {
  return {
    exitCode: examined.exitCode,
    stdout: examined.stdout.text,
    stderr: examined.stderr.text,
    durationSeconds: examined.durationMs / 1_000,
    stdoutCut: examined.stdout.cut,
    stderrCut: examined.stderr.cut,
    ...examined.facts,
  };
}

/**
 * Checks all conditions of a rendered block, each by itself. Long output is decided from its scan, regular expressions in a thread with a time limit,
 * the rest by the matchers of the language. `implicitExitCode` false: the exit code counts only if written (`never`).
 * Conditions look at what the command wrote; with a masker what they tell of it is masked.
 */
export async function checkBlock(
  block: MatcherBlock,
  examined: Examined,
  scope: ValueMap,
  implicitExitCode = true,
  masker?: Masker,
): Promise<readonly Check[]> {
  const { stderr: errBlock, ...own } = block;
  const out = splitBlock(own, examined.stdout);
  const err = errBlock === undefined ? undefined : splitBlock(errBlock, examined.stderr);
  const plain: MatcherBlock = err === undefined ? out.plain : { ...out.plain, stderr: err.plain };
  const match = (sample: Sample): Check[] => checkMatchers(plain, sample, { values: scope }, { implicitExitCode });
  const checks = masker === undefined ? match(sampleOf(examined)) : maskedMatch(match, examined, masker);
  checks.push(...streamChecks(out.streamed, examined.stdout));
  checks.push(...(await patternChecks(own, examined.stdout)));
  if (err !== undefined && errBlock !== undefined) {
    checks.push(...streamChecks(err.streamed, examined.stderr, 'stderr'));
    checks.push(...(await patternChecks(errBlock, examined.stderr, 'stderr')));
  }
  return checks;
}

/** One line for why checks are not all met, the reason first; empty when they are. */
export function reasonOf(checks: readonly Check[], examined: Examined): string {
  const slow = checks.find(({ ok, actual }) => ok === 'undecidable' && actual.startsWith(TOO_SLOW));
  if (slow !== undefined && checks.every(({ ok }) => ok !== false)) return `${slow.actual}: ${slow.matcher} ${slow.expected}`;
  return failureReason(checks, { stdout: examined.stdout.excerpt, stderr: examined.stderr.excerpt });
}

/**
 * Decided by the sample as it is, told from the masked one: what a check shows is cut from the text, and a secret must not be cut in the middle.
 * Where the two do not agree the secret itself decides, and the texts of the true one are masked.
 */
function maskedMatch(match: (sample: Sample) => Check[], examined: Examined, masker: Masker): Check[] {
  const sample = sampleOf(examined);
  const decided = match(sample);
  const told = match({
    ...masker.value({ ...sample, stdout: '', stderr: '' }),
    exitCode: sample.exitCode,
    durationSeconds: sample.durationSeconds,
    stdout: examined.stdout.masked ? masker.text(sample.stdout) : sample.stdout,
    stderr: examined.stderr.masked ? masker.text(sample.stderr) : sample.stderr,
  });
  return decided.map((check, index) => {
    const shown = told[index];
    return maskCheck(shown?.matcher === check.matcher && shown.ok === check.ok ? shown : check, masker);
  });
}

/** A check with its texts masked. */
export function maskCheck(check: Check, masker: Masker): Check {
  return { ...check, expected: masker.message(check.expected), actual: masker.message(check.actual) };
}

/** Which conditions of one stream are decided by whom. */
function splitBlock(block: MatcherBlock | StreamBlock, scan: Scan): { readonly plain: MatcherBlock; readonly streamed: StreamBlock } {
  const { matches: _matches, not_matches: _not, ...rest } = block as MatcherBlock;
  if (scan.bytes <= AT_HAND) return { plain: rest, streamed: {} };
  return { plain: withoutStreamed(rest), streamed: rest };
}

async function patternChecks(block: StreamBlock, scan: Scan, path?: 'stderr'): Promise<readonly Check[]> {
  const wanted = [
    ...(block.matches ?? []).map((pattern) => ({ matcher: 'matches', pattern })),
    ...(block.not_matches ?? []).map((pattern) => ({ matcher: 'not_matches', pattern })),
  ];
  const outcomes = await testPatterns(
    scan.text,
    wanted.map(({ pattern }) => pattern),
  );
  return wanted.map(({ matcher, pattern }, index): Check => {
    const common = { matcher, ...(path === undefined ? {} : { path }), expected: `/${pattern}/` };
    const found = outcomes[index];
    if (found === undefined || found.outcome === 'slow') return { ...common, actual: `${TOO_SLOW} (10 s)`, ok: 'undecidable' };
    if (found.outcome === 'invalid') return { ...common, actual: found.message ?? 'no regular expression', ok: 'undecidable' };
    if (found.outcome === 'match') return { ...common, actual: shortText(scan), ok: matcher === 'matches' };
    return { ...common, actual: shortText(scan), ok: scan.cut ? 'undecidable' : matcher === 'not_matches' };
  });
}
