import type { Location } from '../model/location.ts';
import type { PlannedStep, PlannedTestcase } from '../model/plan.ts';
import type {
  ChaosDefinition,
  CommandDefinition,
  HooksDefinition,
  RunType,
  SampledAssert,
  SoakDefinition,
  WaitCondition,
} from '../model/suite.ts';
import type { TextUse } from './inspect-text.ts';
import { rolesIn, rolesInOrder } from '../expand/roles.ts';
import { staticNodes } from './check-selector.ts';
import type { DefinitionFacts } from './inspect-definition.ts';
import type { TestcaseFacts } from './check-testcase.ts';
import { entry } from './world.ts';
import type { World } from './world.ts';

/** Nodes of one fault: its workflow holds the injection, proof and undo of each. */
const MAX_FAULT_NODES = 16;
/** Run types that the engine executes. */
const EXECUTABLE: ReadonlySet<RunType> = new Set<RunType>(['shell', 'module', 'http', 'sql', 'logs', 'prometheus']);

/**
 * Reports what the language has and the engine cannot execute yet, at its place; docs/roadmap.md lists the same features.
 * Only for `start`, and only for what the selected testcases use.
 */
export function checkSupported(
  world: World,
  testcases: readonly PlannedTestcase[],
  facts: ReadonlyMap<string, TestcaseFacts>,
  soak: SoakDefinition | undefined,
): void {
  const { suite, reporter } = world;
  const start: Location = { file: suite.file, line: 1, column: 1 };
  /** One error per feature and place: the first says enough. */
  const refused = new Set<string>();
  const features = new Set<string>();
  const refuse = (location: Location, feature: string): void => {
    const word = feature.split(' (', 1)[0] as string;
    const key = `${word} ${location.file}:${location.line}:${location.column}`;
    if (refused.has(key)) return;
    refused.add(key);
    features.add(word);
    reporter.error('SUITE_NOT_SUPPORTED', location, `not supported yet: ${feature}, see docs/roadmap.md`);
  };

  if (soak) refuse(start, 'soak (run once with --no-soak)');

  /** Definitions are looked at once. */
  const seen = new Set<object>();
  const hooks = (hooks: HooksDefinition): void => {
    for (const hook of [...hooks.before, ...hooks.after, ...hooks.onFail]) {
      const definition = 'inline' in hook ? hook.inline : entry(world.definitions.commands, hook.use);
      if (definition) command(definition);
    }
  };
  const command = (definition: CommandDefinition): void => {
    if (seen.has(definition)) return;
    seen.add(definition);
    const { location } = definition;
    if (!EXECUTABLE.has(definition.run)) refuse(location, `run: ${definition.run}`);
    if (definition.cache) refuse(location, 'cache');
    texts(world.facts.get(definition), location);
    hooks(definition.hooks);
  };
  const chaos = (definition: ChaosDefinition): void => {
    if (seen.has(definition)) return;
    seen.add(definition);
    const { location } = definition;
    if (definition.fault) refuse(location, `fault: ${definition.fault.kind} (the fault library)`);
    else if (definition.run !== 'shell') refuse(location, `chaos with run: ${definition.run}`);
    if (definition.trigger) refuse(location, 'trigger');
    if (definition.recover && definition.recover.run !== 'shell') refuse(location, `recover with run: ${definition.recover.run}`);
    if (definition.verify?.nodes !== undefined || definition.recover?.verify?.nodes !== undefined)
      refuse(location, 'verify on other nodes (verify.nodes)');
    faultNodes(definition.nodes, definition.pick, location);
    texts(world.facts.get(definition), location);
    hooks(definition.hooks);
  };
  const faultNodes = (text: string | undefined, pick: CommandDefinition['pick'], location: Location): void => {
    if (pick !== undefined && pick !== 'all') return;
    const count = staticNodes(world, text)?.length ?? 0;
    if (count > MAX_FAULT_NODES) refuse(location, `a fault on more than ${MAX_FAULT_NODES} nodes (this one: ${count})`);
  };
  const uses = (list: readonly TextUse[], location: Location): void => {
    for (const use of list) if (use.names.has('probes')) refuse(location, `probes (in ${use.path})`);
  };
  const texts = (known: DefinitionFacts | undefined, location: Location): void => {
    if (known) uses(known.uses, location);
  };
  const subject = (sample: SampledAssert['subject'], location: Location, what: string): void => {
    if (!sample) return;
    if ('probe' in sample) refuse(location, `${what} over a probe`);
    else {
      const definition = entry(world.definitions.commands, sample.command);
      if (definition) command(definition);
    }
  };
  const condition = (each: WaitCondition, location: Location, what: string): void => {
    if (each.kind === 'sample') subject(each.subject, location, what);
    else if (each.kind !== 'expr') for (const inner of each.of) condition(inner, location, what);
  };
  const step = (each: PlannedStep): void => {
    const { location } = each;
    switch (each.kind) {
      case 'command': {
        const definition = typeof each.command === 'string' ? entry(world.definitions.commands, each.command) : each.command;
        if (definition) command(definition);
        if (each.overrides.cache) refuse(location, 'cache');
        return;
      }
      case 'chaos': {
        const definition = entry(world.definitions.chaos, each.chaos);
        if (definition) chaos(definition);
        if (each.overrides.nodes !== undefined) faultNodes(each.overrides.nodes, each.overrides.pick ?? definition?.pick, location);
        return;
      }
      case 'wait':
        condition(each.condition, location, 'wait');
        return;
      case 'hold':
        refuse(location, 'hold');
        return;
      case 'pause':
        refuse(location, 'pause');
        return;
      case 'nemesis':
        refuse(location, 'nemesis');
        return;
      case 'parallel':
      case 'recover':
      case 'sleep':
        return;
    }
  };

  for (const testcase of testcases) {
    const { location } = testcase;
    for (const each of testcase.steps) step(each);
    if (testcase.probes.length > 0) refuse(location, `probes (${testcase.probes.join(', ')})`);
    if (testcase.needs.length > 0) refuse(location, `needs of a testcase ("${testcase.name}" needs ${testcase.needs.join(', ')})`);
    for (const lock of testcase.locks) if (lock.name !== world.context.cluster) refuse(location, `locks (${lock.name})`);
    for (const kind of ['eventually', 'always', 'never'] as const) {
      for (const each of testcase.assert[kind]) subject(each.subject, each.location, `assert.${kind}`);
    }
    for (const each of testcase.assert.within) if (typeof each.until !== 'string') refuse(each.location, 'assert.within with a probe');
    // Its definitions have been looked at: what is left are the testcase's own texts.
    for (const use of facts.get(testcase.name)?.liveUses ?? []) {
      if (use.names.has('probes') && !features.has('probes')) refuse(location, `probes (in ${use.path})`);
    }
    hooks(testcase.hooks);
  }
  hooks(suite.hooks);
  const names = { groups: world.context.groups, roles: [...world.roles] };
  const used = rolesInOrder(rolesIn([...testcases, ...seen, suite.requires], names), world.definitions.roles, names);
  for (const name of used) {
    const role = entry(world.definitions.roles, name);
    if (role && !EXECUTABLE.has(role.run)) refuse(role.location, `run: ${role.run}`);
  }
}
