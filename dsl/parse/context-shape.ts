import type { NodeDefinition, ParamsDefinition, SuiteContext } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import type { MapNode, SeqNode, YamlNode } from './yaml-node.ts';
import { keyPlace, locate, problem } from './context.ts';
import { field, fieldTo, object, required } from './object-shape.ts';
import { placeFields, retry } from './run-shape.ts';
import {
  anyMap,
  bool,
  env,
  int,
  isName,
  name,
  nameProblem,
  namedMap,
  outputText,
  plainText,
  positiveDuration,
  selector,
} from './scalar-shapes.ts';
import { byKind, lazy, mapOf, oneOf, placeOf, quote, toValue, toValueMap, wrongType } from './shape.ts';

/** Most nodes one range may name. */
const MAX_RANGE = 1000;

const RANGE = /^([^[\]:]*)\[(\d+):(\d+)\]([^[\]:]*)$/u;

/** `pg[1:3]` → pg1, pg2, pg3; `[01:10]` keeps the zeros. A string is what is wrong with it. */
export function expandRange(text: string): readonly string[] | string {
  const match = RANGE.exec(text);
  if (!match) return `${quote(text)} is not a range; a range of nodes is written pg[1:3]`;
  const [, before = '', low = '', high = '', after = ''] = match;
  const first = Number(low);
  const last = Number(high);
  if (last < first) return `the range ${quote(text)} runs backwards`;
  if (last - first >= MAX_RANGE) return `the range ${quote(text)} names more than ${MAX_RANGE} nodes`;
  const width = low.startsWith('0') ? low.length : 0;
  return Array.from({ length: last - first + 1 }, (_, index) => `${before}${String(first + index).padStart(width, '0')}${after}`);
}

const NODE_FORM = 'a name, a range "pg[1:3]", or a map that describes a node';

const bareNode: Shape<NodeDefinition[]> = {
  form: NODE_FORM,
  spec: { type: 'text' },
  decode(node, context, label) {
    if (node.kind !== 'scalar' || typeof node.value !== 'string') return wrongType(node, context, label, NODE_FORM);
    const text = node.value;
    const names = text.includes('[') ? expandRange(text) : [text];
    const wrong = typeof names === 'string' ? names : names.map(nameProblem).find((found) => found !== undefined);
    if (wrong === undefined && typeof names !== 'string')
      return names.map((nodeName) => ({ name: nodeName, location: locate(context, node.start) }));
    const short = text.split('.', 1)[0] ?? '';
    const isHost = text.includes('.') && isName(short);
    const hint = isHost ? `a host name with dots is written { name: ${short}, host: ${quote(text).slice(1, -1)} }` : undefined;
    problem(context, text.includes('${{') ? 'SUITE_MARK_NOT_ALLOWED' : 'SUITE_BAD_NAME', wrong ?? '', placeOf(node), hint);
    return undefined;
  },
};

const nodeMap: Shape<NodeDefinition[]> = object({
  what: 'a node',
  fields: {
    name: required(name, 'Name of the node in the suite.'),
    host: field(plainText, 'Address; container or pod for docker and kubectl; default the name.'),
    port: field(int(1, 65_535), 'Port of ssh.'),
    user: field(plainText, 'User that logs in.'),
    labels: field(
      mapOf(outputText, () => undefined, 'a map from labels to texts'),
      'For selectors: role=db.',
    ),
    connection: field(
      oneOf(['local', 'ssh', 'docker', 'kubectl']),
      'How the node is reached; default ssh, local for the node named local.',
    ),
    vars: field(anyMap, 'Values of this node: node.vars.NAME.'),
    connect_within: fieldTo('connectWithinMs', positiveDuration, 'A node not reached within that makes the step broken; default 30s.'),
  },
  build: (decoded, node, context): NodeDefinition[] => [{ ...decoded, location: locate(context, node.start) }],
});

const nodeEntry = byKind(NODE_FORM, { scalar: bareNode, map: nodeMap });

const nodes: Shape<NodeDefinition[]> = {
  form: 'a list of nodes',
  spec: { type: 'list', of: nodeEntry.spec },
  decode(node, context, label) {
    if (node.kind !== 'seq') return wrongType(node, context, label, 'a list of nodes');
    if (node.items.length === 0) return emptyList(node, context, '"nodes" is empty; leave it out to run on this machine (local)');
    const found = node.items.map((item) => nodeEntry.decode(item, context, 'an entry of "nodes"'));
    return found.includes(undefined) ? undefined : found.flatMap((list) => list ?? []);
  },
};

function emptyList(node: SeqNode, context: Context, message: string): undefined {
  problem(context, 'SUITE_WRONG_TYPE', message, node);
  return undefined;
}

const PARAMS_FORM = 'a map: a list is an axis, any other value a constant, include and exclude are lists of rows';

/** Axes, constants and rows of a matrix. */
export const params: Shape<ParamsDefinition> = {
  form: PARAMS_FORM,
  spec: {
    type: 'object',
    open: true,
    fields: {
      include: { spec: rowsSpec(), doc: 'Rows that add keys to cells, or new cells.', required: false },
      exclude: { spec: rowsSpec(), doc: 'Rows that take cells away; values may be lists.', required: false },
    },
  },
  decode(node, context, label) {
    if (node.kind !== 'map') return wrongType(node, context, label, PARAMS_FORM);
    const axes: { name: string; values: readonly Value[] }[] = [];
    const constants: { [name: string]: Value } = {};
    const rows: { include?: ValueMap[]; exclude?: ValueMap[] } = {};
    let isGood = true;
    node.keys.forEach((key, index) => {
      const value = node.values[index] as YamlNode;
      if (key === 'include' || key === 'exclude') {
        const found = decodeRows(value, context, `"${key}"`);
        if (found) rows[key] = found;
        else isGood = false;
        return;
      }
      const wrong = nameProblem(key);
      if (wrong !== undefined) {
        problem(context, 'SUITE_BAD_NAME', wrong, keyPlace(context, node.keyStarts[index] as number, key));
        isGood = false;
      } else if (value.kind === 'seq') {
        if (value.items.length === 0) isGood = emptyList(value, context, `the axis "${key}" has no values`) ?? false;
        else axes.push({ name: key, values: value.items.map(toValue) });
      } else {
        constants[key] = toValue(value);
      }
    });
    return isGood ? { axes, constants, ...rows, location: locate(context, node.start) } : undefined;
  },
};

function rowsSpec() {
  return { type: 'list', of: { type: 'map', of: { type: 'any' } } } as const;
}

function decodeRows(node: YamlNode, context: Context, label: string): ValueMap[] | undefined {
  if (node.kind !== 'seq') return wrongType(node, context, label, 'a list of rows (maps)');
  const maps = node.items.filter((item): item is MapNode => item.kind === 'map');
  const other = node.items.find((item) => item.kind !== 'map');
  return other ? wrongType(other, context, `a row of ${label}`, 'a map') : maps.map(toValueMap);
}

/** `all` means every node in a selector. */
function groupNameProblem(key: string): string | undefined {
  return key === 'all' ? '"all" means every node and cannot name anything' : nameProblem(key);
}

export const groups = mapOf(selector, groupNameProblem, 'a map from names to selectors');
export { groupNameProblem };

const defaults = object({
  what: 'defaults',
  fields: {
    timeout: fieldTo('timeoutMs', positiveDuration, 'Limit of one try; default 1m.'),
    retry: field(retry, 'Further tries.'),
    shell: placeFields.shell,
    user: placeFields.user,
    sudo: field(bool, 'Run through sudo.'),
    cwd: placeFields.cwd,
  },
  build: (decoded): SuiteContext['defaults'] => decoded,
});

export const suiteContext: Shape<SuiteContext> = object({
  what: 'context',
  fields: {
    nodes: field(nodes, 'The machines; default this one, local.'),
    ssh: field(
      object({
        what: 'ssh',
        fields: {
          config: field(plainText, "Path of an ssh config; default the user's."),
          known_hosts: field(plainText, 'Path of the known hosts.'),
        },
        build: (decoded): NonNullable<SuiteContext['ssh']> => decoded,
      }),
      'Files of ssh.',
    ),
    inventory: field(plainText, 'JSON of ansible-inventory --list, or a program that prints it.'),
    groups: field(groups, 'Saved selectors.'),
    env: field(env, 'Environment of every command.'),
    params: field(
      lazy('params', PARAMS_FORM, () => params),
      'Matrix: lists are axes, other values constants.',
    ),
    cluster: field(plainText, 'Identity of the cluster for locks; default from the addresses of the nodes.'),
    faults: field(
      object({
        what: 'faults',
        fields: {
          nodes: field(selector, 'Where faults are allowed; default all.'),
          max_nodes: field(int(1), 'Nodes faulted at once; default the largest minority.'),
        },
        build: (decoded): NonNullable<SuiteContext['faults']> => decoded,
      }),
      'Limits for faults.',
    ),
    defaults: field(defaults, 'What a command without its own value gets.'),
  },
  build: (decoded): SuiteContext => ({ groups: {}, env: {}, params: NO_PARAMS, defaults: {}, ...decoded }),
});

export const NO_PARAMS: ParamsDefinition = { axes: [], constants: {} };
export const EMPTY_CONTEXT: SuiteContext = { groups: {}, env: {}, params: NO_PARAMS, defaults: {} };

/** Name → selector, for `bind`. */
export const bind = namedMap(selector);
