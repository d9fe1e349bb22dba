import type { HelloInput, HelloResult } from '../dsl/model/workflow-io.ts';
import type { ActivityDeps } from './deps.ts';
import { currentAttendance, withHeartbeat } from './attendance.ts';
import { nodePool } from './nodes/node-pool.ts';
import type { NodeSession } from './nodes/node-session.ts';

/**
 * Activity `hello`: first contact with a node. Changes nothing on it but the private folder for jobs, so it may be repeated at will;
 * if this process dies the next attempt greets again.
 * Throws a NodeError (as a retryable failure) when the node cannot be reached within its `connectWithinMs`.
 */
export function createHello(deps: ActivityDeps): (input: HelloInput) => Promise<HelloResult> {
  return async ({ node }) => {
    const open = (): Promise<NodeSession> => nodePool(deps).session(node, { sudo: false }, node.connectWithinMs);
    const session = await withHeartbeat(currentAttendance(), () => undefined, open);
    return { node: node.name, incarnation: session.incarnation, clockOffsetMs: session.clockOffsetMs, shell: session.shell };
  };
}
