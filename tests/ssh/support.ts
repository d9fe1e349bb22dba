import { chmodSync, mkdirSync } from 'node:fs';

import type { ActivityDeps } from '../../activities/deps.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import type { NodeSession } from '../../activities/nodes/node-session.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import type { RenderedCommand, RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { runCommand } from '../../activities/run-command.ts';
import { attend, commandInput, settle, shell, type World } from '../nodes/support.ts';

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A world's deps without its job root, as a worker has them in real life. For machines with a /var/tmp of their own. */
export function plainDeps(world: World, nodes: ActivityDeps['nodes'] = {}): ActivityDeps {
  return { ...world.deps, nodes };
}

/** A worker of its own whose jobs lie in the world, where all users may have some. */
export function sharedDeps(world: World): ActivityDeps {
  chmodSync(world.root, 0o755);
  const jobRoot = world.path('tmp');
  mkdirSync(jobRoot, { recursive: true });
  chmodSync(jobRoot, 0o1777);
  return { ...world.deps, nodes: { jobRoot } };
}

export function openSession(
  deps: ActivityDeps,
  node: Node,
  identity: { user?: string; sudo: boolean } = { sudo: false },
): Promise<NodeSession> {
  return nodePool(deps).session(node, identity, node.connectWithinMs);
}

/** Why a node cannot be used. Fails when it can. */
export async function refusalOf(
  deps: ActivityDeps,
  node: Node,
  identity: { user?: string; sudo: boolean } = { sudo: false },
): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await openSession(deps, node, identity);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
  throw new Error('it can be reached');
}

export interface StepOptions {
  readonly attendance?: ReturnType<typeof attend>;
  readonly input?: Partial<RunCommandInput>;
  readonly command?: Partial<RenderedCommand>;
}

/** One command step on a node, as the workflow would have it run. */
export async function step(
  world: World,
  deps: ActivityDeps,
  node: Node,
  name: string,
  cmd: string,
  options: StepOptions = {},
): Promise<NodeResult> {
  const input = commandInput(world, name, cmd, { node, command: shell(cmd, options.command), ...options.input });
  const { result } = await settle(runCommand(deps, input, options.attendance ?? attend()));
  if (result === undefined) throw new Error('no result');
  return result;
}
