import type { Check } from './matcher.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { StepKind } from './plan.ts';
import type { Counts, FaultState, OwedFault, Phase, TestcaseSummary } from './result.ts';
import type { ValueMap } from './value.ts';
import type { Recovery, Verdict } from './verdict.ts';

/** One NDJSON line of suite-language §13, without `v`, `seq` and `run`, which the writer of the stream adds. */
export type RunEvent =
  | {
      readonly type: 'run_started';
      readonly ts: string;
      readonly suite: string;
      readonly file: string;
      readonly seed: number;
      readonly total: number;
      readonly workflow_id: string;
      readonly url: string | null;
      readonly results: string;
    }
  | {
      readonly type: 'testcase_started';
      readonly ts: string;
      readonly testcase: string;
      readonly name: string;
      readonly params: ValueMap;
      readonly tags: readonly string[];
      readonly attempt: number;
      readonly workflow_id: string;
    }
  | ({ readonly type: 'step_started'; readonly ts: string } & StepEventFields)
  | ({ readonly type: 'step_finished'; readonly ts: string } & StepEventFields & {
        readonly verdict: Verdict;
        readonly reason: string | null;
        readonly tries: number;
        readonly cached: boolean;
        readonly duration_ms: number;
        readonly outputs: ValueMap;
        readonly results: readonly NodeEventResult[];
        readonly checks: readonly Check[];
      })
  | {
      readonly type: 'fault';
      readonly ts: string;
      readonly testcase: string;
      readonly step: string;
      readonly name: string;
      readonly node: string;
      readonly id: string;
      readonly state: FaultState;
      readonly reason: string | null;
      readonly undo: string | null;
    }
  | {
      readonly type: 'testcase_finished';
      readonly ts: string;
      readonly testcase: string;
      readonly verdict: Verdict;
      readonly reason: string | null;
      readonly flaky: boolean;
      readonly attempt: number;
      readonly step: string | null;
      readonly recovery: Recovery;
      readonly duration_ms: number;
    }
  | ({ readonly type: 'run_finished'; readonly ts: string } & RunFinished)
  | {
      readonly type: 'error';
      readonly ts: string;
      readonly exit: number;
      readonly message: string;
      readonly diagnostics: readonly EventDiagnostic[];
    };

export interface StepEventFields {
  readonly testcase: string;
  readonly attempt: number;
  readonly step: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly title: string;
  readonly phase: Phase;
  readonly nodes: readonly string[];
}

/** `results[]` of `step_finished`: texts at most 8 KiB, valid UTF-8, secrets masked. */
export interface NodeEventResult {
  readonly node: string;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
  readonly truncated: boolean;
  /** Path relative to the results folder, `null` when the text is whole. */
  readonly artifact: string | null;
  readonly duration_ms: number;
  /** Of this node alone. */
  readonly verdict?: Verdict;
  /** Why it is not passed. */
  readonly reason?: string | null;
}

/** run.json and the last line of the stream. */
export interface RunFinished {
  readonly verdict: Verdict;
  readonly recovery: Recovery;
  readonly exit: number;
  readonly duration_ms: number;
  readonly counts: Counts;
  readonly testcases: readonly TestcaseSummary[];
  readonly owed: readonly OwedFault[];
  readonly iterations?: Partial<Counts>;
  readonly results: string;
}

export type EventDiagnostic = Pick<Diagnostic, 'code' | 'message'> & {
  readonly file: string;
  readonly line: number;
  readonly col: number;
  readonly hint: string | null;
};
