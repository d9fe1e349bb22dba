import type { JournalEntry } from '../dsl/model/journal.ts';

/**
 * A workflow history as plain data: what `activities/history/decode-history.ts` makes of Temporal's events and all that
 * projections see. Payloads are decoded; `at` is the server's event time, epoch ms.
 */
export interface WorkflowFacts {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  /** First argument of the workflow. */
  readonly input: unknown;
  readonly startedAt: number;
  readonly facts: readonly Fact[];
}

export type Fact = { readonly at: number; readonly eventId: number } & (
  | {
      readonly kind: 'activity_scheduled';
      readonly activityId: string;
      readonly activityType: string;
      /** First argument of the activity. */
      readonly input: unknown;
    }
  | {
      readonly kind: 'activity_finished';
      readonly activityId: string;
      readonly status: 'completed' | 'failed' | 'cancelled' | 'timed_out';
      readonly result?: unknown;
      /** First detail of an ApplicationFailure (a NodeResult for `StepFailed`). */
      readonly detail?: unknown;
      readonly failureType?: string;
      readonly message?: string;
    }
  | { readonly kind: 'memo_journal'; readonly journal: readonly JournalEntry[] }
  | {
      readonly kind: 'child_started';
      readonly workflowId: string;
      readonly runId: string;
      readonly workflowType: string;
      readonly input: unknown;
    }
  | {
      readonly kind: 'child_finished';
      readonly workflowId: string;
      readonly status: 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed_out';
      readonly result?: unknown;
      readonly detail?: unknown;
      readonly failureType?: string;
      readonly message?: string;
    }
  | { readonly kind: 'signal'; readonly name: string; readonly payload: unknown }
  | {
      readonly kind: 'closed';
      readonly status: 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed_out' | 'continued_as_new';
      readonly result?: unknown;
      readonly detail?: unknown;
      readonly failureType?: string;
      readonly message?: string;
    }
);
