import { formatDuration } from '../dsl/expression/duration.ts';
import { holdingReason, neverCheck } from '../dsl/expression/match-reason.ts';
import type { MatcherBlock } from '../dsl/model/matcher.ts';
import type { NodeResult } from '../dsl/model/result.ts';
import type { SampleInput } from '../dsl/model/workflow-io.ts';
import { type Attendance, cancelled, detached, pause } from './attendance.ts';
import type { ActivityDeps } from './deps.ts';
import { reasonOf } from './judge/check-block.ts';
import { blank, examineTry, type Examination, type JudgeRules, timeoutReason } from './judge/judge-try.ts';
import { nodePool } from './nodes/node-pool.ts';
import { execute, type Execution, hostOf, RUN_TYPES, wasCancelled } from './run-types.ts';
import type { Masker } from './secrets/masker.ts';
import { prepareCommand, type PreparedCommand } from './secrets/prepare-command.ts';

/** Samples of one command on one node within a window. */
export interface Series extends Pick<
  SampleInput,
  'run' | 'address' | 'node' | 'command' | 'mode' | 'windowMs' | 'everyMs' | 'timeoutMs' | 'scope' | 'badVerdict'
> {
  readonly match: MatcherBlock;
  /** Samples are the jobs `<prefix>1`, `<prefix>2`, … */
  readonly prefix: string;
  /** Where an earlier attempt was; a hint, samples are found by their records. */
  readonly resume?: SeriesProgress;
  readonly onProgress?: (progress: SeriesProgress) => void;
}

/** How far a series has come; goes into heartbeats. */
export interface SeriesProgress {
  /** Number of the sample to take or look at next, from 1. */
  readonly next: number;
  readonly taken: number;
  readonly unknown: number;
  /** Node uptime at the first sample, 1/100 s, in this incarnation. */
  readonly firstTicks?: number;
  readonly incarnation?: string;
}

/**
 * Takes samples until the condition is decided or the window is over; the window counts from the first sample.
 *
 * Each sample is a job with an id of its own. After a crash the samples that were taken are found by their records and judged again,
 * in order; none is taken twice, and the window does not begin anew.
 */
export async function takeSamples(deps: ActivityDeps, series: Series, attendance: Attendance): Promise<NodeResult> {
  const { node, mode } = series;
  if (RUN_TYPES[series.command.run] === undefined)
    return broken(blank(node.name, NONE), `not supported yet: run: ${series.command.run}`, NO_COUNT);
  let { next, taken, unknown, firstTicks, incarnation } = series.resume ?? { next: 1, taken: 0, unknown: 0 };
  const began = performance.now() - (next === 1 ? 0 : Math.max(0, Date.now() - attendance.scheduledAtMs));
  let last: Omit<NodeResult, 'verdict' | 'reason'> = blank(node.name, NONE);
  let lastReason = 'no sample was taken';
  let unknownReason = '';
  /** What the last sample that ran to its end said; one that the end of the window cut off says less. */
  let complete: { readonly result: Omit<NodeResult, 'verdict' | 'reason'>; readonly reason: string } | undefined;
  let cutOff = false;
  /** Nothing holds in the output of a command that cannot run: worth a note. False when an earlier attempt took samples of which nothing is known here. */
  let noneExitedZero = next === 1;

  /** Milliseconds since the first sample: by the node's clock where its records tell, else by ours. */
  const elapsedMs = async (): Promise<number> => {
    const session = firstTicks === undefined ? undefined : await openSession(deps, series);
    if (session === undefined || firstTicks === undefined || session.incarnation !== incarnation) return performance.now() - began;
    return (session.uptimeTicks() - firstTicks) * 10;
  };

  for (;;) {
    const startedAt = performance.now();
    const usedMs = await elapsedMs();
    // What would be true only after the window is not true within it; a second is given for a command that is as quick as commands are.
    const timeoutMs = mode === 'until' ? Math.min(series.timeoutMs, Math.max(series.windowMs - usedMs, 1_000)) : series.timeoutMs;
    const prepared = await prepareCommand(deps, series.run, series.command);
    const rules = rulesOf(deps, series, timeoutMs, prepared.masker);
    const execution = await takeSample(deps, series, prepared, attendance, next, timeoutMs);
    const seen = await examineTry(execution, rules, { tries: taken + 1, earlierTries: [] }, mode !== 'never');
    if (wasCancelled(execution)) throw cancelled(broken(seen.result, 'cancelled', { taken, unknown }));
    taken += 1;
    next += 1;
    if (execution.kind === 'ended' && firstTicks === undefined) ({ goTicks: firstTicks, incarnation } = execution);
    const sample = judgeSample(seen, mode, timeoutMs);
    if (sample.kind === 'unknown') {
      unknown += 1;
      unknownReason = sample.reason;
    } else {
      last = mode === 'never' ? { ...seen.result, checks: seen.result.checks.map(neverCheck) } : seen.result;
      lastReason = sample.reason;
      cutOff = mode === 'until' && seen.result.timedOut && timeoutMs < series.timeoutMs;
      if (!cutOff) complete = { result: last, reason: lastReason };
    }
    if (seen.result.exitCode === 0) noneExitedZero = false;
    series.onProgress?.({
      next,
      taken,
      unknown,
      ...(firstTicks === undefined ? {} : { firstTicks }),
      ...(incarnation === undefined ? {} : { incarnation }),
    });
    const count = { taken, unknown };
    if (mode === 'until' && sample.kind === 'good') return { ...last, verdict: 'passed', samples: count };
    if (mode !== 'until' && sample.kind === 'bad') {
      const reason = `${mode}: sample ${taken} after ${formatDuration(Math.max(0, Math.round(await elapsedMs())))}: ${sample.reason}`;
      return { ...last, verdict: series.badVerdict, reason, samples: count };
    }

    const dueInMs = series.everyMs - ageMs(execution, startedAt);
    if ((await elapsedMs()) + Math.max(0, dueInMs) >= series.windowMs) {
      if (unknown === taken || unknown * 2 > taken) {
        return broken(last, `${unknown} of ${taken} samples could not be taken: ${unknownReason}`, count);
      }
      if (mode === 'never' && noneExitedZero && series.match.exit_code === undefined) {
        const actual = `none of ${taken} samples exited with 0; the last: ${last.exitCode === null ? 'no exit code' : `exit code ${last.exitCode}`}`;
        const note = { matcher: 'exit_code', expected: 'not looked at by never', actual, ok: true };
        return { ...last, checks: [...last.checks, note], verdict: 'passed', samples: count };
      }
      if (mode !== 'until') return { ...last, verdict: 'passed', samples: count };
      const within = `not within ${formatDuration(series.windowMs)} (${taken} samples)`;
      if (cutOff && complete !== undefined) {
        const reason = `${within}: last that ran to its end: ${complete.reason}; one more was cut off by the end of the time`;
        return { ...complete.result, verdict: series.badVerdict, reason, samples: count };
      }
      const reason = `${within}: last: ${lastReason}`;
      return { ...last, verdict: series.badVerdict, reason, samples: count };
    }
    await pause(attendance, dueInMs);
    if (attendance.stopped() === 'detach') throw detached();
    if (attendance.stopped() === 'cancel') throw cancelled(broken(last, 'cancelled', count));
  }
}

const NONE = { tries: 0, earlierTries: [] };
const NO_COUNT = { taken: 0, unknown: 0 };

async function openSession(deps: ActivityDeps, series: Series) {
  const { node, identity } = hostOf(series.node, series.command);
  return nodePool(deps)
    .session(node, identity, 1)
    .catch(() => undefined);
}

async function takeSample(
  deps: ActivityDeps,
  series: Series,
  prepared: PreparedCommand,
  attendance: Attendance,
  number: number,
  timeoutMs: number,
): Promise<Execution> {
  return execute(prepared, {
    place: { pool: nodePool(deps), ...hostOf(series.node, series.command), attendance, begin: 'start' },
    job: `${series.prefix}${number}`,
    run: series.run,
    address: series.address,
    command: prepared.command,
    number,
    timeoutMs,
    scope: series.scope,
  });
}

/** How long ago the sample was started. One that was found by its records may be old: the next is then due at once. */
function ageMs(execution: Execution, startedAt: number): number {
  if (execution.kind !== 'ended') return performance.now() - startedAt;
  return Math.max(performance.now() - startedAt, Date.now() - execution.startedAt);
}

/** `good` and `bad` for the series as a whole: what ends `until`, and what ends `always` and `never`. */
function judgeSample(seen: Examination, mode: Series['mode'], timeoutMs: number): { kind: 'good' | 'bad' | 'unknown'; reason: string } {
  if (seen.unknown !== undefined || seen.examined === undefined) return { kind: 'unknown', reason: seen.unknown ?? 'unknown' };
  const { checks, examined } = seen;
  if (mode === 'never') {
    const holding = checks.find(({ ok }) => ok === true);
    if (holding !== undefined) return { kind: 'bad', reason: holdingReason(holding) };
  }
  // Killed at its timeout, it said only a part: not what was waited for, but no answer either.
  if (seen.result.timedOut) return { kind: mode === 'until' ? 'bad' : 'unknown', reason: timeoutReason(seen.result, timeoutMs) };
  if (mode !== 'never' && checks.some(({ ok }) => ok === false)) return { kind: 'bad', reason: reasonOf(checks, examined) };
  if (checks.some(({ ok }) => ok === 'undecidable'))
    return {
      kind: 'unknown',
      reason: reasonOf(
        checks.filter(({ ok }) => ok !== false),
        examined,
      ),
    };
  return { kind: 'good', reason: '' };
}

function broken(result: Omit<NodeResult, 'verdict' | 'reason'>, reason: string, samples: { taken: number; unknown: number }): NodeResult {
  return { ...result, verdict: 'broken', reason, samples };
}

function rulesOf(deps: ActivityDeps, series: Series, timeoutMs: number, masker: Masker | undefined): JudgeRules {
  return {
    node: series.node.name,
    expect: series.match,
    outputs: {},
    scope: series.scope,
    timeoutMs,
    keepStdout: false,
    hashStdout: false,
    badVerdict: series.badVerdict,
    storeDir: deps.storeDir,
    masker,
  };
}
