import { analyseExpression } from '../expression/analyse.ts';
import { bareExpression } from '../expression/cel.ts';
import { hasMarks, namesInTemplate, parseTemplate } from '../expression/marks.ts';
import { namesInSelector } from '../expression/selector.ts';
import type { CommandSpec, PlanContext } from '../model/plan.ts';
import type { EnvTemplates, RoleDefinition } from '../model/suite.ts';
import type { Value } from '../model/value.ts';
import { commandSpec, NO_HOOKS, NO_RETRY } from './command-spec.ts';
import type { SpecSource } from './command-spec.ts';

/** What finding roles in texts needs to know. */
export interface RoleNames {
  readonly groups: PlanContext['groups'];
  /** Names of the roles of the suite. */
  readonly roles: readonly string[];
}

/** Limit of one question of a role without its own `timeout`: a node that hangs must not hide the answers of the others. */
const QUESTION_LIMIT_MS = 10_000;

/** Names that a question may read: a role is asked for every testcase alike. */
const QUESTION_NAMES: ReadonlySet<string> = new Set(['env', 'node', 'nodes', 'peers', 'run', 'params', 'secrets']);

/**
 * Roles that any text in the given values reads, in the order of the suite: marks, `expr` and `outputs` (bare expressions), and selectors under
 * the key `nodes`, groups followed. Roles that those roles' own `nodes` name are not among them, see {@link rolesInOrder}.
 */
export function rolesIn(values: readonly unknown[], names: RoleNames): readonly string[] {
  if (names.roles.length === 0) return [];
  const found = new Set<string>();
  const open: [key: string, value: unknown][] = values.map((value) => ['', value]);
  for (let next = open.pop(); next; next = open.pop()) {
    const [key, value] = next;
    if (typeof value === 'string') addText(key, value, names, found);
    else if (Array.isArray(value)) for (const item of value) open.push([key, item]);
    else if (typeof value === 'object' && value !== null) {
      // Names of outputs are free: their values are expressions whatever they are called.
      for (const [inner, item] of Object.entries(value)) open.push([key === 'outputs' ? key : inner, item]);
    }
  }
  return names.roles.filter((role) => found.has(role));
}

/** Roles that one bare expression reads. */
export function rolesInExpression(expression: string | undefined, names: RoleNames): readonly string[] {
  return expression === undefined ? [] : rolesIn([{ expr: expression }], names);
}

function addText(key: string, text: string, names: RoleNames, found: Set<string>): void {
  if (key === 'expr' || key === 'outputs') addExpression(bareExpression(text), names, found);
  else if (hasMarks(text)) {
    for (const part of parseTemplate(text)) if (part.kind === 'mark') addExpression(part.expression, names, found);
  } else if (key === 'nodes') for (const name of rolesInSelector(text, names)) found.add(name);
}

function addExpression(expression: string, names: RoleNames, found: Set<string>): void {
  const analysis = analyseExpression(expression);
  for (const role of analysis.anyRole ? names.roles : analysis.roles) found.add(role);
}

/** Roles that a selector text names, those inside groups too. Throws a SelectorError when it cannot be read. */
export function rolesInSelector(selector: string, names: RoleNames): readonly string[] {
  const used = namesInSelector(selector, names.groups);
  return names.roles.filter((role) => used.has(role));
}

/** The given roles and those that their selectors name, each after the ones it needs. A circle (refused before the run) is cut. */
export function rolesInOrder(
  wanted: readonly string[],
  definitions: { readonly [role: string]: RoleDefinition },
  names: RoleNames,
): readonly string[] {
  const order = new Set<string>();
  const path = new Set<string>();
  const visit = (role: string): void => {
    const definition = Object.hasOwn(definitions, role) ? definitions[role] : undefined;
    if (!definition || order.has(role) || path.has(role)) return;
    path.add(role);
    for (const inner of rolesOfRole(definition, names)) visit(inner);
    path.delete(role);
    order.add(role);
  };
  for (const role of wanted) visit(role);
  return [...order];
}

/** Roles that a role's own `nodes` names. */
export function rolesOfRole(role: Pick<RoleDefinition, 'nodes'>, names: RoleNames): readonly string[] {
  return role.nodes === undefined || hasMarks(role.nodes) ? [] : rolesInSelector(role.nodes, names);
}

/**
 * The question of a role as a command: judged by its `match`, on all nodes of its `nodes` (default all). Variables of the context that a question
 * cannot know (they read another role, a step, …) are left out.
 */
export function roleSpec(source: SpecSource, role: RoleDefinition): CommandSpec {
  const { match, expect: _expect, withinMs, name, location, ...invocation } = role;
  const spec = commandSpec(source, {
    ...invocation,
    name,
    inputs: {},
    outputs: {},
    expect: match,
    retry: NO_RETRY,
    hooks: NO_HOOKS,
    location,
  });
  return {
    ...spec,
    title: `role ${name}`,
    nodes: role.nodes ?? 'all',
    env: Object.fromEntries(
      Object.entries(spec.env).filter(([key, value]) => Object.hasOwn(role.env ?? {}, key) || isKnown(value, spec.env)),
    ),
    timeoutMs: Math.min(role.timeoutMs ?? QUESTION_LIMIT_MS, Math.max(withinMs, 1_000)),
  };
}

function isKnown(template: Value, env: EnvTemplates, depth = 0): boolean {
  if (typeof template !== 'string' || !hasMarks(template)) return true;
  for (const name of namesInTemplate(template)) if (!QUESTION_NAMES.has(name)) return false;
  if (!namesInTemplate(template).has('env')) return true;
  // A variable made of others is known when they all are.
  return (
    depth < 5 &&
    Object.entries(env).every(([name, value]) => !template.includes(name) || value === template || isKnown(value, env, depth + 1))
  );
}

/** True when `matching` of `total` nodes is what the role's `expect` wants. */
export function roleHolds(expect: RoleDefinition['expect'], matching: number, total: number): boolean {
  if (expect === 'one') return matching === 1;
  if (expect === 'any') return matching >= 1;
  if (expect === 'all') return matching === total;
  return matching === expect;
}

/** `exactly one node`, `at least one node`, `all 3 nodes`, `exactly 2 nodes`. */
export function roleExpectText(expect: RoleDefinition['expect'], total: number): string {
  if (expect === 'one' || expect === 1) return 'exactly one node';
  if (expect === 'any') return 'at least one node';
  if (expect === 'all') return `all ${total} node${total === 1 ? '' : 's'}`;
  return expect === 0 ? 'no node' : `exactly ${expect} nodes`;
}
