import type { Node } from '../model/node.ts';
import type { Definitions, PlanContext } from '../model/plan.ts';
import type { ChaosDefinition, CommandDefinition, ProbeDefinition, Suite } from '../model/suite.ts';
import type { DefinitionFacts } from './inspect-definition.ts';
import type { Reading } from './inspect-text.ts';
import type { Reporter } from './reporter.ts';

/** What all checks of one compilation share; caches make 40,000 steps over a few definitions cheap. */
export interface World {
  readonly suite: Suite;
  readonly context: PlanContext;
  readonly definitions: Definitions;
  readonly reporter: Reporter;
  readonly secrets: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
  /** Names of the variables of the context and `--env`. */
  readonly env: ReadonlySet<string>;
  /** Selector text → the largest set it can mean; absent = not looked at yet. */
  readonly selectors: Map<string, SelectorFacts>;
  /** Mistakes of definitions that were shown for one of the places that use them. */
  readonly toldUses: Set<string>;
  /** Expression → what it reads. */
  readonly readings: Map<string, Reading>;
  /** False when the suite names an inventory that nobody has read: which nodes there are is not known. */
  readonly hasAllNodes: boolean;
  readonly facts: Map<CommandDefinition | ChaosDefinition | ProbeDefinition, DefinitionFacts>;
}

/** `nodes` is absent when the selector is wrong (and reported) or known only at run time. */
export interface SelectorFacts {
  readonly nodes?: readonly Node[];
  readonly problem?: { readonly message: string; readonly hint?: string };
}

export function createWorld(suite: Suite, context: PlanContext, reporter: Reporter, hasAllNodes = true): World {
  return {
    suite,
    context,
    definitions: {
      commands: byName(suite.commands),
      chaos: byName(suite.chaos),
      probes: byName(suite.probes),
      roles: byName(suite.roles),
    },
    reporter,
    secrets: new Set(suite.secrets),
    roles: new Set(suite.roles.map((role) => role.name)),
    env: new Set([...Object.keys(context.env), ...Object.keys(context.envOverrides)]),
    selectors: new Map(),
    toldUses: new Set(),
    readings: new Map(),
    hasAllNodes,
    facts: new Map(),
  };
}

/** The first of two with one name wins; the parser has refused the second. */
function byName<T extends { readonly name?: string }>(list: readonly T[]): { readonly [name: string]: T } {
  const named: { [name: string]: T } = {};
  for (const item of list) if (item.name !== undefined && !Object.hasOwn(named, item.name)) named[item.name] = item;
  return named;
}

/** An own entry of a map that a suite names; `constructor` and its kin are never found. */
export function entry<T>(map: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}
