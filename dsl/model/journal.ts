import type { Check } from './matcher.ts';
import type { StepKind } from './plan.ts';
import type { FaultState, Phase } from './result.ts';
import type { ValueMap } from './value.ts';
import type { Verdict } from './verdict.ts';

/**
 * A decision of a workflow, written into history at no cost: entries ride on the input of the next activity the workflow schedules,
 * on a memo upsert when nothing is scheduled while something else still runs, or on the workflow's result.
 * The event stream, the record and the live terminal are projections of these entries plus the activity results they name.
 * `at` is workflow time, epoch ms.
 */
export type JournalEntry =
  | {
      readonly type: 'step_started';
      readonly at: number;
      readonly step: string;
      readonly kind: StepKind;
      readonly name: string;
      readonly title: string;
      readonly phase: Phase;
      readonly nodes: readonly string[];
      /** For a hook of a command: the step it belongs to. */
      readonly parent?: string;
      /** Line in the suite text. */
      readonly line?: number;
      readonly file?: string;
    }
  | {
      readonly type: 'step_finished';
      readonly at: number;
      readonly step: string;
      readonly kind: StepKind;
      readonly name: string;
      readonly title: string;
      readonly phase: Phase;
      readonly nodes: readonly string[];
      readonly parent?: string;
      readonly verdict: Verdict;
      readonly reason?: string;
      readonly tries: number;
      readonly cached: boolean;
      readonly startedAt: number;
      readonly continueOnError: boolean;
      /** Ids of the activities (same history) whose NodeResults belong to this step, in node order. */
      readonly activities: readonly string[];
      readonly outputs: ValueMap;
      /** Checks made in the workflow (`all_equal`, `expr` asserts); those of nodes stand in their results. */
      readonly checks: readonly Check[];
    }
  | {
      /** A testcase that never got a child workflow (not started: cancel, fail_fast, suite timeout, needs, requires). */
      readonly type: 'testcase_skipped';
      readonly at: number;
      readonly testcase: string;
      readonly verdict: Verdict;
      readonly reason: string;
    }
  | {
      readonly type: 'fault_state';
      readonly at: number;
      /** Step id of the chaos in the owner testcase. */
      readonly step: string;
      readonly name: string;
      /** All nodes of the fault, or the one concerned. */
      readonly nodes: readonly string[];
      /** Fault id = id of its workflow without the `onetear/fault/` prefix. */
      readonly id: string;
      readonly state: FaultState;
      readonly reason?: string;
      /** Node → rendered undo command. */
      readonly undo: { readonly [node: string]: string };
    };
