import { lstatSync } from 'node:fs';
import { join } from 'node:path';

import type { Node } from '../../dsl/model/node.ts';
import { type Attendance, detached } from '../attendance.ts';
import { cancelJob, type JobEnd, type JobLook, type JobSpec, lookAtJob, loseJob, parseEnd, readJobText, startJob } from './job.ts';
import { jobOutput, type Output, textOutput } from './job-output.ts';
import { isNodeError, NodeError } from './node-error.ts';
import type { Identity, NodePool } from './node-pool.ts';
import type { NodeSession } from './node-session.ts';

/** Where and how one job is to be run or found again. */
export interface JobPlace {
  readonly pool: NodePool;
  readonly node: Node;
  readonly identity: Identity;
  readonly attendance: Attendance;
  /**
   * `start`: the job may be started if it has not been; `attach`: it was started before, only look after it.
   * Either way at most one process of this job ever runs.
   */
  readonly begin: 'start' | 'attach';
  /** It runs here instead of on its node, of which nothing is learned. */
  readonly elsewhere?: boolean;
  /** The node has said that the job is started. */
  readonly onStarted?: (job: string) => void;
}

/** How a job ended, or why that is not known. */
export type JobOutcome =
  | {
      readonly kind: 'ended';
      readonly how: JobEnd['how'];
      /** `null` when it did not end by itself or nobody saw the code. */
      readonly exitCode: number | null;
      readonly startedAt: number;
      readonly finishedAt: number;
      readonly durationMs: number;
      readonly survivors: readonly string[];
      /** Node uptime at which it was started, 1/100 s; comparable within one incarnation. */
      readonly goTicks: number;
      readonly incarnation: string;
      readonly stdout: Output;
      readonly stderr: Output;
      /** Folder of the job on the node. */
      readonly directory: string;
    }
  /** Started, and its result cannot be known. What it wrote may still be there. */
  | { readonly kind: 'lost'; readonly why: string; readonly stdout: Output; readonly stderr: Output; readonly incarnation: string }
  /** It did not run, and will not. `code`: `cancelled`, `cwd`, `unreachable`, `refused`. */
  | { readonly kind: 'not_run'; readonly code: 'cancelled' | 'cwd' | 'unreachable' | 'refused'; readonly why: string };

/** How far apart the looks are at a job whose end nobody reports to us, ms. */
const LOOK_FIRST_MS = 20;
const LOOK_MAX_MS = 1_000;
/** Between two looks at a job that reports its own end. */
const CHECK_MS = 1_000;
/** TERM, 2 s, KILL and five rounds; beyond it the supervisor is not doing its work. */
const KILL_SLACK_MS = 10_000;

/**
 * Runs a job to its end, or finds it again and waits for its end.
 *
 * If this process dies at any line, the job goes on; calling it again with the same job continues where it was.
 * Throws the `detached` failure when the attempt is to stop without a cancel; a cancel ends the command on the node first.
 */
export async function runJob(place: JobPlace, spec: JobSpec): Promise<JobOutcome> {
  const { attendance } = place;
  let started = place.begin === 'attach';
  let lookMs = LOOK_FIRST_MS;
  let session: NodeSession;
  try {
    const opened = await openSession(place, started ? spec.timeoutMs + place.node.connectWithinMs : place.node.connectWithinMs, started);
    if (opened === undefined) return CANCELLED_BEFORE;
    session = opened;
  } catch (error) {
    return unusable(error, place, started, spec.job);
  }
  const openedAt = performance.now();
  /** Incarnation that was asked to start it and has not answered: it may have done so. */
  let asked: string | undefined;
  // The limit is set once, from the start of this attempt: a request that is stuck on its way must not act when nobody waits any more.
  const notAfter = session.uptimeTicks() + Math.ceil(place.node.connectWithinMs / 10);
  let reported = false;

  for (;;) {
    try {
      if (!started) {
        if (attendance.stopped() === 'detach') throw detached();
        if (attendance.stopped() === 'cancel') return await finish(session, place, spec, await cancelJob(session, spec.job, 'cancel'));
        const askedBefore = asked;
        asked = session.incarnation;
        const answer = await startJob(session, spec, notAfter).catch((error: unknown) => {
          // A refusal is an answer: this request has started nothing.
          if (isNodeError(error, 'NODE_REFUSED')) asked = askedBefore;
          throw error;
        });
        if (answer.kind === 'fenced' && askedBefore === undefined)
          return { kind: 'not_run', code: 'refused', why: `start refused on ${place.node.name}: ${answer.why}` };
        // A fence after an unanswered start says nothing about that start; the records do.
        started = true;
        if (answer.kind !== 'fenced') place.onStarted?.(spec.job);
        reported = answer.kind === 'started';
      }
      const end = await waitForEnd(session, spec.job, attendance, reported ? CHECK_MS : lookMs);
      if (end !== undefined) {
        const state = parseEnd(end, session.incarnation);
        if (state.kind === 'done' && state.how === 'exit' && state.code !== 126) {
          return await ended(session, place, spec.job, { state, judged: false, noCwd: false, cancelAsked: false, survivors: false });
        }
      }
      if (attendance.stopped() === 'detach') throw detached();
      const look = attendance.stopped() === 'cancel' ? await cancelJob(session, spec.job, 'cancel') : await lookAtJob(session, spec.job);
      const overdue = overdueMs(look, spec, session);
      if (overdue > KILL_SLACK_MS + place.node.connectWithinMs) {
        return await finish(session, place, spec, await loseJob(session, spec.job, 'not-ended'));
      }
      // The node enforces the timeout by itself; this is for a job whose supervisor and timer are both dead.
      if (overdue > KILL_SLACK_MS / 2) await cancelJob(session, spec.job, 'timeout');
      if (look.state.kind !== 'running' && look.state.kind !== 'orphan') return await finish(session, place, spec, look);
      lookMs = attendance.stopped() === 'cancel' ? 100 : Math.min(lookMs * 1.5, LOOK_MAX_MS);
    } catch (error) {
      const mayRun = started || asked !== undefined;
      if (!isNodeError(error, 'NODE_STREAM_LOST')) {
        if (isNodeError(error)) return unusable(error, place, mayRun, spec.job);
        throw error;
      }
      reported = false;
      // What runs is worth waiting for as long as it may run.
      const leftMs = mayRun ? Math.max(0, spec.timeoutMs - (performance.now() - openedAt)) : 0;
      try {
        const opened = await openSession(place, leftMs + place.node.connectWithinMs, mayRun);
        if (opened === undefined) return CANCELLED_BEFORE;
        session = opened;
      } catch (reopening) {
        return unusable(reopening, place, mayRun, spec.job);
      }
      // Another incarnation cannot know what the one before it was asked: its records may be gone. Only looking is safe.
      if (asked !== undefined && asked !== session.incarnation) started = true;
    }
  }
}

const CANCELLED_BEFORE: JobOutcome = { kind: 'not_run', code: 'cancelled', why: 'cancelled before it started' };

/**
 * A session within the time, as long as the attempt is not to stop: throws `detached` then. A cancel of what has not begun needs no node
 * (`undefined`); a cancel of what may run is still taken to the node, for as long as its `connectWithinMs` from now.
 */
async function openSession(place: JobPlace, withinMs: number, mayRun: boolean): Promise<NodeSession | undefined> {
  const { attendance, node } = place;
  const opening = place.pool.session(node, place.identity, withinMs);
  let forget = (): void => undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = new Promise<void>((resolve) => {
    forget = attendance.onStop(resolve);
  });
  try {
    const first = await Promise.race([opening, stop]);
    if (first !== undefined) return first;
    if (attendance.stopped() === 'detach') throw detached();
    if (!mayRun) return undefined;
    const over = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, node.connectWithinMs, new NodeError('NODE_UNREACHABLE', 'it could not be reached to cancel the command'));
    });
    return await Promise.race([opening, over]);
  } finally {
    forget();
    clearTimeout(timer);
    // Whoever still waits for it sees its failure.
    opening.catch(() => undefined);
  }
}

/** Waits until the node reports the end, `waitMs` are over, or the attempt is to stop. */
async function waitForEnd(session: NodeSession, job: string, attendance: Attendance, waitMs: number): Promise<string | undefined> {
  if (attendance.stopped() !== undefined) return session.awaitEnd(job, Math.min(waitMs, 100));
  let forget = (): void => undefined;
  const stop = new Promise<undefined>((resolve) => {
    forget = attendance.onStop(() => resolve(undefined));
  });
  try {
    return await Promise.race([session.awaitEnd(job, waitMs), stop]);
  } finally {
    forget();
  }
}

/** Milliseconds beyond the job's timeout, by the node's clock; negative while there is time. */
function overdueMs(look: JobLook, spec: JobSpec, session: NodeSession): number {
  if (look.state.kind !== 'running' && look.state.kind !== 'orphan') return -1;
  return (session.uptimeTicks() - look.state.goTicks) * 10 - spec.timeoutMs;
}

async function finish(session: NodeSession, place: JobPlace, spec: JobSpec, look: JobLook): Promise<JobOutcome> {
  const { state } = look;
  switch (state.kind) {
    case 'done':
      return ended(session, place, spec.job, look);
    case 'closed':
      return CANCELLED_BEFORE;
    case 'dead': {
      // Recorded before anyone is told: no later attempt may find another answer.
      const closed = await loseJob(session, spec.job, state.why);
      if (closed.state.kind === 'done') return ended(session, place, spec.job, closed);
      return lost(session, place, spec.job, state.why, state.incarnation);
    }
    case 'lost':
      return lost(session, place, spec.job, state.why, state.incarnation);
    case 'absent':
    case 'prepared':
      await loseJob(session, spec.job, 'no-records');
      return lost(session, place, spec.job, 'no-records', session.incarnation);
    case 'running':
    case 'orphan':
      return lost(session, place, spec.job, 'not-ended', state.incarnation);
    default:
      return state satisfies never;
  }
}

async function ended(session: NodeSession, place: JobPlace, job: string, look: JobLook): Promise<JobOutcome> {
  const state = look.state as { readonly kind: 'done' } & JobEnd;
  if (look.noCwd)
    return { kind: 'not_run', code: 'cwd', why: `the working directory does not exist on ${place.node.name} or cannot be entered` };
  const again = (): Promise<NodeSession> => place.pool.session(place.node, place.identity, place.node.connectWithinMs);
  const [stdout, stderr] = await Promise.all([jobOutput(session, job, 'out', again), jobOutput(session, job, 'err', again)]);
  const left = look.survivors ? await readJobText(session, job, 'left') : '';
  return {
    kind: 'ended',
    how: state.how,
    exitCode: state.how === 'exit' ? state.code : null,
    ...jobTimes(session, job, state),
    survivors: left.split('\n').filter((line) => line !== ''),
    goTicks: state.goTicks,
    incarnation: state.incarnation,
    stdout,
    stderr,
    directory: join(session.baseDir, job),
  };
}

/**
 * When it ran. Records carry uptime in 1/100 s; where we can see the files, their times are finer, and are used unless a changed clock
 * makes the two disagree. The end may be reported before it is recorded: then it is now.
 */
function jobTimes(session: NodeSession, job: string, state: JobEnd): { startedAt: number; finishedAt: number; durationMs: number } {
  const coarseMs = (state.endTicks - state.goTicks) * 10;
  if (session.direct) {
    const startedAt = changedAt(join(session.baseDir, job, 'go'));
    if (startedAt !== undefined) {
      const finishedAt = changedAt(join(session.baseDir, job, 'res')) ?? Date.now();
      const agree = Math.abs(finishedAt - startedAt - coarseMs) <= 50;
      const durationMs = agree ? Math.max(0, Math.round(finishedAt - startedAt)) : coarseMs;
      return { startedAt: Math.round(startedAt), finishedAt: Math.round(startedAt) + durationMs, durationMs };
    }
  }
  const finishedAt = Math.round(Date.now() - (session.uptimeTicks() - state.endTicks) * 10);
  return { startedAt: finishedAt - coarseMs, finishedAt, durationMs: coarseMs };
}

function changedAt(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

async function lost(session: NodeSession, place: JobPlace, job: string, code: string, incarnation: string): Promise<JobOutcome> {
  const [stdout, stderr] = await Promise.all([jobOutput(session, job, 'out'), jobOutput(session, job, 'err')]);
  return { kind: 'lost', why: `command lost: ${LOST[code] ?? code} (${place.node.name})`, stdout, stderr, incarnation };
}

const LOST: { readonly [code: string]: string } = {
  reboot: 'the node was restarted while it ran',
  supervisor: 'its supervisor was killed, so its exit code is not known',
  'no-records': 'the node has no records of it any more',
  'not-ended': 'it did not end within its timeout and could not be killed',
};

function unusable(error: unknown, place: JobPlace, started: boolean, job: string): JobOutcome {
  if (!isNodeError(error)) throw error;
  const unreachable = error.code === 'NODE_STREAM_LOST' || error.code === 'NODE_UNREACHABLE';
  if (started) {
    // Also when the node refuses us now, a changed key say: what has begun is not known to have ended.
    const none = textOutput('');
    const trouble = unreachable ? 'cannot be reached any more' : 'refuses us now';
    return {
      kind: 'lost',
      why: `command lost: node ${place.node.name} ${trouble}: ${error.message} (${job})`,
      stdout: none,
      stderr: none,
      incarnation: '',
    };
  }
  if (unreachable) return { kind: 'not_run', code: 'unreachable', why: `node ${place.node.name} cannot be reached: ${error.message}` };
  return { kind: 'not_run', code: 'refused', why: `${place.node.name}: ${error.message}` };
}
