import { resolveNodes } from '../../dsl/expand/select-nodes.ts';
import type { Node, Pick } from '../../dsl/model/node.ts';
import type { SelectorText } from '../../dsl/model/value.ts';
import type { Stage } from './stage.ts';
import { stageScope } from './stage.ts';

/**
 * Nodes of a step. Random picks depend on the seed and the place in the run alone (P7).
 * Throws an error with a `code` (the step is then broken) when nothing matches or a mark yields no node.
 */
export function nodesFor(stage: Stage, step: string, selector: SelectorText | undefined, pick: Pick): readonly Node[] {
  // The usual case needs no scope, which costs as much as there are steps.
  if (selector === undefined) return stage.slice.context.nodes.slice(0, 1);
  const matched = resolveNodes(selector, stage.slice.context, {
    scope: { values: stageScope(stage) },
    pick: pick === 'one' ? 'all' : pick,
    seed: stage.run.seed,
    draw: [String(stage.run.iteration ?? 0), stage.cell.id, String(stage.attempt), step],
  });
  if (pick !== 'one') return matched;
  // The first reachable one: those that answered the run's hello come before the others.
  return [matched.find((node) => stage.incarnations.has(node.name)) ?? (matched[0] as Node)];
}
