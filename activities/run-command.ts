import type { NodeResult, TrySummary } from '../dsl/model/result.ts';
import type { RetryPolicy } from '../dsl/model/suite.ts';
import type { RunCommandInput } from '../dsl/model/workflow-io.ts';
import { type Attendance, cancelled, currentAttendance, stepFailed, withHeartbeat } from './attendance.ts';
import type { ActivityDeps } from './deps.ts';
import { boundedStore } from './judge/bounded-store.ts';
import { blank, type Judgement, judgeTry, type JudgeRules } from './judge/judge-try.ts';
import { type JobLook, lookAtJobs, readJobText, settleJob } from './nodes/job.ts';
import { jobName } from './nodes/job-name.ts';
import { isNodeError } from './nodes/node-error.ts';
import { nodePool } from './nodes/node-pool.ts';
import type { NodeSession } from './nodes/node-session.ts';
import { execute, hostOf, wasCancelled } from './run-types.ts';
import type { Masker } from './secrets/masker.ts';
import { prepareCommand } from './secrets/prepare-command.ts';

/**
 * Activity `runCommand`: one command on one node, with the tries its user allowed.
 *
 * If this process dies at any line: the command on the node goes on, the records on the node say how far we came, and the next attempt continues
 * there. A try is started at most once. A try that was judged and has another after it is recorded as settled before the server is told, so a crash
 * in between neither repeats nor skips one. Attempts that end without a judgement never use up a try.
 */
export function createRunCommand(deps: ActivityDeps): (input: RunCommandInput) => Promise<NodeResult> {
  return (input) => runCommand(deps, input, currentAttendance());
}

/** The activity with its attendance given; for tests without a server. */
export async function runCommand(deps: ActivityDeps, input: RunCommandInput, attendance: Attendance): Promise<NodeResult> {
  // A hint for the next attempt, nothing more: that the job was certainly started.
  let startedJob: string | undefined;
  const details = (): unknown => (startedJob === undefined ? undefined : { job: startedJob });
  return withHeartbeat(attendance, details, () => runTry(deps, input, attendance, (job) => (startedJob = job)));
}

async function runTry(
  deps: ActivityDeps,
  input: RunCommandInput,
  attendance: Attendance,
  onStarted: (job: string) => void,
): Promise<NodeResult> {
  const base = jobName(input.run, input.address, input.node.name);
  const { number, earlierTries, begin } = attendance.attempt === 1 ? FIRST : await findTry(deps, input, attendance, base);
  const job = `${base}.t${number}`;
  const host = hostOf(input.node, input.command);
  const pool = nodePool(deps);
  const prepared = await prepareCommand(deps, input.run, input.command);
  const execution = await execute(prepared, {
    place: { pool, ...host, attendance, begin, onStarted },
    job,
    run: input.run,
    address: input.address,
    command: prepared.command,
    number,
    timeoutMs: input.timeoutMs,
    scope: input.scope,
  });
  const tries = { tries: number, earlierTries };
  const known = { ...blank(input.node.name, tries), exitCode: execution.kind === 'ended' ? execution.exitCode : null };
  // Every settled try took an attempt that was no failure of the store.
  const judgement = await boundedStore(attendance.attempt - (number - 1), known, () =>
    judgeTry(execution, rulesOf(deps, input, prepared.masker), tries),
  );
  const { result } = judgement;
  if (result.verdict === 'passed') return result;
  if (wasCancelled(execution)) throw cancelled(result);
  if (!triesAgain(judgement, number, input.retry)) throw stepFailed(result, 'never');
  if (execution.kind === 'ended' && execution.outcomeUnknown === true) {
    const why = 'not tried again, because nobody knows whether it took effect (idempotent: true allows it)';
    throw stepFailed({ ...result, reason: `${result.reason ?? result.verdict}; ${why}` }, 'never');
  }
  await settleJob(await pool.session(host.node, host.identity, host.node.connectWithinMs), job, JSON.stringify(trySummary(result)));
  throw stepFailed(result, delayAfter(number, input.retry));
}

interface FoundTry {
  /** The try to run or attach to, from 1. */
  readonly number: number;
  readonly begin: 'start' | 'attach';
  readonly earlierTries: readonly TrySummary[];
}

const FIRST: FoundTry = { number: 1, begin: 'start', earlierTries: [] };

/** Reads from the node's records which try this attempt is about. */
async function findTry(deps: ActivityDeps, input: RunCommandInput, attendance: Attendance, base: string): Promise<FoundTry> {
  let session: NodeSession;
  let onNode = true;
  let looks: readonly JobLook[];
  const jobs = Array.from({ length: input.retry.max + 1 }, (_, index) => `${base}.t${index + 1}`);
  try {
    const { node, identity, elsewhere } = hostOf(input.node, input.command);
    onNode = !elsewhere;
    session = await nodePool(deps).session(node, identity, node.connectWithinMs);
    looks = await lookAtJobs(session, jobs);
  } catch (error) {
    // The runner meets the same trouble and turns it into a result.
    if (isNodeError(error)) return { ...FIRST, begin: 'attach' };
    throw error;
  }
  const settled = looks.findIndex(({ judged }) => !judged);
  const index = settled === -1 ? looks.length - 1 : settled;
  const earlierTries: TrySummary[] = [];
  for (const [at, look] of looks.slice(0, index).entries()) {
    earlierTries.push(await summary(session, jobs[at] as string, look));
  }
  const number = index + 1;
  const state = (looks[index] as JobLook).state.kind;
  const unknown = state === 'absent' || state === 'prepared';
  // Every settled try took one attempt; if there were more, one of them may have started this try.
  const triedBefore = attendance.attempt > number;
  // The incarnation is the node's: it says nothing about the host of a command that runs beside the worker.
  const rebooted = onNode && input.incarnation !== undefined && input.incarnation !== session.incarnation;
  const wasStarted = jobOf(attendance.lastDetails) === jobs[index];
  // A try that may have been started on an earlier incarnation, or whose records are gone, is not started again: it is looked for, and lost.
  const lost = triedBefore && (rebooted || (wasStarted && state === 'absent'));
  return { number, begin: unknown && !lost ? 'start' : 'attach', earlierTries };
}

function jobOf(details: unknown): string | undefined {
  return typeof details === 'object' && details !== null && 'job' in details && typeof details.job === 'string' ? details.job : undefined;
}

/** What is kept of a settled try: beside its records, because the result of a try may be recorded after it was reported and judged. */
function trySummary({ exitCode, reason, durationMs }: NodeResult): TrySummary {
  return { exitCode, reason: (reason ?? 'not passed').slice(0, 500), durationMs };
}

async function summary(session: NodeSession, job: string, look: JobLook): Promise<TrySummary> {
  const { state } = look;
  const known = {
    exitCode: state.kind === 'done' && state.how === 'exit' ? state.code : null,
    reason: 'not passed',
    durationMs: state.kind === 'done' ? (state.endTicks - state.goTicks) * 10 : 0,
  };
  try {
    return { ...known, ...(JSON.parse(await readJobText(session, job, 'why')) as TrySummary) };
  } catch (error) {
    // On a full disk the note is missing or cut; the records say enough.
    if (error instanceof SyntaxError) return known;
    throw error;
  }
}

/** True when the user allowed another try after this judgement. */
function triesAgain({ result, failure }: Judgement, number: number, retry: RetryPolicy): boolean {
  if (failure === undefined || number > retry.max || !retry.when.includes(failure)) return false;
  return (
    failure !== 'exit_code' || retry.exitCodes === undefined || (result.exitCode !== null && retry.exitCodes.includes(result.exitCode))
  );
}

/** Wait before the try after `number`. */
function delayAfter(number: number, retry: RetryPolicy): number {
  return Math.min(retry.delayMs * retry.backoff ** (number - 1), retry.maxDelayMs);
}

function rulesOf(deps: ActivityDeps, input: RunCommandInput, masker: Masker | undefined): JudgeRules {
  return {
    node: input.node.name,
    expect: input.expect,
    outputs: input.outputs,
    scope: input.scope,
    timeoutMs: input.timeoutMs,
    keepStdout: input.keepStdout,
    hashStdout: input.hashStdout,
    badVerdict: input.badVerdict,
    storeDir: deps.storeDir,
    masker,
  };
}
