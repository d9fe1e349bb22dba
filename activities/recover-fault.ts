import type { NodeResult } from '../dsl/model/result.ts';
import type { RecoverInput } from '../dsl/model/workflow-io.ts';
import { type Attendance, cancelled, currentAttendance, stepFailed, withHeartbeat } from './attendance.ts';
import type { ActivityDeps } from './deps.ts';
import { storeFailed } from './judge/bounded-store.ts';
import { judgeTry } from './judge/judge-try.ts';
import { lookAtJobs, settleJob } from './nodes/job.ts';
import { jobName } from './nodes/job-name.ts';
import { isNodeError } from './nodes/node-error.ts';
import { nodePool } from './nodes/node-pool.ts';
import type { NodeSession } from './nodes/node-session.ts';
import { execute, hostOf, wasCancelled } from './run-types.ts';
import { prepareCommand } from './secrets/prepare-command.ts';
import { StoreError } from './store/store-error.ts';
import { takeSamples } from './take-samples.ts';

/** How many earlier recoveries are looked at: older ones have ended long ago. */
const LOOK_BACK = 5;

/**
 * Activity `recoverFault`: one try to undo a fault on one node, confirmed by exit 0 and, if given, by `verify`.
 *
 * Recover commands are idempotent by contract, so a try whose end nobody can know is followed by another; but two never run at once: one that an
 * earlier attempt left running, or that ended unseen, is waited for and judged first. Every outcome but a confirmed undo is a retryable failure,
 * and the policy of the workflow tries for ever. If this process dies at any line, the command goes on and the next attempt finds it.
 */
export function createRecoverFault(deps: ActivityDeps): (input: RecoverInput) => Promise<NodeResult> {
  return (input) => recoverFault(deps, input, currentAttendance());
}

/** The activity with its attendance given; for tests without a server. */
export function recoverFault(deps: ActivityDeps, input: RecoverInput, attendance: Attendance): Promise<NodeResult> {
  return withHeartbeat(
    attendance,
    () => undefined,
    async () => {
      try {
        return await recoverOnce(deps, input, attendance);
      } catch (error) {
        // An undo is never given up for the sake of its output.
        throw error instanceof StoreError ? storeFailed(error) : error;
      }
    },
  );
}

async function recoverOnce(deps: ActivityDeps, input: RecoverInput, attendance: Attendance): Promise<NodeResult> {
  const { node, command } = input;
  const base = jobName(input.run, input.address, node.name);
  const number = await unfinished(deps, input, attendance, base);
  const job = `${base}.r${number ?? attendance.attempt}`;
  // An undo must not wait for a secret that it does not use.
  const prepared = await prepareCommand(deps, input.run, command, true);
  const execution = await execute(prepared, {
    place: { pool: nodePool(deps), ...hostOf(node, command), attendance, begin: number === undefined ? 'start' : 'attach' },
    job,
    run: input.run,
    address: input.address,
    command: prepared.command,
    number: number ?? attendance.attempt,
    timeoutMs: input.timeoutMs,
    scope: input.scope,
  });
  const rules = {
    node: node.name,
    expect: {},
    outputs: {},
    scope: input.scope,
    timeoutMs: input.timeoutMs,
    keepStdout: false,
    hashStdout: false,
    badVerdict: 'failed' as const,
    storeDir: deps.storeDir,
    masker: prepared.masker,
  };
  const { result } = await judgeTry(execution, rules, { tries: attendance.attempt, earlierTries: [] });
  if (wasCancelled(execution)) throw cancelled(result);
  if (result.verdict !== 'passed') {
    if (execution.kind === 'ended') await settle(deps, input, job, result.reason ?? '');
    throw stepFailed(result, 'policy');
  }
  if (input.verify === undefined) return result;

  const { verify } = input;
  const seen = await takeSamples(
    deps,
    {
      run: input.run,
      address: input.address,
      node: verify.node ?? node,
      command: verify.command,
      match: verify.match,
      mode: 'until',
      windowMs: verify.withinMs,
      everyMs: verify.everyMs,
      timeoutMs: Math.max(verify.withinMs, 1_000),
      scope: input.scope,
      badVerdict: 'failed',
      // A verification belongs to this attempt: what an earlier one saw says nothing about now.
      prefix: `${job}.a${attendance.attempt}.s`,
    },
    attendance,
  );
  if (seen.verdict === 'passed') return { ...result, ...(seen.samples === undefined ? {} : { samples: seen.samples }) };
  await settle(deps, input, job, seen.reason ?? '');
  throw stepFailed({ ...seen, reason: `recover ran, but its verify does not hold: ${seen.reason ?? seen.verdict}` }, 'policy');
}

/** The newest earlier recovery that is not settled and may still run, or has ended unseen. */
async function unfinished(deps: ActivityDeps, input: RecoverInput, attendance: Attendance, base: string): Promise<number | undefined> {
  const numbers: number[] = [];
  for (let back = 1; back <= LOOK_BACK && attendance.attempt - back >= 1; back++) numbers.push(attendance.attempt - back);
  if (numbers.length === 0) return undefined;
  try {
    const session = await openHost(deps, input);
    const looks = await lookAtJobs(
      session,
      numbers.map((number) => `${base}.r${number}`),
    );
    return numbers.find((_, index) => {
      const look = looks[index];
      return look !== undefined && !look.judged && ['running', 'orphan', 'done'].includes(look.state.kind);
    });
  } catch (error) {
    // The try itself meets the same trouble and reports it.
    if (isNodeError(error)) return undefined;
    throw error;
  }
}

async function settle(deps: ActivityDeps, input: RecoverInput, job: string, reason: string): Promise<void> {
  const session = await openHost(deps, input);
  await settleJob(session, job, reason);
}

function openHost(deps: ActivityDeps, input: RecoverInput): Promise<NodeSession> {
  const { node, identity } = hostOf(input.node, input.command);
  return nodePool(deps).session(node, identity, node.connectWithinMs);
}
