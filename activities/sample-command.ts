import type { NodeResult } from '../dsl/model/result.ts';
import type { SampleInput } from '../dsl/model/workflow-io.ts';
import { type Attendance, currentAttendance, stepFailed, withHeartbeat } from './attendance.ts';
import type { ActivityDeps } from './deps.ts';
import { boundedStore } from './judge/bounded-store.ts';
import { blank } from './judge/judge-try.ts';
import { jobName } from './nodes/job-name.ts';
import { type SeriesProgress, takeSamples } from './take-samples.ts';

/**
 * Activity `sampleCommand`: samples of one command on one node until a condition is decided: wait, eventually, always, never, verify.
 *
 * If this process dies at any line: a sample that runs goes on, the next attempt finds it and all before it by their records on the node,
 * and the window goes on from the first sample. No sample is taken twice.
 */
export function createSampleCommand(deps: ActivityDeps): (input: SampleInput) => Promise<NodeResult> {
  return (input) => sampleCommand(deps, input, currentAttendance());
}

/** The activity with its attendance given; for tests without a server. */
export async function sampleCommand(deps: ActivityDeps, input: SampleInput, attendance: Attendance): Promise<NodeResult> {
  const prefix = `${jobName(input.run, input.address, input.node.name)}.s`;
  const resume = progressOf(attendance.lastDetails, prefix);
  let progress: SeriesProgress | undefined = resume;
  const series = {
    ...input,
    prefix,
    ...(resume === undefined ? {} : { resume }),
    onProgress: (now: SeriesProgress) => void (progress = now),
  };
  const details = (): unknown => (progress === undefined ? undefined : { prefix, ...progress });
  const known = blank(input.node.name, { tries: 0, earlierTries: [] });
  const result = await withHeartbeat(attendance, details, () =>
    boundedStore(attendance.attempt, known, () => takeSamples(deps, series, attendance)),
  );
  if (result.verdict === 'passed') return result;
  throw stepFailed(result, 'never');
}

/** Details of an earlier heartbeat, if they are ours and whole. */
function progressOf(details: unknown, prefix: string): SeriesProgress | undefined {
  if (typeof details !== 'object' || details === null) return undefined;
  const given = details as Partial<SeriesProgress> & { readonly prefix?: unknown };
  if (given.prefix !== prefix) return undefined;
  const { next, taken, unknown, firstTicks, incarnation } = given;
  if (typeof next !== 'number' || typeof taken !== 'number' || typeof unknown !== 'number') return undefined;
  return {
    next,
    taken,
    unknown,
    ...(firstTicks === undefined ? {} : { firstTicks }),
    ...(incarnation === undefined ? {} : { incarnation }),
  };
}
