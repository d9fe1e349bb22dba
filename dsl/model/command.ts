import type { RunType } from './suite.ts';
import type { ValueMap } from './value.ts';

/** What a command gave: the result every run type comes down to, and what a `module` file returns. Spelt as in suites and expressions. */
export interface Result {
  /** 0 = went well; default 0. */
  readonly exit_code: number;
  /** Default: what the module printed. */
  readonly stdout: string;
  readonly stderr: string;
  /** Named values, kept with their type. */
  readonly outputs: ValueMap;
}

/** What a module file's command is told: `context` of suite-language §3. Nodes are as expressions see them. */
export interface CommandContext {
  /** The node this execution is for. */
  readonly node: ValueMap;
  readonly nodes: readonly ValueMap[];
  readonly env: ValueMap;
  readonly params: ValueMap;
  readonly inputs: ValueMap;
  /** Results of earlier steps by id. */
  readonly steps: ValueMap;
  readonly run: ValueMap;
  readonly testcase: ValueMap;
}

/**
 * An executable command: "do this". Whether the result is good is judged elsewhere.
 * The plain form is what a `module` file exports (an exception counts as exit 1); the run types of the engine implement it with a context and an
 * outcome of their own, because their output may be larger than memory and their end may be unknown.
 */
export interface Command<Context = CommandContext, Outcome = Partial<Result>> {
  execute(context: Context): Promise<Outcome>;
}

/** Run types that the worker executes beside itself, whatever node they are for. */
const ON_WORKER: ReadonlySet<RunType> = new Set(['module', 'python', 'http', 'sql', 'prometheus']);

/** True when a command of this type runs on the worker's host instead of on its node. */
export function runsOnWorker(run: RunType): boolean {
  return ON_WORKER.has(run);
}

/** One entry per run type; `undefined` = in the language, not executable yet. A run type that is forgotten here does not compile. */
export type CommandTable<Context, Outcome> = { readonly [type in RunType]: Command<Context, Outcome> | undefined };
