import type { JournalEntry } from './journal.ts';
import type { MatcherBlock } from './matcher.ts';
import type { Node } from './node.ts';
import type { Cell, Plan, PlanSlice, StepKind } from './plan.ts';
import type { FaultState, NodeResult, OwedFault, Phase, SuiteResult, TestcaseSummary } from './result.ts';
import type { RetryPolicy, RoleDefinition, RunType } from './suite.ts';
import type { Expression, SelectorText, ValueMap } from './value.ts';
import type { Verdict } from './verdict.ts';

/**
 * Inputs and outputs of workflows and activities, and the names of both. They are stored in histories:
 * renaming a name or a field breaks running work and recorded histories. Fields may be added.
 */

/** What every workflow of a run knows about it. */
export interface RunInfo {
  /** Run id: time-ordered, lower case, made by the client before the start call. */
  readonly run: string;
  readonly suite: string;
  readonly slug: string;
  readonly seed: number;
  /** Soak iteration, from 1; absent outside a soak. */
  readonly iteration?: number;
  readonly queues: {
    /** Workflows and remote commands. */
    readonly main: string;
    /** Activities that must run on the host that called `start`: local nodes, files, records. */
    readonly host: string;
    /** Fault workflows' activities: own slots, so that steps can never starve recovery. */
    readonly control: string;
  };
  /** Absolute path of the suite's folder on the starting host: default cwd of local commands, root of `file:`. */
  readonly suiteDir: string;
  /** Absolute path of the results folder on the starting host. */
  readonly resultsDir: string;
  /** `version` of package.json and build id of the engine that started the run. */
  readonly engine: { readonly version: string; readonly build: string };
  /** Base URL of the Web UI, e.g. `http://127.0.0.1:8233`, and namespace; for links. */
  readonly ui?: string;
  readonly namespace: string;
  /** True when the server knows our search attributes (OnetearSuite, …); a cluster that refuses them costs filters, never a run. */
  readonly searchAttributes?: boolean;
  /** Names of the suite's secrets: what activities mask in everything they report. Absent when it has none. Never a value. */
  readonly secrets?: readonly string[];
}

export interface SuiteInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly plan: Plan;
}

/** ≤ 100 testcases of a large suite; started by the suite one after another. */
export interface ShardInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly plan: Plan;
  readonly index: number;
  /** Testcases that ended badly before this shard (fail_fast). */
  readonly stopped: boolean;
  readonly incarnations: Incarnations;
  /** Ids of the cells of this shard; absent = all of the plan. */
  readonly cells?: readonly string[];
  /** Verdicts of the testcases that ended in earlier shards, by name: for `needs` between testcases. */
  readonly ended?: { readonly [testcase: string]: Verdict };
  /** Set when no testcase may run its steps: the suite's `before` failed. */
  readonly broken?: string;
  /** Set when all are to be skipped: a requirement of the suite is not met. */
  readonly skipped?: string;
}

/** Result of a shard: what the suite merges. */
export interface ShardResult {
  readonly testcases: readonly TestcaseSummary[];
  readonly owed: readonly OwedFault[];
  /** A testcase ended badly and `fail_fast` is set: later shards start nothing. */
  readonly stopped: boolean;
  readonly journal: readonly JournalEntry[];
  /** Message of a mistake of ours met beside the testcases: the run ends with exit 3, after its reports. */
  readonly bug?: string;
}

/** Node name → incarnation last seen in history. */
export type Incarnations = { readonly [node: string]: string };

export interface TestcaseInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly slice: PlanSlice;
  readonly cell: Cell;
  /** From 1. */
  readonly attempt: number;
  readonly incarnations: Incarnations;
  /** Set when the testcase must not run its steps: the suite's `before` failed. */
  readonly broken?: string;
}

/** Which step, for ids, job names, environment and reports. */
export interface StepAddress {
  readonly testcase: string;
  readonly attempt: number;
  /** Step id; hooks of a command add `/before#1` and the like, so that it is unique in the attempt. */
  readonly step: string;
  readonly kind: StepKind;
  readonly phase: Phase;
  readonly name: string;
  readonly title: string;
}

/** A command with every mark rendered for one node: what the activity executes. */
export interface RenderedCommand {
  readonly run: RunType;
  /** Shell text, or program and arguments. */
  readonly cmd?: string | readonly string[];
  readonly file?: string;
  readonly options: ValueMap;
  readonly env: { readonly [name: string]: string };
  readonly cwd?: string;
  readonly stdin?: string;
  readonly shell: 'sh' | 'bash';
  readonly user?: string;
  readonly sudo: boolean;
  /** Names of secrets that `cmd` refers to as environment variables (`ONETEAR_SECRET_<name>`). */
  readonly secrets: readonly string[];
  /** Texts with secrets in `env`, `stdin` and `options`; the activity fills them in. Absent when there are none. */
  readonly secretTexts?: readonly SecretText[];
}

/** One text of a command that holds secrets. The place itself holds the text with masks, for people. */
export interface SecretText {
  /** Keys from the command down: `['env', 'TOKEN']`, `['stdin']`, `['options', 'headers', 'Authorization']`. */
  readonly path: readonly string[];
  readonly parts: readonly SecretPart[];
}

/** Text as it stands, or the value of a secret. */
export type SecretPart = string | { readonly secret: string };

export interface RunCommandInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly address: StepAddress;
  readonly node: Node;
  /** Incarnation last seen in history; absent at first contact. */
  readonly incarnation?: string;
  readonly command: RenderedCommand;
  /** Rendered. */
  readonly expect: MatcherBlock;
  readonly outputs: { readonly [name: string]: Expression };
  readonly retry: RetryPolicy;
  /** Of one try. */
  readonly timeoutMs: number;
  readonly keepStdout: boolean;
  /** Compute `trimmedSha256` for `all_equal`. */
  readonly hashStdout: boolean;
  /** Names that `expect.expr`, `outputs` and a module's context use; nothing else. */
  readonly scope: ValueMap;
  /** Exit code ≠ 0 and unmet `expect` make this verdict; `failed`, or `void` for an inject. */
  readonly badVerdict: 'failed' | 'void';
  readonly journal: readonly JournalEntry[];
}

/** Samples of one command inside one activity: wait, eventually, always, never, verify. */
export interface SampleInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly address: StepAddress;
  readonly node: Node;
  readonly incarnation?: string;
  readonly command: RenderedCommand;
  readonly match: MatcherBlock;
  /**
   * `until`: succeed at the first sample that matches, fail after the window (wait, eventually, verify);
   * `always`: every sample must match; `never`: no written condition may hold in any sample.
   */
  readonly mode: 'until' | 'always' | 'never';
  readonly windowMs: number;
  readonly everyMs: number;
  /** Limit of one sample. */
  readonly timeoutMs: number;
  readonly scope: ValueMap;
  /** Verdict when the condition does not hold: `failed`, or `void` for the verify of a fault. */
  readonly badVerdict: 'failed' | 'void';
  readonly journal: readonly JournalEntry[];
}

/** A node that may have a role, with the question rendered for it. */
export interface RoleCandidate {
  readonly node: Node;
  readonly command: RenderedCommand;
  /** The node has the role when this holds. */
  readonly match: MatcherBlock;
  /** Names that `match.expr` uses. */
  readonly scope: ValueMap;
}

export interface RoleQuestion {
  readonly role: string;
  readonly expect: RoleDefinition['expect'];
  readonly withinMs: number;
  /** Limit of one question to one node. */
  readonly timeoutMs: number;
  /** Set when the candidates depend on answers of roles before this one in the list: a selector over them. Absent = all candidates are asked. */
  readonly nodes?: SelectorText;
  readonly candidates: readonly RoleCandidate[];
}

/** Ask the live cluster who has which role, in rounds over all candidates, until every `expect` (and the condition) holds in one round. */
export interface AskRolesInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly address: StepAddress;
  /** Each after the roles that its selector names. */
  readonly roles: readonly RoleQuestion[];
  /** What selectors over roles refer to; absent when there are none. */
  readonly selection?: { readonly nodes: readonly Node[]; readonly groups: { readonly [name: string]: SelectorText } };
  /** Of a `wait`: must be true over the answers too, within this window instead of the roles' own. */
  readonly condition?: { readonly expr: Expression; readonly windowMs: number; readonly scope: ValueMap };
  readonly everyMs: number;
  readonly journal: readonly JournalEntry[];
}

/** Who has one role, as the last round found it. */
export interface RoleAnswer {
  readonly role: string;
  readonly held: boolean;
  /** Nodes that have it, in the order of the suite. */
  readonly nodes: readonly string[];
  /** One per candidate: `passed` = has it, `failed` = has it not, `broken` = could not be asked. Texts are at most 1 KiB. */
  readonly results: readonly NodeResult[];
  readonly reason?: string;
}

export interface RolesAnswer {
  readonly kind: 'roles';
  readonly verdict: 'passed' | 'failed' | 'broken';
  readonly reason?: string;
  readonly rounds: number;
  /** In the order of the input. */
  readonly roles: readonly RoleAnswer[];
}

/** A command (or samples of one) on more nodes than one testcase should carry in its own history: input of the `fanout` workflow. */
export interface FanoutInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly testcase: string;
  readonly step: string;
  readonly title: string;
  /** Nodes at a time; 1 = one after another, stopping at the first that is bad. */
  readonly maxParallel: number;
  /** At most 200. */
  readonly calls: readonly FanoutCall[];
}

/** One activity of a fan-out; the journal of the testcase stays with the testcase. */
export type FanoutCall = { readonly activityId: string; readonly taskQueue: string } & (
  | { readonly kind: 'command'; readonly input: RunCommandInput }
  | { readonly kind: 'sample'; readonly input: SampleInput }
);

export interface FanoutResult {
  /** In the order of the calls; texts cut so that all together fit into a history event. The whole results stand in the activities of this workflow. */
  readonly results: readonly NodeResult[];
  readonly journal: readonly JournalEntry[];
}

/** One try to undo a fault on one node; repeated by its retry policy for ever. */
export interface RecoverInput {
  readonly v: 1;
  readonly run: RunInfo;
  readonly address: StepAddress;
  readonly node: Node;
  readonly command: RenderedCommand;
  readonly verify?: {
    /** Where it looks from; absent = the node itself. */
    readonly node?: Node;
    readonly command: RenderedCommand;
    readonly match: MatcherBlock;
    readonly withinMs: number;
    readonly everyMs: number;
  };
  readonly timeoutMs: number;
  readonly scope: ValueMap;
  readonly journal: readonly JournalEntry[];
}

export interface HelloInput {
  readonly run: RunInfo;
  readonly node: Node;
}

export interface HelloResult {
  readonly node: string;
  readonly incarnation: string;
  /** Epoch ms on the node minus epoch ms on the worker. */
  readonly clockOffsetMs: number;
  readonly shell: string;
}

export interface WatchOwnerInput {
  readonly workflowId: string;
  readonly runId: string;
}

/** Write the durable records of closed testcase attempts and project them; idempotent. */
export interface FinalizeTestcasesInput {
  readonly run: RunInfo;
  readonly testcases: readonly { readonly id: string; readonly attempt: number; readonly workflowId: string; readonly runId: string }[];
}

/** Write run.json, junit.xml, ctrf.json, allure-results, events.ndjson of the run; forget the jobs on its nodes; idempotent. */
export interface FinalizeRunInput {
  readonly run: RunInfo;
  readonly suiteWorkflow: { readonly workflowId: string; readonly runId: string };
  readonly nodes: readonly Node[];
  /** The suite's result so far, without journal. */
  readonly result: Omit<SuiteResult, 'journal'>;
  /** Journal entries of the suite not yet carried. */
  readonly journal: readonly JournalEntry[];
}

/** A chaos step with all its nodes: input of the `fault` workflow (ABANDON, started before anything is injected). */
export interface FaultInput {
  readonly v: 1;
  readonly run: RunInfo;
  /** `<run>[/i<n>]/<case>/a<attempt>/<step>`: id of the workflow without `onetear/fault/`. */
  readonly id: string;
  readonly owner: { readonly workflowId: string; readonly runId: string };
  readonly testcase: string;
  readonly attempt: number;
  readonly step: string;
  readonly name: string;
  readonly title: string;
  readonly targets: readonly FaultTarget[];
  readonly incarnations: Incarnations;
  /** Absent = until `release`. */
  readonly durationMs?: number;
  /** Not undone within = owed. */
  readonly recoverWithinMs: number;
  readonly irreversible: boolean;
}

/** Everything rendered for one node before injection, so that recovery never depends on later state. */
export interface FaultTarget {
  readonly node: Node;
  readonly inject: RenderedCommand;
  readonly injectTimeoutMs: number;
  readonly verify?: {
    readonly node: Node;
    readonly command: RenderedCommand;
    readonly match: MatcherBlock;
    readonly withinMs: number;
    readonly everyMs: number;
  };
  readonly recover?: {
    readonly command: RenderedCommand;
    readonly timeoutMs: number;
    readonly verify?: {
      readonly node: Node;
      readonly command: RenderedCommand;
      readonly match: MatcherBlock;
      readonly withinMs: number;
      readonly everyMs: number;
    };
  };
  /** Shown to people. */
  readonly undo: string;
  readonly scope: ValueMap;
}

/** Signal `fault-state`, fault → owner. */
export interface FaultSignal {
  readonly step: string;
  readonly id: string;
  readonly state: FaultState;
  readonly reason?: string;
  readonly at: number;
  /** Moment before the first inject command was sent: the mark `<id>.started`. */
  readonly startedAt?: number;
  /** With `verified` and `void`: results of the inject, in node order. */
  readonly results?: readonly NodeResult[];
  readonly owed?: readonly OwedFault[];
}

export interface FaultResult {
  readonly id: string;
  readonly state: FaultState;
  readonly owed: readonly OwedFault[];
  /** Facts not yet carried by an activity, see dsl/model/journal.ts. */
  readonly journal: readonly JournalEntry[];
}

/** Activity names. The worker registers exactly these. */
export interface Activities {
  hello(input: HelloInput): Promise<HelloResult>;
  /** Resolves when passed; otherwise an ApplicationFailure of type `StepFailed` with the NodeResult as first detail. */
  runCommand(input: RunCommandInput): Promise<NodeResult>;
  /** As runCommand. */
  sampleCommand(input: SampleInput): Promise<NodeResult>;
  /** Resolves when every role is held as expected; otherwise a `StepFailed` with the RolesAnswer as first detail. */
  askRoles(input: AskRolesInput): Promise<RolesAnswer>;
  /** Resolves when the undo is confirmed; every failed try is a retryable failure with the NodeResult as first detail. */
  recoverFault(input: RecoverInput): Promise<NodeResult>;
  /** Resolves when the owner workflow run is closed. */
  watchOwner(input: WatchOwnerInput): Promise<{ readonly status: string }>;
  finalizeTestcases(input: FinalizeTestcasesInput): Promise<void>;
  finalizeRun(input: FinalizeRunInput): Promise<void>;
}

/** Failure types of ApplicationFailure; the second column of docs/diagnostics.md. */
export const FAILURE = {
  /** The step has a verdict other than passed; details[0] is a NodeResult. */
  stepFailed: 'StepFailed',
  /** A testcase workflow whose verdict is failed, broken or void; details[0] is its TestcaseResult. */
  testFailed: 'TestFailed',
  /** A bug of ours; the run ends with exit 3. */
  engineBug: 'EngineBug',
} as const;

/** Workflow type names. */
export const WORKFLOW = { suite: 'suite', shard: 'shard', testcase: 'testcase', fault: 'fault', fanout: 'fanout' } as const;

/** Signal names; payloads beside them. */
export const SIGNAL = {
  /** fault → owner: {@link FaultSignal} */
  faultState: 'fault-state',
  /** owner or CLI → fault: recover now; payload `{reason}` */
  release: 'release',
  /** CLI or suite → testcase: end it, recover, verdict broken; payload `{reason}` */
  cancelTestcase: 'cancel-testcase',
} as const;

/** Memo key under which a journal entry list is upserted when no activity can carry it. */
export const JOURNAL_MEMO = 'onetearJournal';
