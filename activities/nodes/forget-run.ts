import type { Node } from '../../dsl/model/node.ts';
import type { ActivityDeps } from '../deps.ts';
import { forgetJobs } from './job.ts';
import type { Identity } from './node-pool.ts';
import { nodePool } from './node-pool.ts';

/**
 * Deletes all jobs of a run on the given nodes, for our own user and for each other identity that its commands had. Only for a run that is over
 * and owes nothing: without records nobody can tell any more what ran. Returns the nodes that could not be reached, with the reason;
 * their folders stay. May be repeated.
 */
export async function forgetRun(
  deps: ActivityDeps,
  run: string,
  nodes: readonly Node[],
  identities: readonly Identity[] = [{ sudo: false }],
): Promise<readonly { readonly node: string; readonly reason: string }[]> {
  const missed: { node: string; reason: string }[] = [];
  for (const node of nodes) {
    for (const identity of identities) {
      try {
        await forgetJobs(await nodePool(deps).session(node, identity, node.connectWithinMs), run);
      } catch (error) {
        missed.push({ node: node.name, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return missed;
}
