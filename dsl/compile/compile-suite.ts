import { slug } from '../expand/slug.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Location } from '../model/location.ts';
import type { Node } from '../model/node.ts';
import type { Cell, Plan, PlannedStep, PlannedTestcase } from '../model/plan.ts';
import type { AssertDefinition, SoakDefinition, Suite, TestcaseDefinition } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { findCycle } from './check-graph.ts';
import { checkNodes } from './check-selector.ts';
import { checkSuiteTexts } from './check-suite-texts.ts';
import { checkTestcase } from './check-testcase.ts';
import type { TestcaseFacts } from './check-testcase.ts';
import { checkEvents } from './estimate-events.ts';
import { chaosFacts, checkRoles, commandFacts, probeFacts } from './inspect-definition.ts';
import { matrixCells, mergeParams, paramNames, scalarOf } from './matrix.ts';
import type { MergedParams } from './matrix.ts';
import { readInventory } from './inventory.ts';
import type { InventoryText } from './inventory.ts';
import { checkSupported } from './not-supported.ts';
import { planContext } from './plan-context.ts';
import { planSteps } from './plan-steps.ts';
import { createReporter, unknownName } from './reporter.ts';
import { selectCells } from './select-cells.ts';
import type { Selection } from './select-cells.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

export interface CompileOptions {
  /** Root of every random choice, up to 2^31 − 1. */
  readonly seed: number;
  /** SHA-256 (hex) over the texts of the suite and its includes. */
  readonly digest: string;
  /** `--env K=V`. */
  readonly envOverrides?: { readonly [name: string]: string };
  /** `--param K=V`: texts, read as YAML reads a plain scalar. */
  readonly paramOverrides?: { readonly [name: string]: string };
  readonly selection?: Selection;
  /** True for `start`: what the engine cannot execute yet is an error. False for validate, list and plan. */
  readonly execute: boolean;
  /** `--soak` in place of the suite's own, `false` = `--no-soak`. */
  readonly soak?: SoakDefinition | false;
  /** What `context.inventory` gave; whoever compiles reads it. Absent = the nodes it names are not known. */
  readonly inventory?: InventoryText;
  /** Files of ssh, absolute; from `context.ssh` and `--ssh-config`, which whoever compiles resolves. */
  readonly ssh?: Node['ssh'];
  /** `-x`. */
  readonly failFast?: boolean;
}

export interface Compilation {
  /** Absent when a diagnostic is an error. Its cells may be none: nothing is selected. */
  readonly plan?: Plan;
  /** In the order of the text. A mistake in an option has the option as its file: `-k`, `--cell`, `--param`. */
  readonly diagnostics: readonly Diagnostic[];
}

const NO_ASSERT: AssertDefinition = { eventually: [], always: [], never: [], within: [], expr: [] };

/** Suite → plan, or everything that is wrong with the suite. Pure: same suite, options and seed = same plan. */
export function compileSuite(suite: Suite, options: CompileOptions): Compilation {
  const reporter = createReporter(suite.file);
  const inventory = options.inventory && readInventory(options.inventory);
  for (const problem of inventory?.problems ?? []) {
    const { file } = options.inventory as InventoryText;
    reporter.error('SUITE_INVENTORY', { file, line: 1, column: 1 }, `context.inventory: ${problem}`);
  }
  const context = planContext(suite, options.envOverrides ?? {}, inventory, options.ssh);
  const world = createWorld(suite, context, reporter, suite.context.inventory === undefined || inventory !== undefined);
  const overrides = paramOverrides(world, options.paramOverrides ?? {});

  checkContext(world);
  for (const command of suite.commands) commandFacts(world, command);
  for (const chaos of suite.chaos) chaosFacts(world, chaos);
  for (const probe of suite.probes) probeFacts(world, probe);
  checkRoles(world);
  checkSuiteTexts(world);

  const shared = mergeParams(suite.context.params, undefined, overrides);
  const sharedNames = paramNames(shared);
  const planned = new Map<string, PlannedTestcase>();
  const facts = new Map<string, TestcaseFacts>();
  const cells: Cell[] = [];
  for (const testcase of suite.testcases) {
    if (planned.has(testcase.name)) {
      reporter.error('SUITE_DUPLICATE_NAME', testcase.location, `the testcase "${testcase.name}" is defined twice`);
      continue;
    }
    const own = testcase.params ? mergeParams(suite.context.params, testcase.params, overrides) : shared;
    const steps = planSteps(world, testcase);
    const found = checkTestcase(world, testcase, steps, own === shared ? sharedNames : paramNames(own));
    const plan = planTestcase(world, testcase, steps, found);
    checkEvents(world, plan);
    planned.set(testcase.name, plan);
    facts.set(testcase.name, found);
    for (const cell of matrixCells(testcase.name, own, reporter, testcase.params?.location ?? testcase.location)) cells.push(cell);
  }
  checkTestcaseNeeds(world, planned);

  const selected = selectCells(cells, planned, options.selection ?? {});
  if ('error' in selected) {
    const { option, message, column } = selected.error;
    reporter.error('USAGE_SELECTION', { file: option, line: 1, column }, message);
  }
  const chosen = 'cells' in selected ? selected.cells : [];
  const names = new Set(chosen.map((cell) => cell.testcase));
  const testcases = [...planned.values()].filter((testcase) => names.has(testcase.name));
  const soak = options.soak === false ? undefined : (options.soak ?? suite.soak);
  // A suite that is wrong is told so first: what it means is not certain yet.
  if (options.execute && !reporter.hasErrors) checkSupported(world, testcases, facts, soak);
  if (reporter.hasErrors) return { diagnostics: reporter.diagnostics() };

  return {
    plan: {
      version: 1,
      suite: {
        name: suite.name,
        slug: slug(suite.name),
        file: suite.file,
        ...(suite.description !== undefined && { description: suite.description }),
        tags: suite.tags,
      },
      digest: options.digest,
      seed: options.seed,
      context,
      definitions: world.definitions,
      testcases,
      cells: chosen,
      hooks: suite.hooks,
      requires: suite.requires,
      ...(suite.timeoutMs !== undefined && { timeoutMs: suite.timeoutMs }),
      strategy: options.failFast ? { ...suite.strategy, failFast: true } : suite.strategy,
      ...(soak && { soak }),
      secrets: suite.secrets,
    },
    diagnostics: reporter.diagnostics(),
  };
}

function planTestcase(world: World, testcase: TestcaseDefinition, steps: readonly PlannedStep[], facts: TestcaseFacts): PlannedTestcase {
  const { keptStdout } = facts;
  const hasChaos = steps.some((step) => step.kind === 'chaos' || step.kind === 'nemesis');
  const tags = world.suite.tags.length === 0 ? testcase.tags : [...new Set([...world.suite.tags, ...testcase.tags])];
  return {
    name: testcase.name,
    ...(testcase.description !== undefined && { description: testcase.description }),
    tags,
    steps: keptStdout.size === 0 ? steps : steps.map((step) => (keptStdout.has(step.id) ? { ...step, keepStdout: true } : step)),
    assert: testcase.assert ?? NO_ASSERT,
    ...(facts.lastCommandStep !== undefined && { lastCommandStep: facts.lastCommandStep }),
    hooks: testcase.hooks,
    requires: testcase.requires,
    env: testcase.env,
    bind: testcase.bind,
    probes: facts.probes,
    ...(testcase.if !== undefined && { if: testcase.if }),
    ...(testcase.timeoutMs !== undefined && { timeoutMs: testcase.timeoutMs }),
    retry: testcase.retry,
    needs: testcase.needs,
    locks:
      testcase.locks === undefined
        ? [{ name: world.context.cluster, mode: hasChaos ? 'exclusive' : 'shared' }]
        : testcase.locks.map((name) => ({ name, mode: 'exclusive' as const })),
    hasChaos,
    location: testcase.location,
  };
}

/** Groups and the nodes where faults are allowed. */
function checkContext(world: World): void {
  const location: Location = { file: world.suite.file, line: 1, column: 1 };
  for (const [name, selector] of Object.entries(world.context.groups))
    checkNodes(world, selector, undefined, location, 'context', `groups.${name}`);
  checkNodes(world, world.context.faults.nodes, undefined, location, 'context', 'faults.nodes');
}

/** `--param` may only set what some testcase has: a typing error must not run something else than was meant. */
function paramOverrides(world: World, texts: { readonly [name: string]: string }): ValueMap {
  const { suite } = world;
  const all: MergedParams[] = [mergeParams(suite.context.params, undefined, {})];
  for (const testcase of suite.testcases) if (testcase.params) all.push(mergeParams(suite.context.params, testcase.params, {}));
  const values: { [name: string]: Value } = {};
  for (const [name, text] of Object.entries(texts)) {
    if (all.some((params) => paramNames(params).has(name))) values[name] = scalarOf(text);
    else {
      const { message, hint } = unknownName('param', name, new Set(all.flatMap((params) => [...paramNames(params)])));
      world.reporter.error('USAGE_PARAM', { file: '--param', line: 1, column: 1 }, message, hint === undefined ? {} : { hint });
    }
  }
  return values;
}

function checkTestcaseNeeds(world: World, planned: ReadonlyMap<string, PlannedTestcase>): void {
  const needs = new Map<string, readonly string[]>();
  for (const testcase of planned.values()) {
    if (testcase.needs.length === 0) continue;
    for (const name of testcase.needs) {
      if (planned.has(name)) continue;
      const { message, hint } = unknownName('testcase', name, planned.keys());
      world.reporter.error(
        'SUITE_UNKNOWN_REFERENCE',
        testcase.location,
        `testcase "${testcase.name}": needs: ${message}`,
        hint === undefined ? {} : { hint },
      );
    }
    needs.set(testcase.name, testcase.needs);
  }
  const path = findCycle(needs);
  const first = path && planned.get(path[0] as string);
  if (path && first) world.reporter.error('SUITE_CYCLE', first.location, `the testcases wait for each other: ${path.join(' → ')}`);
}
