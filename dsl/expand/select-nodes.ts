import type { Scope } from '../expression/cel.ts';
import { drawIndex } from '../expression/random.ts';
import { hasMarks, namesInTemplate, renderTemplate, renderValue } from '../expression/marks.ts';
import { noMatchMessage, pickNodes, selectNodes } from '../expression/selector.ts';
import type { SelectorScope } from '../expression/selector.ts';
import type { Node, Pick } from '../model/node.ts';
import type { PlanContext } from '../model/plan.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { ExpandError } from './expand-error.ts';

export interface SelectionOptions {
  readonly scope: Scope;
  readonly pick?: Pick;
  /** Root of the draw and what tells this draw from others: iteration, testcase id, attempt, step id. */
  readonly seed: number;
  readonly draw: readonly string[];
  /** Answers of the roles that were asked for this selector, as node names. A selector that names another role is an error. */
  readonly roles?: { readonly [role: string]: readonly string[] };
  /** All roles of the suite, for messages. */
  readonly roleNames?: readonly string[];
}

/**
 * Nodes that a command, chaos or verify runs on, in the order of `context.nodes`. Without a selector: the first node.
 * A selector that is one whole mark may yield a node, a node's name, a selector text or a list of those.
 * Throws SelectorError or ExpressionError; ExpandError `NO_NODE` (nothing matches) or `NOT_A_NODE`, both naming what is known.
 */
export function resolveNodes(selector: string | undefined, context: PlanContext, options: SelectionOptions): readonly Node[] {
  if (selector === undefined) return [context.nodes[0] as Node];
  const world: SelectorScope = {
    nodes: context.nodes,
    groups: context.groups,
    ...(options.roles !== undefined && { roles: options.roles }),
  };
  const found = hasMarks(selector) ? fromValue(renderTemplate(selector, options.scope), world, selector) : selectNodes(selector, world);
  if (found.length === 0) throw new ExpandError('NO_NODE', noMatchMessage(selector, world, options.roleNames));
  return pickNodes(found, options.pick ?? 'all', (count, part) => drawIndex(options.seed, count, ...options.draw, part));
}

/**
 * Nodes of a command or of the inject of a chaos. As resolveNodes; the selector may also name the command's inputs, of which only the named
 * ones are rendered here, because others may need the node.
 */
export function resolveSpecNodes(
  spec: { readonly nodes?: string; readonly pick: Pick; readonly inputs: ValueMap },
  context: PlanContext,
  options: Omit<SelectionOptions, 'pick'>,
): readonly Node[] {
  return resolveNodes(spec.nodes, context, { ...options, pick: spec.pick, scope: selectorScope(spec, options.scope) });
}

/** Selector texts that a selector with marks yields; empty for one without marks, or one that yields nodes. Throws an ExpressionError. */
export function selectorTextsIn(spec: { readonly nodes?: string; readonly inputs: ValueMap }, scope: Scope): readonly string[] {
  const { nodes } = spec;
  if (nodes === undefined || !hasMarks(nodes)) return [];
  const value = renderTemplate(nodes, selectorScope(spec, scope));
  return (Array.isArray(value) ? (value as readonly Value[]) : [value]).filter((item): item is string => typeof item === 'string');
}

/** The scope with the inputs that the selector names. */
function selectorScope(spec: { readonly nodes?: string; readonly inputs: ValueMap }, scope: Scope): Scope {
  const { nodes } = spec;
  if (nodes === undefined || !hasMarks(nodes) || !namesInTemplate(nodes).has('inputs')) return scope;
  const inputs: { [name: string]: Value } = {};
  for (const [name, value] of Object.entries(spec.inputs)) if (nodes.includes(name)) inputs[name] = renderValue(value, scope);
  return { ...scope, values: { ...scope.values, inputs } };
}

function fromValue(value: Value, world: SelectorScope, selector: string): readonly Node[] {
  if (typeof value === 'string') return selectNodes(value, world);
  const wanted = new Set<string>();
  for (const item of Array.isArray(value) ? (value as readonly Value[]) : [value]) {
    if (typeof item === 'string') for (const node of selectNodes(item, world)) wanted.add(node.name);
    else wanted.add(nameOf(item, selector));
  }
  return world.nodes.filter((node) => wanted.has(node.name));
}

function nameOf(value: Value, selector: string): string {
  const name = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { readonly name?: Value }).name : undefined;
  if (typeof name !== 'string') throw new ExpandError('NOT_A_NODE', `nodes: ${selector} must yield a node or a list of nodes`);
  return name;
}
