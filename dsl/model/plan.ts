import type { Location } from './location.ts';
import type { MatcherBlock } from './matcher.ts';
import type { Node, Pick } from './node.ts';
import type {
  AssertDefinition,
  CacheDefinition,
  ChaosDefinition,
  CommandDefinition,
  EnvTemplates,
  HooksDefinition,
  NemesisDefinition,
  ProbeDefinition,
  RecoverDefinition,
  RequirementDefinition,
  RetryPolicy,
  RoleDefinition,
  RunType,
  SoakDefinition,
  StepOverrides,
  Strategy,
  TriggerDefinition,
  VerifyDefinition,
  WaitCondition,
} from './suite.ts';
import type { Expression, SelectorText, Template, ValueMap } from './value.ts';

/**
 * What the engine runs: plain JSON, no functions, no secrets, definitions once, matrix cells as small rows,
 * durations in milliseconds, references checked. Same suite + same seed = same plan (P7).
 */
export interface Plan {
  readonly version: 1;
  readonly suite: {
    readonly name: string;
    /** `name` made safe for workflow ids, see dsl/expand/slug.ts. */
    readonly slug: string;
    /** As given on the command line. */
    readonly file: string;
    readonly description?: string;
    readonly tags: readonly string[];
  };
  /** SHA-256 (hex) over the texts of the suite and its includes. */
  readonly digest: string;
  /** Root of every random choice; drawn by `start` unless given. Up to 2^31 − 1. */
  readonly seed: number;
  readonly context: PlanContext;
  readonly definitions: Definitions;
  /** In written order. */
  readonly testcases: readonly PlannedTestcase[];
  /** Selected cells in written order. */
  readonly cells: readonly Cell[];
  readonly hooks: HooksDefinition;
  readonly requires: readonly RequirementDefinition[];
  readonly timeoutMs?: number;
  readonly strategy: Strategy;
  readonly soak?: SoakDefinition;
  readonly secrets: readonly string[];
}

export interface PlanContext {
  /** At least one; the first is where a command without `nodes` runs. */
  readonly nodes: readonly Node[];
  readonly groups: { readonly [name: string]: SelectorText };
  readonly env: EnvTemplates;
  /** `--env K=V`, the strongest level. */
  readonly envOverrides: { readonly [name: string]: string };
  /** Identity for locks. */
  readonly cluster: string;
  /** What a command without its own value gets. */
  readonly defaults: {
    readonly timeoutMs: number;
    readonly retry: RetryPolicy;
    readonly shell: 'sh' | 'bash';
    readonly user?: Template;
    readonly sudo: boolean;
    readonly cwd?: Template;
  };
  readonly faults: { readonly nodes: SelectorText; readonly maxNodes: number };
}

/** Everything that steps and hooks refer to by name. */
export interface Definitions {
  readonly commands: { readonly [name: string]: CommandDefinition };
  readonly chaos: { readonly [name: string]: ChaosDefinition };
  readonly probes: { readonly [name: string]: ProbeDefinition };
  readonly roles: { readonly [name: string]: RoleDefinition };
}

/** One matrix cell of a testcase: the unit that runs, is counted and is reported. */
export interface Cell {
  /** `name[v1-v2]`, `name` without axes; unique in the plan, never depends on an index. */
  readonly id: string;
  /** Name of its testcase. */
  readonly testcase: string;
  /** Axes and constants together: what `params` is in expressions. */
  readonly params: ValueMap;
  /** Names of the parameters that are axes, in written order; absent = unknown. */
  readonly axes?: readonly string[];
}

export interface PlannedTestcase {
  readonly name: string;
  readonly description?: string;
  /** Of the suite and the testcase. */
  readonly tags: readonly string[];
  /** Flat; a `parallel` block is a join step behind its children. Needs point at ids, cycles are refused. */
  readonly steps: readonly PlannedStep[];
  readonly assert: AssertDefinition;
  /** Id of the step whose command is the default subject of asserts. */
  readonly lastCommandStep?: string;
  readonly hooks: HooksDefinition;
  readonly requires: readonly RequirementDefinition[];
  readonly env: EnvTemplates;
  readonly bind: { readonly [name: string]: SelectorText };
  readonly probes: readonly string[];
  readonly if?: Expression;
  readonly timeoutMs?: number;
  readonly retry: RetryPolicy;
  readonly needs: readonly string[];
  readonly locks: readonly { readonly name: string; readonly mode: 'shared' | 'exclusive' }[];
  readonly hasChaos: boolean;
  readonly location: Location;
}

/** What a step waits for: the end of another step, or a moment of a chaos step. */
export interface Need {
  readonly step: string;
  readonly moment: 'finished' | 'started' | 'verified' | 'recovered';
}

export interface PlannedStepCommon {
  /** Unique in the testcase: as written, else the name used, then `name#2`, `name#3`. */
  readonly id: string;
  /** Empty = starts at once. */
  readonly needs: readonly Need[];
  /** Absent = `success()`. */
  readonly if?: Expression;
  readonly continueOnError: boolean;
  /** The whole text of this step's stdout is named by a later expression, so it must enter history (≤ 16 KiB). */
  readonly keepStdout: boolean;
  readonly location: Location;
}

export type PlannedStep = PlannedStepCommon &
  (
    | {
        readonly kind: 'command';
        /** Name in `definitions.commands`, or the inline definition. */
        readonly command: string | CommandDefinition;
        readonly with: ValueMap;
        readonly overrides: StepOverrides;
      }
    | { readonly kind: 'chaos'; readonly chaos: string; readonly with: ValueMap; readonly overrides: StepOverrides }
    /** Join of the steps of a `parallel` block: its needs are those steps. */
    | { readonly kind: 'parallel' }
    | { readonly kind: 'recover'; readonly step: string }
    | { readonly kind: 'wait'; readonly condition: WaitCondition; readonly withinMs: number; readonly everyMs: number }
    | {
        readonly kind: 'hold';
        readonly condition: WaitCondition;
        readonly everyMs: number;
        readonly while: readonly string[];
        readonly forMs?: number;
      }
    | { readonly kind: 'pause'; readonly message: Template; readonly timeoutMs: number }
    | { readonly kind: 'sleep'; readonly durationMs: number }
    | { readonly kind: 'nemesis'; readonly nemesis: NemesisDefinition }
  );

export type StepKind = PlannedStep['kind'] | 'hook' | 'assert';

/** A command definition merged with its step's overrides and the context's defaults; templates not yet rendered. */
export interface CommandSpec {
  readonly name: string;
  /** `description`, else the name, else the first line of `cmd`. */
  readonly title: string;
  readonly run: RunType;
  readonly cmd?: Template | readonly Template[];
  readonly file?: string;
  readonly options: ValueMap;
  readonly nodes?: SelectorText;
  readonly pick: Pick;
  /** Context < command < testcase < step < `--env`, already merged; values are templates or plain values. */
  readonly env: EnvTemplates;
  readonly cwd?: Template;
  readonly stdin?: Template;
  readonly shell: 'sh' | 'bash';
  readonly user?: Template;
  readonly sudo: boolean;
  /** Defaults overlaid by `with:` (values may be templates of the step's scope). */
  readonly inputs: ValueMap;
  readonly expect: MatcherBlock;
  readonly outputs: { readonly [name: string]: Expression };
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly maxParallel: number;
  readonly cache?: CacheDefinition;
  readonly hooks: HooksDefinition;
  readonly location: Location;
}

/** A chaos definition merged with its step's overrides; templates not yet rendered. */
export interface ChaosSpec {
  readonly name: string;
  readonly title: string;
  /** How `cmd` is run on each node: a command without expectations, retries or hooks. */
  readonly inject: CommandSpec;
  readonly verify?: VerifyDefinition;
  readonly recover?: RecoverDefinition;
  readonly irreversible: boolean;
  readonly trigger?: TriggerDefinition;
  readonly fault?: { readonly kind: string; readonly options: ValueMap };
  readonly durationMs?: number;
  readonly background: boolean;
  readonly hooks: HooksDefinition;
  readonly location: Location;
}

/** What one testcase child needs of the plan: small enough to be its input. */
export interface PlanSlice {
  readonly context: PlanContext;
  /** Only those that this testcase (or the suite's hooks) names. */
  readonly definitions: Definitions;
  readonly testcase: PlannedTestcase;
}
