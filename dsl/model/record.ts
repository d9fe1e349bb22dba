import type { RunFinished } from './events.ts';
import type { Check } from './matcher.ts';
import type { FaultState, StepResult } from './result.ts';
import type { ValueMap } from './value.ts';
import type { Recovery, Verdict } from './verdict.ts';

/**
 * The durable record: the truth that every report is a projection of. One per testcase attempt, written by
 * `finalizeTestcases` to `$ONETEAR_HOME/runs/<run>/testcases/<slug>.a<attempt>.json`. A pure function of the
 * attempt's history (and those of its faults), so writing it twice gives the same bytes.
 */
export interface TestcaseRecord {
  readonly v: 1;
  readonly run: string;
  readonly suite: string;
  readonly testcase: string;
  readonly name: string;
  readonly description?: string;
  readonly params: ValueMap;
  /** Parameter names that are matrix axes. */
  readonly axes: readonly string[];
  readonly tags: readonly string[];
  readonly file: string;
  readonly line: number;
  readonly attempt: number;
  readonly iteration?: number;
  readonly workflowId: string;
  readonly workflowRunId: string;
  readonly verdict: Verdict;
  readonly reason: string | null;
  readonly flaky: boolean;
  /** Step that decided. */
  readonly step: string | null;
  readonly recovery: Recovery;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly steps: readonly StepRecord[];
  readonly faults: readonly FaultRecord[];
}

/** A step as it stands in a record. */
export type StepRecord = StepResult & {
  /** For a hook of a command: the step it belongs to. */
  readonly parent?: string;
  /** Checks made in the workflow (`all_equal`, `expr`); those of nodes stand in their results. */
  readonly checks?: readonly Check[];
};

export interface FaultRecord {
  readonly id: string;
  readonly step: string;
  readonly name: string;
  readonly node: string;
  readonly undo: string;
  /** In order of time. */
  readonly states: readonly { readonly state: FaultState; readonly at: number; readonly reason?: string }[];
}

/** `$ONETEAR_HOME/runs/<run>/run.json`: written `running` at start by the client, finished by `finalizeRun`. */
export interface RunRecord {
  readonly v: 1;
  readonly run: string;
  readonly suite: string;
  readonly file: string;
  readonly seed: number;
  readonly status: 'running' | 'finished' | 'cancelled';
  readonly startedAt: number;
  readonly finishedAt?: number;
  readonly workflowId: string;
  readonly results: string;
  /** Why the results folder could not be written at the end: `ENOSPC: no space left on device at FILE`. The record is whole all the same. */
  readonly resultsProblem?: string;
  readonly url: string | null;
  readonly engine: { readonly version: string; readonly build: string };
  /** Suite-level hooks and the journal's skipped testcases. */
  readonly steps: readonly StepRecord[];
  readonly finished?: RunFinished;
}
