import { hash53 } from '../expand/slug.ts';
import { NO_RETRY } from '../expand/command-spec.ts';
import type { Inventory } from './inventory.ts';
import type { Node } from '../model/node.ts';
import type { PlanContext } from '../model/plan.ts';
import type { NodeDefinition, Suite } from '../model/suite.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_CONNECT_WITHIN_MS = 30_000;

/** Fills in the defaults of suite-language §2: nodes, cluster, fault limits and what a command without its own value gets. */
export function planContext(
  suite: Suite,
  envOverrides: { readonly [name: string]: string },
  inventory?: Inventory,
  ssh?: Node['ssh'],
): PlanContext {
  const { context } = suite;
  const written = withInventory(context.nodes ?? [], inventory?.nodes ?? []);
  const nodes =
    written.length > 0
      ? written.map((node) => completeNode(node, ssh))
      : [completeNode({ name: 'local', location: { file: suite.file, line: 1, column: 1 } })];
  const { defaults } = context;
  return {
    nodes,
    groups: inventory ? { ...groupsOf(inventory, suite), ...context.groups } : context.groups,
    env: context.env,
    envOverrides,
    cluster: context.cluster ?? clusterOf(nodes),
    defaults: {
      timeoutMs: defaults.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      retry: defaults.retry ?? NO_RETRY,
      shell: defaults.shell ?? 'sh',
      ...(defaults.user !== undefined && { user: defaults.user }),
      sudo: defaults.sudo ?? false,
      ...(defaults.cwd !== undefined && { cwd: defaults.cwd }),
    },
    faults: {
      nodes: context.faults?.nodes ?? 'all',
      maxNodes: context.faults?.max_nodes ?? Math.max(1, Math.floor((nodes.length - 1) / 2)),
    },
  };
}

/** Nodes as written first, each with what the inventory knows about it and the suite does not say; then those of the inventory alone. */
function withInventory(written: readonly NodeDefinition[], known: readonly NodeDefinition[]): readonly NodeDefinition[] {
  if (known.length === 0) return written;
  const byName = new Map(known.map((node) => [node.name, node]));
  const own = new Set(written.map((node) => node.name));
  return [
    ...written.map((node) => {
      const other = byName.get(node.name);
      if (!other) return node;
      return { ...other, ...node, labels: { ...other.labels, ...node.labels }, vars: { ...other.vars, ...node.vars } };
    }),
    ...known.filter((node) => !own.has(node.name)),
  ];
}

/** Groups that the suite names otherwise (as a node, role or group of its own) stay out; their labels remain. */
function groupsOf(inventory: Inventory, suite: Suite): { readonly [name: string]: string } {
  const taken = new Set([...suite.roles.map((role) => role.name), ...(suite.context.nodes ?? []).map((node) => node.name)]);
  return Object.fromEntries(Object.entries(inventory.groups).filter(([name]) => !taken.has(name)));
}

/** `local` is this machine; any other node without a connection is an ssh host of its own name. */
function completeNode(definition: NodeDefinition, ssh?: Node['ssh']): Node {
  const connection = definition.connection ?? (definition.name === 'local' ? 'local' : 'ssh');
  return {
    name: definition.name,
    connection,
    host: definition.host ?? (connection === 'local' ? 'localhost' : definition.name),
    ...(definition.port !== undefined && { port: definition.port }),
    ...(definition.user !== undefined && { user: definition.user }),
    labels: definition.labels ?? {},
    vars: definition.vars ?? {},
    connectWithinMs: definition.connectWithinMs ?? DEFAULT_CONNECT_WITHIN_MS,
    ...(connection === 'ssh' && ssh && { ssh }),
  };
}

/** The same machines are the same cluster, in whatever order and under whatever names a suite lists them. */
function clusterOf(nodes: readonly Node[]): string {
  const addresses = new Set(nodes.map((node) => `${node.connection}:${node.host}:${node.port ?? ''}`));
  return `nodes-${hash53([...addresses].sort().join('\n'))}`;
}
