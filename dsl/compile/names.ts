import { RESULT_NAMES as NAMES_OF_A_RESULT } from '../expression/match.ts';
/** Top-level names that expressions may use, by place (suite-language §11). */

/** Asserts, `wait: {expr}`, `hold: {expr}`, step `if`: no single node. */
export const STEP_NAMES: ReadonlySet<string> = new Set(['params', 'env', 'steps', 'bind', 'roles', 'nodes', 'run', 'testcase', 'probes']);

/** `if` of a testcase: before anything ran. */
export const TESTCASE_IF_NAMES: ReadonlySet<string> = new Set(['params', 'env', 'bind', 'roles', 'nodes', 'run', 'testcase']);

/** `with:` of a step: rendered for each node. */
export const WITH_NAMES: ReadonlySet<string> = new Set([...STEP_NAMES, 'node', 'peers']);

/** Texts of commands and chaos. */
export const COMMAND_NAMES: ReadonlySet<string> = new Set([...WITH_NAMES, 'inputs']);

/** Selectors: a node is what they look for. */
export const SELECTOR_NAMES: ReadonlySet<string> = new Set([...STEP_NAMES, 'inputs']);

/** `expect.expr`, `outputs`: over a result, and the context. */
export const RESULT_NAMES: ReadonlySet<string> = new Set([...COMMAND_NAMES, ...NAMES_OF_A_RESULT]);

/** `reduce` of a probe: over the results of all nodes. */
export const REDUCE_NAMES: ReadonlySet<string> = new Set([...COMMAND_NAMES, 'results']);

/** Hooks and requirements of the suite run outside of any testcase. */
export const SUITE_NAMES: ReadonlySet<string> = new Set(['params', 'env', 'inputs', 'node', 'nodes', 'peers', 'run']);

/** Fields of `steps.<id>`. */
export const STEP_FIELDS: ReadonlySet<string> = new Set([
  'verdict',
  'exit_code',
  'stdout',
  'stderr',
  'duration',
  'outputs',
  'started',
  'finished',
  'nodes',
]);

/** Set by the engine for every command; readable as `env.X` in its texts. */
export const ENGINE_ENV: readonly string[] = ['ONETEAR_RUN', 'ONETEAR_TESTCASE', 'ONETEAR_STEP', 'ONETEAR_NODE'];
