import { hasMarks } from '../expression/marks.ts';
import { checkSelector, possibleNodes } from '../expression/selector.ts';
import type { Location } from '../model/location.ts';
import type { Node, Pick } from '../model/node.ts';
import type { SelectorFacts, World } from './world.ts';

/**
 * Reports a selector that is wrong or can never match, and a `pick` of more nodes than there can be.
 * Returns the largest set the selector can mean: all nodes when it is known only at run time.
 */
export function checkNodes(
  world: World,
  text: string | undefined,
  pick: Pick | undefined,
  location: Location,
  owner: string,
  path: string,
): readonly Node[] {
  const { nodes: all } = world.context;
  if (text === undefined) return all.slice(0, 1);
  const { nodes, problem } = selectorFacts(world, text);
  if (problem) {
    world.reporter.error(
      'SUITE_SELECTOR',
      location,
      `${owner}: ${path}: ${problem.message}`,
      problem.hint === undefined ? {} : { hint: problem.hint },
    );
    return all;
  }
  if (nodes && typeof pick === 'number' && pick > nodes.length) {
    world.reporter.error('SUITE_SELECTOR', location, `${owner}: pick: ${pick}, but "${text}" can match only ${nodes.length} of the nodes`);
  }
  return nodes ?? all;
}

/** The largest set a selector can mean, without reporting anything; absent when it is wrong or known only at run time. */
export function staticNodes(world: World, text: string | undefined): readonly Node[] | undefined {
  return text === undefined ? world.context.nodes.slice(0, 1) : selectorFacts(world, text).nodes;
}

/** Nodes that run at most: after `pick`. */
export function pickedCount(count: number, pick: Pick | undefined): number {
  if (pick === undefined || pick === 'all') return count;
  if (typeof pick === 'number') return Math.min(pick, count);
  if (pick === 'minority') return Math.max(1, Math.floor((count - 1) / 2));
  if (pick === 'majority') return Math.floor(count / 2) + 1;
  return Math.min(1, count);
}

function selectorFacts(world: World, text: string): SelectorFacts {
  const known = world.selectors.get(text);
  if (known) return known;
  const facts = freshFacts(world, text);
  world.selectors.set(text, facts);
  return facts;
}

function freshFacts(world: World, text: string): SelectorFacts {
  // Its marks are inspected with the other texts of the definition; nodes of an inventory that was not read are not known.
  if (hasMarks(text) || !world.hasAllNodes) return {};
  const scope = { nodes: world.context.nodes, groups: world.context.groups, roles: world.roles };
  const problem = checkSelector(text, scope);
  return problem ? { problem } : { nodes: possibleNodes(text, scope) };
}
