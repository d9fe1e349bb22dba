import type { Command } from '../../dsl/model/command.ts';
import type { Value } from '../../dsl/model/value.ts';
import { jobEnvironment } from '../job-environment.ts';
import { isNodeError } from '../nodes/node-error.ts';
import { jobPrelude } from '../nodes/job-prelude.ts';
import { runJob } from '../nodes/run-job.ts';
import { shellWord } from '../nodes/shell-word.ts';
import type { Execution, JobContext } from '../run-types.ts';
import { readTimePoint } from '../time-point.ts';
import { SINCE_AWK } from './since-awk.ts';

/**
 * `run: logs`: what a service wrote into its files, the journal or its container, on the node, as a job like any command's: started once per try and
 * found again after a crash. stdout = the lines, oldest first; with `since` only those that are not older, by the node's clock.
 */
export const logsCommand: Command<JobContext, Execution> = {
  async execute(context) {
    const { command, place } = context;
    const { path, unit, container, since } = command.options;
    let sinceMs: number | undefined;
    if (since !== undefined) {
      sinceMs = readTimePoint(since, Date.now());
      if (sinceMs === undefined)
        return refused(`since: ${JSON.stringify(since)} is not a moment: a mark in time, a time (RFC 3339), or how long ago (5m)`);
      const offset = await clockOffset(context);
      if (typeof offset === 'string') return { kind: 'not_run', code: 'unreachable', why: offset };
      sinceMs += offset;
    }
    const names = [path, unit, container].filter((each) => each !== undefined);
    const script = scriptFor({ path, unit, container }, sinceMs);
    if (script === undefined || names.some((each) => typeof each !== 'string' || each.includes('\0'))) {
      return refused('one of path, unit, container must be a text');
    }
    return runJob(place, {
      job: context.job,
      runner: 'sh',
      script,
      prelude: jobPrelude(
        context.job,
        jobEnvironment(context),
        command.cwd ?? (place.node.connection === 'local' ? context.run.suiteDir : undefined),
      ),
      stdin: '',
      timeoutMs: context.timeoutMs,
    });
  },
};

function refused(why: string): Execution {
  return { kind: 'not_run', code: 'refused', why };
}

/** Moments are told by our clock; lines are stamped by the node's. */
async function clockOffset({ place }: JobContext): Promise<number | string> {
  try {
    return (await place.pool.session(place.node, place.identity, place.node.connectWithinMs)).clockOffsetMs;
  } catch (error) {
    if (isNodeError(error)) return `node ${place.node.name} cannot be reached: ${error.message}`;
    throw error;
  }
}

interface Source {
  readonly path: Value | undefined;
  readonly unit: Value | undefined;
  readonly container: Value | undefined;
}

/** Shell text that prints the log of a source; `sinceMs` by the node's clock. */
export function scriptFor({ path, unit, container }: Source, sinceMs?: number): string | undefined {
  const seconds = sinceMs === undefined ? undefined : (sinceMs / 1_000).toFixed(3);
  if (typeof unit === 'string') {
    const since = seconds === undefined ? '' : ` --since=@${seconds}`;
    return `exec journalctl --quiet --no-pager --output=short-iso-precise --unit=${shellWord(unit)}${since}\n`;
  }
  if (typeof container === 'string') {
    const since = sinceMs === undefined ? '' : ` --since ${new Date(sinceMs).toISOString()}`;
    const name = shellWord(container);
    // What the service wrote to stderr is log, too; what the tool itself complains about was said by `inspect`.
    return [
      'if command -v docker >/dev/null 2>&1; then c=docker; else c=podman; fi',
      `$c inspect --type container -- ${name} >/dev/null || exit`,
      `exec $c logs${since} -- ${name} 2>&1`,
      '',
    ].join('\n');
  }
  if (typeof path !== 'string' || path === '') return undefined;
  const files = globWord(path);
  if (seconds === undefined) return `exec cat -- ${files}\n`;
  return [
    `set -- ${files}`,
    'for f; do [ -r "$f" ] || { cat -- "$f" >/dev/null; exit 1; }; done',
    `cat -- "$@" | awk -v since=${seconds} -v zone="$(date +%z)" -v year="$(date +%Y)" -v now="$(date +%s)" ${shellWord(SINCE_AWK)}`,
    '',
  ].join('\n');
}

/** A word of the shell in which only `*`, `?` and `[…]` are special. */
function globWord(path: string): string {
  const from = path.startsWith('-') ? `./${path}` : path;
  return from
    .split(/([*?[\]])/u)
    .map((part) => (/^[*?[\]]$/u.test(part) ? part : part === '' ? '' : shellWord(part)))
    .join('');
}
