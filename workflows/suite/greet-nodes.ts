import { resolveNodes } from '../../dsl/expand/select-nodes.ts';
import { hasMarks } from '../../dsl/expression/marks.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { Plan } from '../../dsl/model/plan.ts';
import { hello } from '../base/activity-calls.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import type { Stage } from '../step/stage.ts';
import { queueFor } from '../step/stage.ts';

const AT_ONCE = 16;

/** Longest wait for one node: the step that needs it waits for it again, and may not be the first. */
const GREET_WITHIN_MS = 5_000;

/**
 * First contact with every node this run may use: its incarnation goes into history before any command, so that a restart of the node
 * is noticed. A node that does not answer is no failure here; the step that needs it will say so.
 */
export async function greetNodes(stage: Stage, plan: Plan): Promise<void> {
  const waiting = [...usedNodes(stage, plan)];
  const lane = async (): Promise<void> => {
    for (let node = waiting.shift(); node; node = waiting.shift()) {
      const hurried = { ...node, connectWithinMs: Math.min(node.connectWithinMs, GREET_WITHIN_MS) };
      const answer = await hello({ run: stage.run, node: hurried }, queueFor(stage, node));
      if (answer) stage.incarnations.set(answer.node, answer.incarnation);
    }
  };
  await stage.work.run(() => Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, lane)));
}

/** Nodes that a written selector names, and the first, which is the default. A selector known only at run time means all of them. */
function usedNodes(stage: Stage, plan: Plan): readonly Node[] {
  const { context } = plan;
  if (context.nodes.length === 1) return context.nodes;
  const used = new Set([context.nodes[0]?.name]);
  for (const selector of selectorsIn([plan.definitions, plan.testcases, plan.hooks, plan.requires])) {
    if (hasMarks(selector)) return context.nodes;
    try {
      for (const node of resolveNodes(selector, context, { scope: { values: {} }, seed: stage.run.seed, draw: [] })) used.add(node.name);
    } catch (error) {
      // Not a selector of this plan's nodes (a role, say): nothing can be ruled out.
      if (!isSuiteError(error)) throw error;
      return context.nodes;
    }
  }
  return context.nodes.filter((node) => used.has(node.name));
}

function selectorsIn(roots: readonly unknown[]): ReadonlySet<string> {
  const found = new Set<string>();
  const open: unknown[] = [...roots];
  for (let at = open.pop(); open.length > 0 || at !== undefined; at = open.pop()) {
    if (typeof at !== 'object' || at === null) continue;
    for (const [key, value] of Object.entries(at)) {
      if (key === 'nodes' && typeof value === 'string') found.add(value);
      else if (typeof value === 'object' && value !== null) open.push(value);
    }
  }
  return found;
}
