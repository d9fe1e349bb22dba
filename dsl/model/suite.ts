import type { Location } from './location.ts';
import type { MatcherBlock } from './matcher.ts';
import type { Node, Pick } from './node.ts';
import type { Expression, SelectorText, Template, Value, ValueMap } from './value.ts';

/**
 * The suite as `dsl/parse` hands it on: every key of suite-language, checked for shape, normalised
 * (one|list → list, durations → milliseconds, `retry: N` → map), references not yet resolved.
 * Absent keys are absent; defaults that depend on other parts are filled in by `dsl/compile`.
 */
export interface Suite {
  readonly name: string;
  readonly file: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly context: SuiteContext;
  readonly roles: readonly RoleDefinition[];
  readonly commands: readonly CommandDefinition[];
  readonly chaos: readonly ChaosDefinition[];
  readonly probes: readonly ProbeDefinition[];
  readonly testcases: readonly TestcaseDefinition[];
  readonly hooks: HooksDefinition;
  readonly timeoutMs?: number;
  readonly strategy: Strategy;
  readonly soak?: SoakDefinition;
  readonly schedule?: ScheduleDefinition;
  readonly requires: readonly RequirementDefinition[];
  readonly secrets: readonly string[];
}

export interface SuiteContext {
  readonly nodes?: readonly NodeDefinition[];
  readonly ssh?: { readonly config?: string; readonly known_hosts?: string };
  readonly inventory?: string;
  readonly groups: { readonly [name: string]: SelectorText };
  readonly env: EnvTemplates;
  /** Lists are axes; `include` and `exclude` are rows; the rest are constants. */
  readonly params: ParamsDefinition;
  readonly cluster?: string;
  readonly faults?: { readonly nodes?: SelectorText; readonly max_nodes?: number };
  readonly defaults: CommandDefaults;
}

/** Values may be marks; numbers and booleans are turned into text when rendered. */
export type EnvTemplates = { readonly [name: string]: Value };

export interface CommandDefaults {
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
  readonly shell?: 'sh' | 'bash';
  readonly user?: Template;
  readonly sudo?: boolean;
  readonly cwd?: Template;
}

/** A node as written. A bare name or an expanded range is `{name}` alone: `local` is this machine, others are ssh hosts. */
export type NodeDefinition = { readonly name: string; readonly location: Location } & Partial<
  Omit<Node, 'name'> & { readonly inline: boolean }
>;

export interface ParamsDefinition {
  /** In written order. */
  readonly axes: readonly { readonly name: string; readonly values: readonly Value[] }[];
  readonly constants: ValueMap;
  /** `undefined` = not written (a testcase then keeps the context's rows). */
  readonly include?: readonly ValueMap[];
  readonly exclude?: readonly ValueMap[];
  readonly location?: Location;
}

export type RunType = 'shell' | 'sql' | 'http' | 'module' | 'python' | 'logs' | 'prometheus';

/** N more tries after the first; suite-language §3. */
export interface RetryPolicy {
  /** Further tries after the first; 0 = none. */
  readonly max: number;
  /** Wait before the second try; default 1,000. */
  readonly delayMs: number;
  /** Factor per further try; default 1. */
  readonly backoff: number;
  /** Default 60,000. */
  readonly maxDelayMs: number;
  /** Which outcomes are tried again; default all three. */
  readonly when: readonly RetryReason[];
  /** If given, an `exit_code` failure is tried again only for these codes. */
  readonly exitCodes?: readonly number[];
}

export type RetryReason = 'exit_code' | 'expect' | 'timeout';

/** Keys shared by commands, chaos, probes and inline commands: who executes what, where, with what. */
export interface Invocation {
  readonly run: RunType;
  /** Text = shell script; list = program and arguments without a shell. */
  readonly cmd?: Template | readonly Template[];
  /** Path of a `module` or `python` file, relative to the suite's folder. */
  readonly file?: string;
  /** `with` of a `module` / `python` command: merged into the context's inputs. */
  readonly with?: ValueMap;
  /** Keys of `sql`, `http`, `logs`, `prometheus` as written. */
  readonly options?: ValueMap;
  readonly nodes?: SelectorText;
  readonly pick?: Pick;
  readonly env?: EnvTemplates;
  readonly cwd?: Template;
  readonly stdin?: Template;
  readonly shell?: 'sh' | 'bash';
  readonly user?: Template;
  readonly sudo?: boolean;
  readonly timeoutMs?: number;
}

export interface CommandDefinition extends Invocation {
  /** For an inline command without a name: absent. */
  readonly name?: string;
  readonly description?: string;
  /** Name → default; `null` = must be given by `with:`. */
  readonly inputs: ValueMap;
  readonly expect?: MatcherBlock;
  readonly outputs: { readonly [name: string]: Expression };
  readonly retry?: RetryPolicy;
  /** Nodes at a time; default 16. */
  readonly maxParallel?: number;
  readonly cache?: CacheDefinition;
  readonly hooks: HooksDefinition;
  readonly location: Location;
}

export interface CacheDefinition {
  readonly key?: Template;
  readonly files: readonly string[];
  /** Default 3,600,000. */
  readonly ttlMs: number;
  readonly scope: 'run' | 'suite';
}

/** A hook is the name of a command or an inline command. */
export type HookDefinition = { readonly use: string; readonly location: Location } | { readonly inline: CommandDefinition };

export interface HooksDefinition {
  readonly before: readonly HookDefinition[];
  readonly after: readonly HookDefinition[];
  readonly onFail: readonly HookDefinition[];
}

export interface VerifyDefinition {
  readonly cmd: Template | readonly Template[];
  readonly nodes?: SelectorText;
  /** Default 10,000. */
  readonly withinMs: number;
  /** Default 500. */
  readonly everyMs: number;
  readonly match: MatcherBlock;
}

export interface RecoverDefinition {
  readonly run: RunType;
  readonly cmd?: Template | readonly Template[];
  readonly file?: string;
  readonly options?: ValueMap;
  readonly verify?: VerifyDefinition;
  /** Not confirmed within = owed; default 120,000. */
  readonly withinMs: number;
  /** Of one recovery try; default as of commands. */
  readonly timeoutMs?: number;
}

export interface ChaosDefinition extends Invocation {
  readonly name: string;
  readonly description?: string;
  readonly inputs: ValueMap;
  readonly hooks: HooksDefinition;
  /** A fault of the library with its own keys, instead of `cmd` / `recover`. */
  readonly fault?: { readonly kind: string; readonly options: ValueMap };
  readonly verify?: VerifyDefinition;
  readonly recover?: RecoverDefinition;
  readonly irreversible: boolean;
  readonly trigger?: TriggerDefinition;
  readonly durationMs?: number;
  readonly background: boolean;
  readonly location: Location;
}

export interface TriggerDefinition {
  readonly command?: string;
  readonly probe?: string;
  readonly logs?: ValueMap;
  readonly match: MatcherBlock;
  /** Default 60,000. */
  readonly withinMs: number;
  /** Default 200. */
  readonly everyMs: number;
}

export interface ProbeDefinition extends Omit<CommandDefinition, 'name' | 'run' | 'retry' | 'cache'> {
  readonly name: string;
  readonly run: RunType | 'ledger';
  /** Default 1,000. */
  readonly everyMs: number;
  readonly value?: Expression;
  readonly reduce?: Expression;
  /** `ledger` only. */
  readonly write?: ValueMap;
  readonly read?: ValueMap;
}

export interface RoleDefinition extends Invocation {
  readonly name: string;
  readonly match: MatcherBlock;
  readonly expect: 'one' | 'any' | 'all' | number;
  /** Default 30,000. */
  readonly withinMs: number;
  readonly location: Location;
}

export interface RequirementDefinition {
  readonly cmd: Template | readonly Template[];
  readonly nodes?: SelectorText;
  readonly msg: string;
  readonly location: Location;
}

export interface Strategy {
  /** Testcases at a time; default 1. */
  readonly maxParallel: number;
  readonly failFast: boolean;
}

export interface SoakDefinition {
  readonly durationMs?: number;
  readonly iterations?: number;
  readonly pauseMs: number;
  readonly shuffle: boolean;
  readonly seed?: number;
  readonly stopAfterFailures?: number;
}

export interface ScheduleDefinition {
  readonly cron?: string;
  readonly intervalMs?: number;
  readonly timeZone?: string;
  readonly overlap?: string;
  readonly jitterMs?: number;
  readonly catchupMs?: number;
  readonly pauseOnFailure?: boolean;
}

export interface TestcaseDefinition {
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly steps: readonly StepDefinition[];
  readonly assert?: AssertDefinition;
  readonly hooks: HooksDefinition;
  readonly requires: readonly RequirementDefinition[];
  readonly env: EnvTemplates;
  readonly params?: ParamsDefinition;
  readonly bind: { readonly [name: string]: SelectorText };
  readonly probes?: readonly string[];
  readonly if?: Expression;
  readonly timeoutMs?: number;
  readonly retry: RetryPolicy;
  readonly needs: readonly string[];
  /** `undefined` = the default lock on the cluster; `[]` = `none`. */
  readonly locks?: readonly string[];
  readonly location: Location;
}

/** Keys that any step may carry. */
export interface StepCommon {
  readonly id?: string;
  /** `undefined` = after the step before it; `[]` = at once. `a`, `a.started`, `a.recovered`, `a.verified`. */
  readonly needs?: readonly string[];
  readonly if?: Expression;
  readonly with?: ValueMap;
  readonly continueOnError: boolean;
  readonly location: Location;
}

/** Keys of a command or chaos that a `use` step may set again. */
export interface StepOverrides {
  readonly nodes?: SelectorText;
  readonly pick?: Pick;
  readonly env?: EnvTemplates;
  readonly cwd?: Template;
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
  readonly expect?: MatcherBlock;
  readonly outputs?: { readonly [name: string]: Expression };
  readonly cache?: CacheDefinition | false;
  readonly durationMs?: number;
  readonly background?: boolean;
}

export type StepDefinition = StepCommon &
  (
    | { readonly kind: 'use'; readonly use: string; readonly overrides: StepOverrides }
    | { readonly kind: 'inline'; readonly command: CommandDefinition }
    | { readonly kind: 'parallel'; readonly steps: readonly StepDefinition[] }
    | { readonly kind: 'recover'; readonly step: string }
    | { readonly kind: 'wait'; readonly condition: WaitCondition; readonly withinMs: number; readonly everyMs: number }
    | {
        readonly kind: 'hold';
        readonly condition: WaitCondition;
        readonly everyMs: number;
        readonly while?: readonly string[];
        readonly forMs?: number;
      }
    | { readonly kind: 'pause'; readonly message: Template; readonly timeoutMs: number }
    | { readonly kind: 'sleep'; readonly durationMs: number }
    | { readonly kind: 'nemesis'; readonly nemesis: NemesisDefinition }
  );

export type WaitCondition =
  | { readonly kind: 'sample'; readonly subject: { readonly command: string } | { readonly probe: string }; readonly match: MatcherBlock }
  | { readonly kind: 'expr'; readonly expr: Expression }
  | { readonly kind: 'all' | 'any'; readonly of: readonly WaitCondition[] };

export interface NemesisDefinition {
  readonly faults: { readonly [chaos: string]: number } | { readonly library: 'all' | readonly string[] };
  readonly durationMs: number;
  /** Default 10,000; a pair is a range drawn from. */
  readonly intervalMs: number | readonly [number, number];
  /** Default 1. */
  readonly maxActive: number;
}

export interface AssertDefinition {
  readonly eventually: readonly SampledAssert[];
  readonly always: readonly SampledAssert[];
  readonly never: readonly SampledAssert[];
  readonly within: readonly WithinAssert[];
  readonly expr: readonly { readonly expr: Expression; readonly location: Location }[];
}

export interface SampledAssert {
  /** Absent = the last command step, run again. */
  readonly subject?: { readonly command: string } | { readonly probe: string };
  readonly match: MatcherBlock;
  /** `within` of eventually (default 60,000), `for` of always and never (default 10,000). */
  readonly windowMs: number;
  /** Default 1,000. */
  readonly everyMs: number;
  readonly location: Location;
}

export interface WithinAssert {
  readonly from: string;
  readonly until: string | { readonly probe: string; readonly match: MatcherBlock };
  readonly maxMs: number;
  readonly location: Location;
}
