import type { Expression, Value } from './value.ts';

/**
 * A value matcher of suite-language §4. Keys are spelt as in YAML because they are echoed in `checks`.
 * String values may contain marks until the workflow has rendered the block.
 */
export interface ValueMatcher {
  readonly eq?: Value;
  readonly ne?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
  readonly gt?: Value;
  readonly gte?: Value;
  /** Both ends included. */
  readonly between?: readonly [Value, Value];
  readonly in?: readonly Value[];
  readonly not?: ValueCondition;
  readonly any?: readonly ValueCondition[];
  readonly all?: readonly ValueCondition[];
}

/** A plain value means equality, a map is a matcher. */
export type ValueCondition = Value | ValueMatcher;

/** The matcher block M (suite-language §4). All written conditions must hold. One|list is already a list here. */
export interface MatcherBlock extends ValueMatcher {
  /** Absent counts as `0`, except inside `stderr` and `never`. */
  readonly exit_code?: 'any' | ValueCondition;
  readonly contains?: readonly Value[];
  readonly not_contains?: readonly Value[];
  /** JavaScript regular expressions, flags `mu`. */
  readonly matches?: readonly string[];
  readonly not_matches?: readonly string[];
  /** Compared with stdout without trailing newlines. */
  readonly equals?: string;
  readonly empty?: boolean;
  readonly lines?: ValueCondition;
  /** Path (`a.b[0].c`) → condition. */
  readonly json?: { readonly [path: string]: ValueCondition };
  /** Rows of a `sql` or `prometheus` result. */
  readonly rows?: {
    readonly count?: ValueCondition;
    readonly each?: { readonly [column: string]: ValueCondition };
    readonly any?: { readonly [column: string]: ValueCondition };
  };
  /** Status of an `http` answer. */
  readonly status?: ValueCondition;
  readonly stderr?: Omit<MatcherBlock, 'exit_code' | 'stderr'>;
  /** Wall time of the try; numbers are seconds (durations are converted when the suite is read). */
  readonly duration?: ValueCondition;
  readonly all_equal?: boolean;
  readonly expr?: readonly Expression[];
}

/** What one condition found; shown on failure and in `step_finished.checks`. */
export interface Check {
  /** Key of the block, e.g. `contains` or `json`. */
  readonly matcher: string;
  /** Path inside the value, e.g. `a.b[0]`, or `stderr`; absent when the condition looks at stdout as a whole. */
  readonly path?: string;
  /** What was wanted, as short text. */
  readonly expected: string;
  /** What was there, as short text (at most 500 characters), with any conversion shown. */
  readonly actual: string;
  /** `undecidable` makes the step broken (output over the cap, condition too slow), never true or false by chance. */
  readonly ok: boolean | 'undecidable';
}
