import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import type { NodeResult } from '../../dsl/model/result.ts';
import type {
  Activities,
  AskRolesInput,
  FinalizeRunInput,
  FinalizeTestcasesInput,
  HelloInput,
  HelloResult,
  RecoverInput,
  RolesAnswer,
  RunCommandInput,
  SampleInput,
  WatchOwnerInput,
} from '../../dsl/model/workflow-io.ts';
import { FAILURE } from '../../dsl/model/workflow-io.ts';
import { failureLine, findEngineBug } from './engine-bug.ts';

/** Beyond what a command may take: delivery, start, the kill of its processes, reading its output. Only a net. */
const NET_MS = 30_000;
const HEARTBEAT_MS = 5_000;
const SUMMARY_LENGTH = 120;

/** Unlimited attempts: they belong to the engine. The tries a user asked for are counted on the node (P4). */
const INFRASTRUCTURE_RETRY = { initialInterval: 1_000, backoffCoefficient: 1 };

const activities = proxyActivities<Activities>({ startToCloseTimeout: 60_000 });

export interface CallOptions {
  /** `<step>/<node>`, shown in the Web UI. */
  readonly activityId: string;
  /** Title of the step, one line. */
  readonly summary: string;
  readonly taskQueue: string;
  /** Why the scope around the call was cancelled, for the result's reason. */
  readonly cancelReason: () => string;
}

/** Runs a command on one node; every outcome but a bug of ours is a NodeResult. */
export function runCommand(input: RunCommandInput, options: CallOptions): Promise<NodeResult> {
  return settleNode(input.node.name, options, () =>
    activities.runCommand.executeWithOptions(commandOptions(options, input.timeoutMs + input.node.connectWithinMs), [input]),
  );
}

/** Samples a command on one node; every outcome but a bug of ours is a NodeResult. */
export function sampleCommand(input: SampleInput, options: CallOptions): Promise<NodeResult> {
  const longestMs = input.windowMs + input.timeoutMs + input.node.connectWithinMs;
  return settleNode(input.node.name, options, () =>
    activities.sampleCommand.executeWithOptions(commandOptions(options, longestMs), [input]),
  );
}

/** Asks roles until they hold; every outcome but a bug of ours is an answer. Without one (cancelled, lost) it has no roles. */
export async function askRoles(input: AskRolesInput, options: CallOptions): Promise<RolesAnswer> {
  const windowMs = input.condition?.windowMs ?? Math.max(...input.roles.map((role) => role.withinMs));
  const questionMs = Math.max(...input.roles.map((role) => role.timeoutMs));
  const noAnswer = (reason: string): RolesAnswer => ({ kind: 'roles', verdict: 'broken', reason, rounds: 0, roles: [] });
  try {
    return await activities.askRoles.executeWithOptions(commandOptions(options, windowMs + 2 * questionMs), [input]);
  } catch (error) {
    if (isCancellation(error)) {
      const known = error instanceof ActivityFailure ? answerOf(error.cause) : undefined;
      return { ...(known ?? noAnswer('')), verdict: 'broken', reason: options.cancelReason() };
    }
    if (!(error instanceof ActivityFailure)) throw error;
    const bug = findEngineBug(error);
    if (bug) throw bug;
    return answerOf(error.cause) ?? noAnswer(failureLine(error));
  }
}

/** Tries to undo until it is confirmed (1 s → 60 s). Rejects only on cancel or a failure that the activity calls final. */
export function recoverFault(input: RecoverInput, options: Omit<CallOptions, 'cancelReason'>): Promise<NodeResult> {
  const longestMs = input.timeoutMs + (input.verify?.withinMs ?? 0) + input.node.connectWithinMs;
  return activities.recoverFault.executeWithOptions(
    { ...commandOptions(options, longestMs), retry: { initialInterval: 1_000, backoffCoefficient: 2, maximumInterval: 60_000 } },
    [input],
  );
}

/** First contact with a node; `undefined` when it does not answer (that is for the step that needs it to judge). */
export async function hello(
  input: HelloInput,
  taskQueue: string,
  activityId = `hello/${input.node.name}`,
): Promise<HelloResult | undefined> {
  const limitMs = input.node.connectWithinMs + 5_000;
  try {
    return await activities.hello.executeWithOptions(
      {
        activityId,
        summary: oneLine(`hello ${input.node.name}`),
        taskQueue,
        heartbeatTimeout: HEARTBEAT_MS,
        startToCloseTimeout: limitMs,
        scheduleToCloseTimeout: limitMs,
        retry: INFRASTRUCTURE_RETRY,
      },
      [input],
    );
  } catch (error) {
    const bug = findEngineBug(error);
    if (bug) throw bug;
    if (error instanceof ActivityFailure || isCancellation(error)) return undefined;
    throw error;
  }
}

/** Resolves when the owner's run is closed. */
export function watchOwner(input: WatchOwnerInput, taskQueue: string): Promise<{ readonly status: string }> {
  return activities.watchOwner.executeWithOptions(
    {
      activityId: 'watch-owner',
      summary: 'until the testcase is closed',
      taskQueue,
      heartbeatTimeout: HEARTBEAT_MS,
      startToCloseTimeout: 30 * 86_400_000,
      retry: INFRASTRUCTURE_RETRY,
      // The end of a fault must not wait for the next heartbeat of its watcher.
      cancellationType: ActivityCancellationType.TRY_CANCEL,
    },
    [input],
  );
}

/** Ten attempts, then a bug of ours: a run whose record cannot be written must say so. */
const RECORD_OPTIONS: ActivityOptions = {
  startToCloseTimeout: 300_000,
  heartbeatTimeout: 60_000,
  retry: { initialInterval: 500, backoffCoefficient: 2, maximumInterval: 15_000, maximumAttempts: 10 },
};

export function finalizeTestcases(input: FinalizeTestcasesInput, taskQueue: string, batch: number): Promise<void> {
  return activities.finalizeTestcases.executeWithOptions(
    { ...RECORD_OPTIONS, taskQueue, activityId: `finalize-testcases/${batch}`, summary: `records of ${input.testcases.length} testcases` },
    [input],
  );
}

export function finalizeRun(input: FinalizeRunInput, taskQueue: string): Promise<void> {
  return activities.finalizeRun.executeWithOptions(
    { ...RECORD_OPTIONS, taskQueue, activityId: 'finalize-run', summary: 'reports of the run' },
    [input],
  );
}

/** A result for a node about which no activity could say anything. `tries` 0 = certainly never started. */
export function resultWithoutRun(node: string, reason: string, tries: 0 | 1): NodeResult {
  const at = Date.now();
  const nothing = { text: '', bytes: 0, truncated: false };
  return {
    node,
    verdict: 'broken',
    reason,
    exitCode: null,
    timedOut: false,
    stdout: nothing,
    stderr: nothing,
    checks: [],
    outputs: {},
    durationMs: 0,
    startedAt: at,
    finishedAt: at,
    tries,
    earlierTries: [],
    cached: false,
  };
}

function commandOptions(options: Omit<CallOptions, 'cancelReason'>, longestMs: number): ActivityOptions {
  return {
    activityId: options.activityId,
    summary: oneLine(options.summary),
    taskQueue: options.taskQueue,
    heartbeatTimeout: HEARTBEAT_MS,
    startToCloseTimeout: longestMs + NET_MS,
    retry: INFRASTRUCTURE_RETRY,
    // What a cancelled command left behind is known only when the activity has ended.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
}

/** The one place where an activity's failure becomes a result. */
async function settleNode(node: string, options: CallOptions, call: () => Promise<NodeResult>): Promise<NodeResult> {
  try {
    return await call();
  } catch (error) {
    if (isCancellation(error)) {
      const known = error instanceof ActivityFailure ? detailOf(error.cause) : undefined;
      // A call refused because its scope was cancelled before is no ActivityFailure: nothing was started.
      return known
        ? { ...known, verdict: 'broken', reason: options.cancelReason() }
        : resultWithoutRun(node, options.cancelReason(), error instanceof ActivityFailure ? 1 : 0);
    }
    if (!(error instanceof ActivityFailure)) throw error;
    const bug = findEngineBug(error);
    if (bug) throw bug;
    const { cause } = error;
    if (cause instanceof ApplicationFailure && cause.type === FAILURE.stepFailed) {
      const result = detailOf(cause);
      if (result) return result;
    }
    if (cause instanceof TimeoutFailure) return resultWithoutRun(node, `command lost: no answer from its worker (${cause.timeoutType})`, 1);
    return resultWithoutRun(node, failureLine(error), 1);
  }
}

function detailOf(cause: unknown): NodeResult | undefined {
  const detail = (cause as { details?: readonly unknown[] } | undefined)?.details?.[0];
  return typeof detail === 'object' && detail !== null && 'verdict' in detail && 'stdout' in detail ? (detail as NodeResult) : undefined;
}

function answerOf(cause: unknown): RolesAnswer | undefined {
  const detail = (cause as { details?: readonly unknown[] } | undefined)?.details?.[0];
  return typeof detail === 'object' && detail !== null && 'kind' in detail && detail.kind === 'roles' ? (detail as RolesAnswer) : undefined;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > SUMMARY_LENGTH ? `${line.slice(0, SUMMARY_LENGTH - 1)}…` : line;
}
