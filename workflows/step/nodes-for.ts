import { patched } from '@temporalio/workflow';
import { ExpandError } from '../../dsl/expand/expand-error.ts';
import { resolveSpecNodes } from '../../dsl/expand/select-nodes.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { CommandSpec } from '../../dsl/model/plan.ts';
import { hello } from '../base/activity-calls.ts';
import type { LiveRoles, Stage } from './stage.ts';
import { queueFor, stageScope } from './stage.ts';

type Selected = Pick<CommandSpec, 'nodes' | 'pick' | 'inputs'>;

/** Longest wait for one node of `pick: one` before the next is tried. */
const REACH_WITHIN_MS = 5_000;

/**
 * Nodes of a command. Random picks depend on the seed and the place in the run alone (P7). With `pick: one` it is the first that has answered so far;
 * see {@link firstReachable}. Throws an error with a `code` (the step is then broken) when nothing matches or a mark yields no node.
 */
export function nodesFor(stage: Stage, step: string, spec: Selected, roles?: LiveRoles): readonly Node[] {
  // The usual case needs no scope, which costs as much as there are steps.
  if (spec.nodes === undefined) return stage.slice.context.nodes.slice(0, 1);
  const onlyOne = spec.pick === 'one';
  const matched = matchedNodes(stage, step, onlyOne ? { ...spec, pick: 'all' } : spec, roles);
  if (!onlyOne) return matched;
  return [matched.find((node) => stage.incarnations.has(node.name)) ?? (matched[0] as Node)];
}

function matchedNodes(stage: Stage, step: string, spec: Selected, roles: LiveRoles | undefined): readonly Node[] {
  return resolveSpecNodes(spec, stage.slice.context, {
    scope: { values: stageScope(stage, undefined, roles) },
    seed: stage.run.seed,
    draw: [String(stage.run.iteration ?? 0), stage.cell.id, String(stage.attempt), step],
    ...(roles && { roles: namesOf(roles) }),
    roleNames: Object.keys(stage.slice.definitions.roles),
  });
}

export function namesOf(roles: LiveRoles): { readonly [role: string]: readonly string[] } {
  return Object.fromEntries(Object.entries(roles).map(([role, nodes]) => [role, nodes.map((node) => node.name)]));
}

/** Nodes that `pick: one` has to choose from by asking them; absent when there is nothing to ask. */
export function nodesToReach(stage: Stage, step: string, spec: Selected, roles?: LiveRoles): readonly Node[] | undefined {
  if (spec.pick !== 'one' || spec.nodes === undefined) return undefined;
  const matched = matchedNodes(stage, step, { ...spec, pick: 'all' }, roles);
  // This machine is always within reach; a single node is taken as it is, and says itself what is wrong with it.
  if (matched.length === 1 || matched[0]?.connection === 'local') return undefined;
  return patched('pick-one-asks') ? matched : undefined;
}

/** `pick: one`: the first that answers now, asked one after another. Throws `NOT_REACHABLE` (the step is then broken) when none does. */
export async function firstReachable(stage: Stage, step: string, nodes: readonly Node[]): Promise<Node> {
  for (const node of nodes) {
    if (node.connection === 'local') return node;
    const hurried = { ...node, connectWithinMs: Math.min(node.connectWithinMs, REACH_WITHIN_MS) };
    const answer = await hello({ run: stage.run, node: hurried }, queueFor(stage, node), `${step}/hello/${node.name}`);
    if (!answer) continue;
    stage.incarnations.set(answer.node, answer.incarnation);
    return node;
  }
  throw new ExpandError('NOT_REACHABLE', `pick: one: none of ${nodes.map((node) => node.name).join(', ')} can be reached`);
}
