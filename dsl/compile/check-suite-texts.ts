import type { Location } from '../model/location.ts';
import { checkNodes } from './check-selector.ts';
import { checkFacts, checkUses } from './check-uses.ts';
import type { Site, UsePlace } from './check-uses.ts';
import { hookFacts, inspection } from './inspect-definition.ts';
import { inspectCmd, inspectMap, inspectTemplate } from './inspect-text.ts';
import { COMMAND_NAMES, SUITE_NAMES } from './names.ts';
import type { World } from './world.ts';

/** Texts that belong to no testcase: the context's env and defaults, hooks and requirements of the suite. */
export function checkSuiteTexts(world: World): void {
  const { suite, context } = world;
  const start: Location = { file: suite.file, line: 1, column: 1 };
  const site: Site = {
    owner: 'the suite',
    params: new Set(Object.keys(suite.context.params.constants)),
    bind: new Set(),
    env: world.env,
    // A hook of the suite runs outside of any testcase.
    missing: new Set([...COMMAND_NAMES].filter((name) => !SUITE_NAMES.has(name))),
    steps: new Map(),
    keptStdout: new Set(),
    readProbes: new Set(),
    liveUses: [],
  };
  const place = (owner: string, location: Location): UsePlace => ({ owner, location, isBefore: () => false });

  // Rendered for each command: what they read exists there or not, so only their form is checked here.
  const to = inspection(world, 'context', start);
  inspectMap(context.env, 'env', COMMAND_NAMES, to, 'whole-mark');
  if (context.defaults.cwd !== undefined) inspectTemplate(context.defaults.cwd, 'defaults.cwd', COMMAND_NAMES, to);
  if (context.defaults.user !== undefined) inspectTemplate(context.defaults.user, 'defaults.user', COMMAND_NAMES, to);

  for (const { facts } of hookFacts(world, suite.hooks, 'the suite')) {
    checkFacts(world, site, facts, place('the suite', facts.location));
  }
  for (const requirement of suite.requires) {
    const to = inspection(world, 'the suite', requirement.location);
    inspectCmd(requirement.cmd, 'requires.cmd', SUITE_NAMES, to);
    checkUses(world, site, to.uses, place('the suite', requirement.location));
    checkNodes(world, requirement.nodes, undefined, requirement.location, 'the suite', 'requires.nodes');
  }
}
