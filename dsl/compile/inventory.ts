import type { ConnectionKind } from '../model/node.ts';
import type { NodeDefinition } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';

/** What `context.inventory` gave: the parsed JSON of `ansible-inventory --list`, read by whoever compiles. */
export interface InventoryText {
  /** As the suite names it; the place of its diagnostics. */
  readonly file: string;
  readonly json: unknown;
}

/** Nodes and groups of an inventory, as a suite would write them. */
export interface Inventory {
  readonly nodes: readonly NodeDefinition[];
  /** Name → selector. */
  readonly groups: { readonly [name: string]: string };
  /** What is wrong with it, one sentence each. */
  readonly problems: readonly string[];
}

/** Selectors must be able to name it. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]*$/u;

const CONNECTIONS: { readonly [word: string]: ConnectionKind } = {
  ssh: 'ssh',
  smart: 'ssh',
  paramiko: 'ssh',
  paramiko_ssh: 'ssh',
  local: 'local',
  docker: 'docker',
  docker_api: 'docker',
  kubectl: 'kubectl',
};

interface Group {
  readonly hosts: readonly string[];
  readonly children: readonly string[];
  readonly vars: ValueMap;
}

/**
 * Reads the shape of `ansible-inventory --list` (and of the dynamic inventory scripts it comes from): groups with `hosts`, `children` and `vars`,
 * host variables under `_meta.hostvars`. `ansible_host`, `_port`, `_user` and `_connection` say how a node is reached; all other `ansible_*` variables
 * (passwords among them) are left out; the rest are the node's `vars`. A group becomes a group of the suite and a label `<group>=true` of its nodes.
 */
export function readInventory({ file, json }: InventoryText): Inventory {
  const problems: string[] = [];
  if (!isMap(json)) return { nodes: [], groups: {}, problems: ['it is not a JSON object as ansible-inventory --list prints it'] };
  const groups = new Map<string, Group>();
  for (const [name, value] of Object.entries(json)) if (name !== '_meta') groups.set(name, groupOf(value));
  const meta = isMap(json['_meta']) && isMap(json['_meta']['hostvars']) ? json['_meta']['hostvars'] : {};
  const members = new Map([...groups.keys()].map((name) => [name, hostsOf(name, groups, new Set())]));
  const hosts = [...new Set([...Object.keys(meta), ...[...members.values()].flat()])].sort(byName);
  if (hosts.length === 0) problems.push('it has no hosts');
  const depth = groupDepths(groups);

  const nodes = hosts.flatMap((name): NodeDefinition[] => {
    if (!NAME.test(name) || name === 'all') {
      problems.push(`${JSON.stringify(name)} cannot be the name of a node: letters, digits, "_", "-" and "."`);
      return [];
    }
    const own = [...members].filter(([, list]) => list.includes(name)).map(([group]) => group);
    // Nearer groups win, the host itself last.
    const inherited = own.toSorted((a, b) => (depth.get(a) ?? 0) - (depth.get(b) ?? 0)).map((group) => groups.get(group)?.vars ?? {});
    const vars: ValueMap = Object.assign({}, ...inherited, isMap(meta[name]) ? meta[name] : {}) as ValueMap;
    return [nodeOf(name, vars, own.filter(isNamed), file, problems)];
  });

  const taken = new Set(nodes.map((node) => node.name));
  const named = [...members].filter(([name, list]) => isNamed(name) && !taken.has(name) && list.some((host) => taken.has(host)));
  return { nodes, groups: Object.fromEntries(named.map(([name]) => [name, `${name}=true`])), problems };
}

/** `all` is a word of selectors; a name that no selector can spell stays out. */
function isNamed(group: string): boolean {
  return group !== 'all' && NAME.test(group);
}

function nodeOf(name: string, vars: ValueMap, groups: readonly string[], file: string, problems: string[]): NodeDefinition {
  const word = textVar(vars, 'ansible_connection') ?? (name === 'localhost' ? 'local' : 'ssh');
  const connection = CONNECTIONS[word.split('.').at(-1) ?? ''];
  if (!connection) problems.push(`host ${name}: ansible_connection ${word} is not known (ssh, local, docker, kubectl)`);
  const host =
    textVar(vars, connection === 'kubectl' ? 'ansible_kubectl_pod' : 'ansible_host') ?? textVar(vars, 'ansible_host', 'ansible_ssh_host');
  const port = Number(textVar(vars, 'ansible_port', 'ansible_ssh_port') ?? Number.NaN);
  const user = textVar(vars, 'ansible_user', 'ansible_ssh_user');
  return {
    name,
    location: { file, line: 1, column: 1 },
    connection: connection ?? 'ssh',
    ...(host !== undefined && { host }),
    ...(Number.isInteger(port) && port > 0 && port < 65_536 && { port }),
    ...(user !== undefined && { user }),
    labels: Object.fromEntries(groups.map((group) => [group, 'true'])),
    vars: Object.fromEntries(Object.entries(vars).filter(([key, value]) => !key.startsWith('ansible_') && !isVault(value))),
  };
}

/** An encrypted value is of no use to anyone here. */
function isVault(value: Value): boolean {
  return isMap(value) && Object.hasOwn(value, '__ansible_vault');
}

function textVar(vars: ValueMap, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = Object.hasOwn(vars, name) ? vars[name] : undefined;
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') return String(value);
  }
  return undefined;
}

function groupOf(value: unknown): Group {
  const names = (list: unknown): readonly string[] =>
    Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
  // The short form of old scripts: a group is the list of its hosts.
  if (Array.isArray(value)) return { hosts: names(value), children: [], vars: {} };
  if (!isMap(value)) return { hosts: [], children: [], vars: {} };
  return {
    hosts: names(value['hosts']),
    children: names(value['children']),
    vars: isMap(value['vars']) ? (value['vars'] as ValueMap) : {},
  };
}

/** Hosts of a group and of its children; a circle ends by itself. */
function hostsOf(name: string, groups: ReadonlyMap<string, Group>, seen: Set<string>): readonly string[] {
  const group = groups.get(name);
  if (!group || seen.has(name)) return [];
  seen.add(name);
  return [...new Set([...group.hosts, ...group.children.flatMap((child) => hostsOf(child, groups, seen))])];
}

/** How far a group is below the top: variables of a child win over those of its parents. */
function groupDepths(groups: ReadonlyMap<string, Group>): ReadonlyMap<string, number> {
  const depths = new Map<string, number>([...groups.keys()].map((name) => [name, name === 'all' ? -1 : 0]));
  for (let round = 0; round < groups.size; round++) {
    let changed = false;
    for (const [name, group] of groups) {
      for (const child of group.children) {
        const depth = (depths.get(name) ?? 0) + 1;
        if ((depths.get(child) ?? 0) >= depth || depth > groups.size) continue;
        depths.set(child, depth);
        changed = true;
      }
    }
    if (!changed) break;
  }
  return depths;
}

/** pg2 before pg10: the order of the nodes is the order of results, and "the first node" is one that a person would call so. */
function byName(a: string, b: string): number {
  const split = (text: string): readonly string[] => text.split(/(\d+)/u);
  const [left, right] = [split(a), split(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [x = '', y = ''] = [left[index], right[index]];
    if (x === y) continue;
    const difference = index % 2 === 1 ? Number(x) - Number(y) : 0;
    return difference === 0 ? (x < y ? -1 : 1) : difference;
  }
  return left.length - right.length;
}

function isMap(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
