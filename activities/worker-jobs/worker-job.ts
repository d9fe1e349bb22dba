import { join } from 'node:path';

import { type Attendance, detached, pause } from '../attendance.ts';
import { fileOutput, type Output, textOutput } from '../nodes/job-output.ts';
import { loseJob } from '../nodes/job.ts';
import { isNodeError } from '../nodes/node-error.ts';
import type { NodeSession } from '../nodes/node-session.ts';
import type { JobPlace } from '../nodes/run-job.ts';
import type { Execution } from '../run-types.ts';
import { createSink, type OutputSink } from './output-sink.ts';
import {
  answerFolder,
  type AnswerRecord,
  closeGate,
  type Facts,
  lookAtGate,
  lostReason,
  ownerLives,
  publish,
  readAnswer,
  takeGate,
  takeOver,
} from './worker-record.ts';

/** Something that runs inside the worker: a request, a statement. */
export interface WorkerJob {
  /** `<run>/<job>`, see job-name.ts. */
  readonly job: string;
  /** May be executed again when nobody knows whether it took effect. */
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  /**
   * Does it, once. Must end soon after the signal is aborted; then its answer does not count, only what it wrote.
   * Resolves with whatever the other side did, also when that is a failure; rejects only with a bug of ours.
   */
  run(work: WorkerWork): Promise<WorkerAnswer>;
}

export interface WorkerWork {
  /** Aborted at the timeout and by a cancel. */
  readonly signal: AbortSignal;
  /** Takes stdout. */
  readonly stdout: OutputSink;
}

export interface WorkerAnswer {
  /** 0 = answered. */
  readonly exitCode: number;
  readonly stderr: string;
  readonly facts: Facts;
  readonly jsonIsRows?: boolean;
  /** It was sent and no answer came: nobody knows whether it took effect. */
  readonly outcomeUnknown?: boolean;
}

/** What still runs in this process, by folder: an attempt that was detached leaves it here, the next one finds it. */
const running = new Map<string, Running>();

interface Running {
  readonly ended: Promise<Execution>;
  cancel(): void;
}

/** How long a detached attempt waits for an answer that may be there in a moment: a worker that ends takes the connection with it. */
const DETACH_MS = 3_000;
/** What an aborted job gets to say good-bye to the other side. */
const ABORT_MS = 2_500;
const LOOK_MS = 50;

/**
 * Runs a job inside the worker, at most once, unless it is idempotent.
 *
 * If this process dies at any line: before the gate nothing was sent and the next attempt sends it; between the gate and the answer nobody knows
 * whether it took effect, and the next attempt says `lost` (or sends it again when it is idempotent); once the answer is recorded, it counts.
 * Throws the `detached` failure when the attempt is to stop without a cancel: the job goes on while the process lives.
 */
export async function runWorkerJob(place: JobPlace, job: WorkerJob): Promise<Execution> {
  let session: NodeSession;
  try {
    session = await place.pool.session(place.node, place.identity, place.node.connectWithinMs);
  } catch (error) {
    if (!isNodeError(error)) throw error;
    return { kind: 'not_run', code: 'refused', why: `the worker cannot keep records of what it sends: ${error.message}` };
  }
  const folder = join(session.baseDir, job.job);
  const again = running.get(folder);
  if (again !== undefined) return await attend(place.attendance, again);
  try {
    return await runOrFind(place, job, session, folder);
  } catch (error) {
    // Nothing is sent that cannot be recorded.
    if (!isNoRoom(error)) throw error;
    return { kind: 'not_run', code: 'refused', why: `the worker cannot record what it sends: ${(error as Error).message}` };
  }
}

async function runOrFind(place: JobPlace, job: WorkerJob, session: NodeSession, folder: string): Promise<Execution> {
  const { attendance } = place;
  const deadline = performance.now() + job.timeoutMs + ABORT_MS + 5_000;
  for (;;) {
    const answer = readAnswer(folder, session);
    if (answer !== undefined) return found(answer.record, answer.folder, incarnationOf(place, session));
    if (attendance.stopped() === 'detach') throw detached();
    const gate = lookAtGate(folder);
    if (gate.kind === 'closed') return { kind: 'not_run', code: 'cancelled', why: 'cancelled before it was sent' };
    if (gate.kind === 'free') {
      if (attendance.stopped() === 'cancel') closeGate(folder);
      else if (place.begin === 'attach' && !job.idempotent) {
        await loseJob(session, job.job, 'no-records');
        return lost('there are no records of it any more');
      } else if (takeGate(folder, session)) {
        place.onStarted?.(job.job);
        return await attend(attendance, start(place, job, session, folder));
      }
      continue;
    }
    const mine = running.get(folder);
    if (mine !== undefined) return await attend(attendance, mine);
    const given = lostReason(folder);
    if (given !== undefined) return lost(LOST[given] ?? given);
    if (gate.pid === process.pid || !ownerLives(gate, session)) {
      if (job.idempotent && attendance.stopped() !== 'cancel') {
        takeOver(folder, session);
        return await attend(attendance, start(place, job, session, folder));
      }
      // Its last act may have been the answer.
      if (readAnswer(folder, session) !== undefined) continue;
      await loseJob(session, job.job, 'worker');
      return lost(LOST['worker'] as string);
    }
    // Another process of this host has it in hand.
    if (attendance.stopped() === 'cancel') return lost('it was cancelled while another worker waited for its answer');
    if (performance.now() > deadline) return lost('the worker that sent it does not end');
    await pause(attendance, LOOK_MS);
  }
}

/** Begins; from here on it ends by itself and leaves its answer in the records, whoever still listens. */
function start(place: JobPlace, job: WorkerJob, session: NodeSession, folder: string): Running {
  const abort = new AbortController();
  let how: AnswerRecord['how'] = 'exit';
  const end = (why: 'timeout' | 'cancel'): void => {
    if (how !== 'exit') return;
    how = why;
    abort.abort();
  };
  const ended = execute(place, job, session, folder, { abort, how: () => how, timeout: () => end('timeout') });
  const entry: Running = { ended, cancel: () => end('cancel') };
  running.set(folder, entry);
  // Nobody may be listening any more; whoever does gets the rejection from `attend`.
  ended.catch(() => undefined).finally(() => running.delete(folder));
  return entry;
}

interface Ending {
  readonly abort: AbortController;
  how(): AnswerRecord['how'];
  timeout(): void;
}

async function execute(place: JobPlace, job: WorkerJob, session: NodeSession, folder: string, ending: Ending): Promise<Execution> {
  const goTicks = session.uptimeTicks();
  const startedAt = Date.now();
  const began = performance.now();
  const answer = answerFolder(folder);
  const stdout = createSink(join(answer, 'out'));
  const timer = setTimeout(() => ending.timeout(), job.timeoutMs);
  let given: WorkerAnswer | undefined;
  try {
    given = await Promise.race([job.run({ signal: ending.abort.signal, stdout }), afterAbort(ending.abort.signal)]);
  } finally {
    clearTimeout(timer);
  }
  const how = ending.how();
  const output = stdout.finish();
  const record: AnswerRecord = {
    how,
    exitCode: how === 'exit' ? (given?.exitCode ?? null) : null,
    startedAt,
    finishedAt: Date.now(),
    durationMs: Math.round(performance.now() - began),
    goTicks,
    facts: given?.facts ?? {},
    jsonIsRows: given?.jsonIsRows === true,
    outcomeUnknown: !job.idempotent && (how !== 'exit' || given?.outcomeUnknown === true),
  };
  const stderr = given?.stderr ?? '';
  try {
    publish(folder, answer, record, stderr, session);
  } catch (error) {
    // We know the answer and can tell it now; only a later attempt could not.
    if (!isNoRoom(error)) throw error;
  }
  return ended(record, output, textOutput(stderr), folder, incarnationOf(place, session));
}

/** Resolves some time after the abort: a job that does not end then is left alone. */
function afterAbort(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => setTimeout(resolve, ABORT_MS, undefined).unref(), { once: true });
  });
}

/** Waits for the end; a cancel reaches it, a detach leaves it after a moment. */
async function attend(attendance: Attendance, job: Running): Promise<Execution> {
  let forget = (): void => undefined;
  const stop = new Promise<'stop'>((resolve) => {
    forget = attendance.onStop(() => resolve('stop'));
  });
  try {
    const first = attendance.stopped() === undefined ? await Promise.race([job.ended, stop]) : 'stop';
    if (first !== 'stop') return first;
  } finally {
    forget();
  }
  if (attendance.stopped() === 'cancel') {
    job.cancel();
    return await job.ended;
  }
  const timer = new Promise<undefined>((resolve) => setTimeout(resolve, DETACH_MS, undefined).unref());
  const answer = await Promise.race([job.ended, timer]);
  if (answer === undefined) throw detached();
  return answer;
}

function found(record: AnswerRecord, folder: string, incarnation: string): Execution {
  return ended(record, fileOutput(join(folder, 'out')), fileOutput(join(folder, 'err')), folder, incarnation);
}

function ended(record: AnswerRecord, stdout: Output, stderr: Output, directory: string, incarnation: string): Execution {
  const { how, exitCode, startedAt, finishedAt, durationMs, goTicks, facts, jsonIsRows, outcomeUnknown } = record;
  return {
    kind: 'ended',
    how,
    exitCode,
    startedAt,
    finishedAt,
    durationMs,
    goTicks,
    survivors: [],
    incarnation,
    stdout,
    stderr,
    directory,
    facts: jsonIsRows && facts.rows !== undefined ? { ...facts, json: facts.rows } : facts,
    ...(outcomeUnknown && { outcomeUnknown }),
  };
}

const LOST: { readonly [code: string]: string } = {
  worker: 'the worker died after it was sent and before the answer was recorded; whether it took effect is not known',
  'no-records': 'there are no records of it any more',
};

function lost(why: string): Execution {
  const none = textOutput('');
  return { kind: 'lost', why: `command lost: ${why}`, stdout: none, stderr: none, incarnation: '' };
}

/** Of a node that is not this machine nothing was learned. */
function incarnationOf(place: JobPlace, session: NodeSession): string {
  return place.elsewhere === true ? '' : session.incarnation;
}

function isNoRoom(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EMFILE', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');
}
