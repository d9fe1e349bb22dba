import { ApplicationFailure, Context } from '@temporalio/activity';
import { ApplicationFailureCategory, CancelledFailure } from '@temporalio/common';

import { FAILURE } from '../dsl/model/workflow-io.ts';
import type { NodeResult } from '../dsl/model/result.ts';
import type { RolesAnswer } from '../dsl/model/workflow-io.ts';

/**
 * How an activity attends to its work: what earlier attempts told, how it shows that it lives, and whether it is to stop.
 * The one place that reads Temporal's cancellation flags: only a real cancel may end a command on a node.
 */
export interface Attendance {
  /** Server attempt, from 1. Counts infrastructure trouble and user retries alike. */
  readonly attempt: number;
  /** Epoch ms at which the activity was first scheduled; the same for all attempts. */
  readonly scheduledAtMs: number;
  /** Details of the last heartbeat of the attempt before, a hint. */
  readonly lastDetails: unknown;
  /** Tells the server that we live; how we learn of a cancel. */
  readonly beat: (details?: unknown) => void;
  /** `undefined` while there is nothing to stop for. */
  readonly stopped: () => Stop | undefined;
  /** Calls back once when it is to stop. Returns a function that forgets the callback. */
  readonly onStop: (callback: () => void) => () => void;
}

/** `cancel`: the workflow wants the command ended. `detach`: leave everything as it is, another attempt or nobody goes on. */
export type Stop = 'cancel' | 'detach';

/** The attendance of the activity that is running here. */
export function currentAttendance(): Attendance {
  const context = Context.current();
  const signal = context.cancellationSignal;
  return {
    attempt: context.info.attempt,
    scheduledAtMs: context.info.scheduledTimestampMs,
    lastDetails: context.info.heartbeatDetails,
    beat: (details) => context.heartbeat(details),
    stopped() {
      if (!signal.aborted) return undefined;
      return context.cancellationDetails?.cancelRequested === true ? 'cancel' : 'detach';
    },
    onStop(callback) {
      if (signal.aborted) {
        queueMicrotask(callback);
        return () => undefined;
      }
      signal.addEventListener('abort', callback, { once: true });
      return () => signal.removeEventListener('abort', callback);
    },
  };
}

const BEAT_MS = 1_000;

/**
 * Does the work with a heartbeat every second, from the first second on: connecting, waiting and judging may all outlast the heartbeat timeout.
 * Work that hangs for ever is ended by the activity's start-to-close timeout. `details` is asked for each time.
 */
export async function withHeartbeat<T>(attendance: Attendance, details: () => unknown, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => attendance.beat(details()), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Waits, but not beyond the order to stop. */
export async function pause(attendance: Attendance, waitMs: number): Promise<void> {
  if (attendance.stopped() !== undefined || waitMs <= 0) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    const forget = attendance.onStop(done);
  });
}

/** What to throw when detached: the server lets another attempt go on, or does not listen any more. */
export function detached(): Error {
  return ApplicationFailure.create({
    message: 'detached: the command goes on, the next attempt attaches to it',
    type: 'Detached',
    nonRetryable: false,
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** What to throw after a cancel was carried out: Temporal sees a cancelled activity, the workflow finds the result in the details. */
export function cancelled(result: NodeResult | RolesAnswer): Error {
  return new CancelledFailure(result.reason ?? 'cancelled', [result]);
}

/**
 * The failure of a step with a verdict other than passed. `again`: `never`; `policy` = when the activity's retry policy says;
 * a number = the server starts the next try after that many milliseconds.
 */
export function stepFailed(result: NodeResult | RolesAnswer, again: 'never' | 'policy' | number): Error {
  return ApplicationFailure.create({
    message: result.reason ?? result.verdict,
    type: FAILURE.stepFailed,
    nonRetryable: again === 'never',
    details: [result],
    category: ApplicationFailureCategory.BENIGN,
    // The SDK takes 0 for "not set", and then the next try comes when the policy for infrastructure trouble says, if at all.
    ...(typeof again === 'number' ? { nextRetryDelay: Math.max(1, again) } : {}),
  });
}
