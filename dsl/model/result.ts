import type { JournalEntry } from './journal.ts';
import type { Check } from './matcher.ts';
import type { Location } from './location.ts';
import type { StepKind } from './plan.ts';
import type { ValueMap } from './value.ts';
import type { Recovery, Verdict } from './verdict.ts';

/** Head and tail of one output stream, as it stands in history, records and events. */
export interface StreamExcerpt {
  /** Valid UTF-8, secrets masked; the whole text when `bytes` ≤ 8,192, else head + `\n… N bytes left out …\n` + tail. */
  readonly text: string;
  /** Bytes the command wrote. */
  readonly bytes: number;
  /** SHA-256 (hex) of the whole stream with white space trimmed at both ends; for `all_equal`. Absent when not needed. */
  readonly trimmedSha256?: string;
  readonly truncated: boolean;
  /** Reference into the store (`sha256:<hex>`) when the text is cut. */
  readonly artifact?: string;
}

/** One earlier try of a command on a node. */
export interface TrySummary {
  readonly exitCode: number | null;
  readonly reason: string;
  readonly durationMs: number;
}

/** What one activity found out about one command (or sample series, or module) on one node. */
export interface NodeResult {
  readonly node: string;
  readonly verdict: Exclude<Verdict, 'skipped'>;
  /** Why it is not passed: reason first, one line, with expected and actual; absent when passed. */
  readonly reason?: string;
  /** `null` when the command did not end by itself (timeout, cancel, lost, not started). */
  readonly exitCode: number | null;
  /** Name such as `SIGKILL` when known; a shell's 128+n is left as exit code. */
  readonly signal?: string;
  readonly timedOut: boolean;
  readonly stdout: StreamExcerpt;
  readonly stderr: StreamExcerpt;
  /** Whole stdout, only when a later expression names it (≤ 16 KiB). */
  readonly fullStdout?: string;
  readonly checks: readonly Check[];
  readonly outputs: ValueMap;
  /** Milliseconds of the last try, from the node's own clock where it has one. */
  readonly durationMs: number;
  /** Wall-clock start and end of the last try (epoch ms), for people; may be skewed. */
  readonly startedAt: number;
  readonly finishedAt: number;
  /** Tries that ran, the last included; ≥ 1 unless never started. */
  readonly tries: number;
  readonly earlierTries: readonly TrySummary[];
  readonly cached: boolean;
  /** Where a cached result came from. */
  readonly cachedFrom?: { readonly run: string; readonly at: number };
  /** Incarnation of the node that ran it; absent for commands that run on the worker. */
  readonly incarnation?: string;
  /** Processes that survived a timeout or cancel, by pid and command line. */
  readonly survivors?: readonly string[];
  /** Samples taken, for wait and asserts. */
  readonly samples?: { readonly taken: number; readonly unknown: number };
}

/** Phase of a testcase a step belongs to. */
export type Phase = 'before' | 'steps' | 'assert' | 'on_fail' | 'after';

/** How one step went; what `steps.<id>` and the record are made from. */
export interface StepResult {
  readonly step: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly title: string;
  readonly phase: Phase;
  readonly verdict: Verdict;
  readonly reason?: string;
  readonly tries: number;
  readonly cached: boolean;
  /** Epoch ms, workflow time. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly nodes: readonly string[];
  readonly results: readonly NodeResult[];
  readonly outputs: ValueMap;
  readonly continueOnError: boolean;
  readonly location?: Location;
}

export type FaultState = 'planned' | 'injected' | 'verified' | 'void' | 'recovering' | 'recovered' | 'owed';

/** A fault that is not confirmed undone: what a person must know to undo it by hand. */
export interface OwedFault {
  /** Fault id, see {@link FaultInput}. */
  readonly fault: string;
  readonly node: string;
  /** The undo command, rendered, ready to paste into a shell on the node. */
  readonly undo: string;
}

/** Result of a testcase workflow: small, no outputs (those stand in the activities' results). */
export interface TestcaseResult {
  readonly id: string;
  readonly attempt: number;
  readonly verdict: Verdict;
  readonly reason?: string;
  /** Passed after a try or attempt that had failed. */
  readonly flaky: boolean;
  /** Step that decided. */
  readonly step?: string;
  readonly recovery: Recovery;
  readonly owed: readonly OwedFault[];
  readonly startedAt: number;
  readonly finishedAt: number;
  /** True after a cancel: never tried again. */
  readonly cancelled: boolean;
  /** Facts not yet carried by an activity, see dsl/model/journal.ts. */
  readonly journal: readonly JournalEntry[];
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly broken: number;
  readonly void: number;
  readonly skipped: number;
  /** Of the passed ones. */
  readonly flaky: number;
}

/** One line of `run_finished.testcases`, in written order. */
export interface TestcaseSummary {
  readonly id: string;
  readonly verdict: Verdict;
  readonly flaky: boolean;
  readonly attempts: number;
  readonly reason: string | null;
  readonly duration_ms: number;
}

/** Result of a suite workflow. */
export interface SuiteResult {
  readonly verdict: Verdict;
  readonly recovery: Recovery;
  /** Cancelled by a person (exit code 2). */
  readonly cancelled: boolean;
  readonly counts: Counts;
  readonly testcases: readonly TestcaseSummary[];
  readonly owed: readonly OwedFault[];
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly iterations?: Partial<Counts>;
  readonly journal: readonly JournalEntry[];
}
