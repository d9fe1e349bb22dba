import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { NodeError } from './node-error.ts';
import type { NodeSession } from './node-session.ts';

/** One try, sample or recovery as the node runs it. */
export interface JobSpec {
  /** `<run>/<job>`, see job-name.ts. */
  readonly job: string;
  readonly runner: 'sh' | 'bash';
  /** Text of the script file. No NUL. */
  readonly script: string;
  /** Shell text sourced before the script in the same process: environment and working directory. */
  readonly prelude: string;
  readonly stdin: string;
  readonly timeoutMs: number;
}

/** What the records say about a job. */
export type JobState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'prepared' }
  /** The gate was closed by a cancel or by a verdict `lost`: it never ran and never will. */
  | { readonly kind: 'closed' }
  | ({ readonly kind: 'running' } & Started)
  /** The supervisor died, the command still runs; its exit code will not be known. */
  | ({ readonly kind: 'orphan' } & Started)
  | ({ readonly kind: 'done' } & JobEnd)
  /** Started and not running any more, without a result: `reboot` or `supervisor`. Not yet recorded as lost. */
  | ({ readonly kind: 'dead'; readonly why: string } & Started)
  | ({ readonly kind: 'lost'; readonly why: string } & Started);

interface Started {
  /** Incarnation that ran it; empty when only the end was reported. */
  readonly incarnation: string;
  /** Uptime at the gate, 1/100 s. */
  readonly goTicks: number;
}

export interface JobEnd extends Started {
  readonly how: 'exit' | 'timeout' | 'cancel';
  /** As the shell reports it (128 + n may be a signal); `null` when a command outlived its supervisor and was ended at its timeout. */
  readonly code: number | null;
  readonly endTicks: number;
}

/** State plus the flags beside it. */
export interface JobLook {
  readonly state: JobState;
  readonly judged: boolean;
  /** The working directory could not be entered; the command did not run. */
  readonly noCwd: boolean;
  readonly cancelAsked: boolean;
  /** Processes outlived the kill; their names stand in file `left`. */
  readonly survivors: boolean;
}

export type StartAnswer =
  | { readonly kind: 'started' }
  /** The job has been started before, by us or by a rival. */
  | { readonly kind: 'exists' }
  | { readonly kind: 'fenced'; readonly why: string };

/**
 * Starts a job, at most once however often and by however many it is asked. `notAfterTicks`: node uptime after which a late request does nothing.
 * Throws NODE_REFUSED when the node cannot keep the files of the job.
 */
export async function startJob(session: NodeSession, spec: JobSpec, notAfterTicks: number): Promise<StartAnswer> {
  if (session.direct) makeDirectory(session, spec.job);
  const answer = await session.stream.request('start', [
    spec.job,
    session.incarnation,
    String(notAfterTicks),
    String(Math.max(1, Math.ceil(spec.timeoutMs / 10))),
    spec.runner,
    spec.script,
    spec.prelude,
    spec.stdin,
  ]);
  const [status = '', why = ''] = answer.split(' ');
  switch (status) {
    case 'started':
      return { kind: 'started' };
    case 'exists':
      return { kind: 'exists' };
    case 'fenced':
      return { kind: 'fenced', why };
    case 'no-space':
      throw new NodeError('NODE_REFUSED', 'the node cannot store the files of the command (disk full?)');
    case 'no-bash':
      throw new NodeError('NODE_REFUSED', 'there is no bash on the node');
    case 'no-directory':
      throw new NodeError('NODE_REFUSED', `the node cannot make the folder of the job in ${session.baseDir}`);
    default:
      throw new NodeError('NODE_REFUSED', `unexpected answer to start: ${answer.slice(0, 200)}`);
  }
}

/** A folder made here saves the node's shell a fork; the shell makes it when this did not. */
function makeDirectory(session: NodeSession, job: string): void {
  try {
    mkdirSync(join(session.baseDir, job), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new NodeError('NODE_REFUSED', `the node cannot make the folder of the job: ${(error as Error).message}`);
  }
}

/** States of several jobs in one request. */
export async function lookAtJobs(session: NodeSession, jobs: readonly string[]): Promise<readonly JobLook[]> {
  const answer = await session.stream.request('status', jobs);
  if (!answer.startsWith('ok ')) throw new NodeError('NODE_REFUSED', `unexpected answer to status: ${answer.slice(0, 200)}`);
  const looks = answer.slice(3).split('|').slice(0, -1).map(parseLook);
  if (looks.length !== jobs.length) throw new NodeError('NODE_REFUSED', 'the node answered about another number of jobs');
  return looks;
}

export async function lookAtJob(session: NodeSession, job: string): Promise<JobLook> {
  const [look] = await lookAtJobs(session, [job]);
  return look as JobLook;
}

/** Asks the node to end a job; a job that has not begun is closed for ever. Repeat until the state is final. */
export async function cancelJob(session: NodeSession, job: string, who: string): Promise<JobLook> {
  return verbLook(session, 'cancel', [job, who.slice(0, 50)]);
}

/** Closes a job whose outcome cannot be known. The answer is `done` when a result had been recorded after all. */
export async function loseJob(session: NodeSession, job: string, why: string): Promise<JobLook> {
  return verbLook(session, 'lost', [job, why.slice(0, 50)]);
}

async function verbLook(session: NodeSession, verb: string, args: readonly string[]): Promise<JobLook> {
  const answer = await session.stream.request(verb, args);
  if (!answer.startsWith('ok ')) throw new NodeError('NODE_REFUSED', `unexpected answer to ${verb}: ${answer.slice(0, 200)}`);
  return parseLook(answer.slice(3));
}

/** Records that a try is settled as not passed, before anyone is told: a crash in between neither repeats nor skips a try. */
export async function settleJob(session: NodeSession, job: string, reason: string): Promise<void> {
  const answer = await session.stream.request('judged', [job, reason.replaceAll('\0', '').slice(0, 2_000)]);
  if (answer !== 'ok') throw new NodeError('NODE_REFUSED', 'the node cannot record that the try is settled');
}

/** Deletes all jobs of a run. */
export async function forgetJobs(session: NodeSession, run: string): Promise<void> {
  const answer = await session.stream.request('forget', [run], 60_000);
  if (answer !== 'ok') throw new NodeError('NODE_REFUSED', `unexpected answer to forget: ${answer.slice(0, 200)}`);
}

/** A small file of a job as text, empty when there is none. */
export async function readJobText(
  session: NodeSession,
  job: string,
  file: 'left' | 'why' | 'log' | 'cut.out' | 'cut.err',
): Promise<string> {
  if (session.direct) {
    try {
      return readFileSync(join(session.baseDir, job, file), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }
  return (await readRemote(session, job, file, 0, 65_536)).bytes.toString('utf8');
}

/** A range of a job's file through the stream, and the file's size before the range was read. */
export async function readRemote(
  session: NodeSession,
  job: string,
  file: string,
  offset: number,
  max: number,
): Promise<{ readonly size: number; readonly bytes: Buffer }> {
  const answer = await session.stream.request('read', [job, file, String(offset), String(max)], 60_000);
  const [status, size = '0', encoding = 'hex', text = ''] = answer.split(' ');
  if (status !== 'ok') throw new NodeError('NODE_REFUSED', `unexpected answer to read: ${answer.slice(0, 200)}`);
  const bytes = Buffer.from(text, encoding === 'base64' ? 'base64' : 'hex');
  // The answer is framed although what fills it may have been killed on the node.
  const expected = Math.max(0, Math.min(max, Number(size) - offset));
  if (bytes.length < expected) throw new NodeError('NODE_STREAM_LOST', `the node sent ${bytes.length} of ${expected} bytes of ${file}`);
  return { size: Number(size), bytes };
}

/** The end as a supervisor reports it: `<kind>.<code>.<go>.<end>`. */
export function parseEnd(end: string, incarnation: string): JobState {
  const [kind = '', code = '', go = '', at = ''] = end.split('.');
  return doneState(incarnation, go, kind, code, at);
}

function parseLook(text: string): JobLook {
  const [flags = '', kind = '', incarnation = '', go = '', last = ''] = text.trim().split(' ');
  return {
    state: parseState(kind, incarnation, go, last),
    judged: flags.includes('j'),
    noCwd: flags.includes('w'),
    cancelAsked: flags.includes('c'),
    survivors: flags.includes('l'),
  };
}

function parseState(kind: string, incarnation: string, go: string, last: string): JobState {
  switch (kind) {
    case 'absent':
    case 'prepared':
    case 'closed':
      return { kind };
    case 'running':
    case 'orphan':
      return { kind, incarnation, goTicks: Number(go) };
    case 'dead':
    case 'lost':
      return { kind, incarnation, goTicks: Number(go), why: last };
    case 'done': {
      const [how = '', code = '', at = ''] = last.split('.');
      return doneState(incarnation, go, how, code, at);
    }
    default:
      throw new NodeError('NODE_REFUSED', `unknown job state ${JSON.stringify(kind)}`);
  }
}

function doneState(incarnation: string, go: string, kind: string, code: string, at: string): JobState {
  const how = kind === 't' ? 'timeout' : kind === 'c' ? 'cancel' : 'exit';
  return { kind: 'done', incarnation, goTicks: Number(go), how, code: code === '-' ? null : Number(code), endTicks: Number(at) };
}
