import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';

import type { HelloInput, HelloResult } from '../dsl/model/workflow-io.ts';
import type { ActivityDeps } from './deps.ts';
import { currentAttendance, withHeartbeat } from './attendance.ts';
import { isNodeError } from './nodes/node-error.ts';
import { nodePool } from './nodes/node-pool.ts';
import type { NodeSession } from './nodes/node-session.ts';

/**
 * Activity `hello`: first contact with a node. Changes nothing on it but the private folder for jobs, so it may be repeated at will;
 * if this process dies the next attempt greets again.
 * Fails for good, with the code of the NodeError as its type, when the node cannot be reached within its `connectWithinMs` or never can be:
 * the wait is over then, and another attempt would only begin it anew.
 */
export function createHello(deps: ActivityDeps): (input: HelloInput) => Promise<HelloResult> {
  return async ({ node }) => {
    const open = (): Promise<NodeSession> => nodePool(deps).session(node, { sudo: false }, node.connectWithinMs);
    let session: NodeSession;
    try {
      session = await withHeartbeat(currentAttendance(), () => undefined, open);
    } catch (error) {
      if (!isNodeError(error)) throw error;
      throw ApplicationFailure.create({
        message: error.message,
        type: error.code,
        nonRetryable: true,
        category: ApplicationFailureCategory.BENIGN,
      });
    }
    return { node: node.name, incarnation: session.incarnation, clockOffsetMs: session.clockOffsetMs, shell: session.shell };
  };
}
