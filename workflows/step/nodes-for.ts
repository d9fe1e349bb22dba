import { resolveSpecNodes } from '../../dsl/expand/select-nodes.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import type { Stage } from './stage.ts';
import { stageScope } from './stage.ts';

/**
 * Nodes of a command. Random picks depend on the seed and the place in the run alone (P7).
 * Throws an error with a `code` (the step is then broken) when nothing matches or a mark yields no node.
 */
export function nodesFor(stage: Stage, step: string, spec: Pick<CommandSpec, 'nodes' | 'pick' | 'inputs'>): readonly Node[] {
  // The usual case needs no scope, which costs as much as there are steps.
  if (spec.nodes === undefined) return stage.slice.context.nodes.slice(0, 1);
  const onlyOne = spec.pick === 'one';
  const matched = resolveSpecNodes(onlyOne ? { ...spec, pick: 'all' } : spec, stage.slice.context, {
    scope: { values: stageScope(stage) },
    seed: stage.run.seed,
    draw: [String(stage.run.iteration ?? 0), stage.cell.id, String(stage.attempt), step],
  });
  if (!onlyOne) return matched;
  // The first reachable one: those that answered the run's hello come before the others.
  return [matched.find((node) => stage.incarnations.has(node.name)) ?? (matched[0] as Node)];
}
