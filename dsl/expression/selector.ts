import type { Node, Pick } from '../model/node.ts';
import { SelectorError, parseSelector } from './parse-selector.ts';
import type { Selector, SelectorTerm } from './parse-selector.ts';
import { suggest } from './suggest.ts';

export { SelectorError, parseSelector } from './parse-selector.ts';
export type { Selector, SelectorTerm } from './parse-selector.ts';

/** What selectors refer to. */
export interface SelectorScope {
  /** In the order of the suite, which is the order of every result. */
  readonly nodes: readonly Node[];
  /** Saved selectors. */
  readonly groups: { readonly [name: string]: string };
  /** Answers of the roles, as node names. A selector that names another role is an error. */
  readonly roles?: { readonly [name: string]: readonly string[] };
}

/** Nodes that a selector means, in the order of `scope.nodes`, each once. May be empty. Throws a SelectorError for unknown names. */
export function selectNodes(selector: Selector | string, scope: SelectorScope): Node[] {
  const chosen = evaluate(parsed(selector), scope, []);
  return scope.nodes.filter((node) => chosen.has(node.name));
}

/** The largest set a selector can ever mean, whatever its roles answer: a role may be any nodes. Empty = it can never match. */
export function possibleNodes(
  selector: Selector | string,
  scope: Omit<SelectorScope, 'roles'> & { readonly roles: ReadonlySet<string> },
): Node[] {
  // A role that is subtracted may be nobody, elsewhere it may be everybody.
  const all = scope.nodes.map(({ name }) => name);
  const chosen = evaluate(
    parsed(selector),
    { nodes: scope.nodes, groups: scope.groups, roles: Object.fromEntries([...scope.roles].map((name) => [name, all])) },
    [],
    scope.roles,
  );
  return scope.nodes.filter((node) => chosen.has(node.name));
}

/** Checks a selector before the run: syntax, names, group cycles, and that it can match at all. */
export function checkSelector(
  selector: string,
  scope: Omit<SelectorScope, 'roles'> & { readonly roles: ReadonlySet<string> },
): { readonly message: string; readonly offset: number; readonly length: number; readonly hint?: string } | undefined {
  try {
    if (possibleNodes(selector, scope).length > 0) return undefined;
    return {
      message: `the selector "${selector.trim()}" can never match a node`,
      offset: 0,
      length: selector.length,
      hint: knownNames(scope, [...scope.roles]),
    };
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { message: error.reason, offset: error.offset, length: error.length, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
}

/** Names (of nodes, groups, roles, not labels) that a selector text uses, those inside groups too when `groups` is given. */
export function namesInSelector(selector: Selector | string, groups: { readonly [name: string]: string } = {}): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (current: Selector): void => {
    for (const { term } of current.terms) {
      if (term.kind !== 'name' && term.kind !== 'index') continue;
      if (names.has(term.name)) continue;
      names.add(term.name);
      const group = Object.hasOwn(groups, term.name) ? groups[term.name] : undefined;
      if (group !== undefined) visit(parseSelector(group));
    }
  };
  visit(parsed(selector));
  return names;
}

/**
 * `nodes: no match` message of a step, with what there is to choose from and, for roles that were asked, what they answered.
 * `roleNames`: all roles that exist; default those that were asked.
 */
export function noMatchMessage(selector: string, scope: SelectorScope, roleNames?: readonly string[]): string {
  const known = knownNames(scope, roleNames ?? Object.keys(scope.roles ?? {}));
  const asked = roleNames === undefined ? [] : Object.entries(scope.roles ?? {});
  const answers = asked.map(([role, names]) => `role ${role} = ${names.length === 0 ? 'no node' : names.join(', ')}`);
  return `no node matches "${selector}" (${[known, ...answers].join('; ')})`;
}

function parsed(selector: Selector | string): Selector {
  return typeof selector === 'string' ? parseSelector(selector) : selector;
}

function evaluate(selector: Selector, scope: SelectorScope, path: readonly string[], open?: ReadonlySet<string>): Set<string> {
  let chosen = new Set<string>();
  selector.terms.forEach(({ operator, term }, index) => {
    // `!x` at the start means all but x.
    if (index === 0 && operator === 'not') chosen = new Set(scope.nodes.map(({ name }) => name));
    // A set that hangs on a role is only an upper bound; nothing certain can be taken away by it.
    if (operator === 'not' && open !== undefined && hangsOnRole(term, scope, open)) {
      termNodes(term, selector, scope, path, open);
      return;
    }
    const nodes = termNodes(term, selector, scope, path, open);
    if (operator === 'or') for (const name of nodes) chosen.add(name);
    else if (operator === 'not') for (const name of nodes) chosen.delete(name);
    else chosen = new Set([...chosen].filter((name) => nodes.has(name)));
  });
  return chosen;
}

function hangsOnRole(term: SelectorTerm, scope: SelectorScope, roles: ReadonlySet<string>): boolean {
  if (term.kind !== 'name' && term.kind !== 'index') return false;
  return roles.has(term.name) || [...namesInSelector(term.name, scope.groups)].some((name) => roles.has(name));
}

function termNodes(
  term: SelectorTerm,
  selector: Selector,
  scope: SelectorScope,
  path: readonly string[],
  open?: ReadonlySet<string>,
): ReadonlySet<string> {
  switch (term.kind) {
    case 'all':
      return new Set(scope.nodes.map(({ name }) => name));
    case 'label':
      return labelled(term, selector, scope);
    case 'name': {
      const named = namedSet(term.name, scope, path, open);
      if (named !== undefined) return named;
      if (scope.nodes.some(({ name }) => name === term.name)) return new Set([term.name]);
      throw unknown(term.name, term, selector, scope);
    }
    case 'index': {
      const named = namedSet(term.name, scope, path, open);
      if (named !== undefined) {
        // A slice of a role is unknown before the run; any of its nodes may be in it.
        if (open !== undefined && hangsOnRole(term, scope, open)) return named;
        const ordered = scope.nodes.filter(({ name }) => named.has(name)).map(({ name }) => name);
        return new Set(ordered.slice(Number(term.from), term.to === undefined ? undefined : Number(term.to) + 1));
      }
      return rangeNodes(term, selector, scope);
    }
  }
}

/** Nodes of a group or role; `undefined` when the name is neither. */
function namedSet(
  name: string,
  scope: SelectorScope,
  path: readonly string[],
  open?: ReadonlySet<string>,
): ReadonlySet<string> | undefined {
  const role = scope.roles !== undefined && Object.hasOwn(scope.roles, name) ? scope.roles[name] : undefined;
  if (role !== undefined) return new Set(role);
  const group = Object.hasOwn(scope.groups, name) ? scope.groups[name] : undefined;
  if (group === undefined) return undefined;
  if (path.includes(name))
    throw new SelectorError(`groups refer to each other: ${[...path.slice(path.indexOf(name)), name].join(' → ')}`, group, 0, group.length);
  return evaluate(parseSelector(group), scope, [...path, name], open);
}

function labelled(term: SelectorTerm & { readonly kind: 'label' }, selector: Selector, scope: SelectorScope): ReadonlySet<string> {
  const found = scope.nodes.filter(({ labels }) => Object.hasOwn(labels, term.key) && labels[term.key] === term.value);
  if (found.length === 0) {
    const values = new Set(scope.nodes.flatMap(({ labels }) => Object.entries(labels).map(([key, value]) => `${key}=${value}`)));
    const near = suggest(`${term.key}=${term.value}`, values);
    throw new SelectorError(
      `no node has the label ${term.key}=${term.value}${near === undefined ? '' : `, did you mean ${near}?`}`,
      selector.text,
      term.offset,
      term.length,
      values.size === 0 ? 'no node has labels' : `known labels: ${[...values].sort().slice(0, 30).join(', ')}`,
    );
  }
  return new Set(found.map(({ name }) => name));
}

function rangeNodes(term: SelectorTerm & { readonly kind: 'index' }, selector: Selector, scope: SelectorScope): ReadonlySet<string> {
  if (term.to === undefined) {
    throw new SelectorError(
      `"${term.name}" is neither a group nor a role, so "${term.name}[${term.from}:]" needs an end`,
      selector.text,
      term.offset,
      term.length,
      knownNames(scope),
    );
  }
  const known = new Set(scope.nodes.map(({ name }) => name));
  const names = expandRange(term.name, term.from, term.to);
  for (const name of names) if (!known.has(name)) throw unknown(name, term, selector, scope);
  return new Set(names);
}

/** `pg[1:3]` → pg1, pg2, pg3; the width of the first number is kept: `pg[01:10]` → pg01 … pg10. Both ends included. */
export function expandRange(prefix: string, from: string, to: string): readonly string[] {
  const names: string[] = [];
  for (let number = Number(from); number <= Number(to); number++) names.push(prefix + String(number).padStart(from.length, '0'));
  return names;
}

function unknown(name: string, term: SelectorTerm, selector: Selector, scope: SelectorScope): SelectorError {
  const known = [...scope.nodes.map((node) => node.name), ...Object.keys(scope.groups), ...Object.keys(scope.roles ?? {})];
  const near = suggest(name, known);
  return new SelectorError(
    `no node, group or role is named "${name}"${near === undefined ? '' : `, did you mean "${near}"?`}`,
    selector.text,
    term.offset,
    term.length,
    knownNames(scope),
  );
}

function knownNames(
  scope: SelectorScope | Omit<SelectorScope, 'roles'>,
  roles: readonly string[] = Object.keys('roles' in scope ? (scope.roles ?? {}) : {}),
): string {
  const list = (label: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`${label}: ${names.slice(0, 30).join(', ')}${names.length > 30 ? `, … (${names.length})` : ''}`];
  return [
    ...list(
      'nodes',
      scope.nodes.map(({ name }) => name),
    ),
    ...list('groups', Object.keys(scope.groups)),
    ...list('roles', roles),
  ].join('; ');
}

/**
 * Takes the nodes that `pick` says, in their given order. `draw(count, part)` gives an index below `count` for a named choice, e.g.
 * `(count, part) => drawIndex(seed, count, testcase, step, part)`. `first` and `one` take the first (for `one` the caller leaves out unreachable nodes),
 * `minority` is the largest minority but at least one node, `majority` the smallest; these, `random` and a number are drawn.
 * Throws a SelectorError when a number asks for more nodes than there are.
 */
export function pickNodes(nodes: readonly Node[], pick: Pick, draw: (count: number, part: string) => number): Node[] {
  if (nodes.length === 0 || pick === 'all') return [...nodes];
  if (pick === 'first' || pick === 'one') return nodes.slice(0, 1);
  if (pick === 'random') return drawSome(nodes, 1, draw);
  if (pick === 'minority') return drawSome(nodes, Math.max(1, Math.floor((nodes.length - 1) / 2)), draw);
  if (pick === 'majority') return drawSome(nodes, Math.floor(nodes.length / 2) + 1, draw);
  if (pick > nodes.length)
    throw new SelectorError(
      `pick: ${pick} of only ${nodes.length} node${nodes.length === 1 ? '' : 's'}`,
      nodes.map(({ name }) => name).join(', '),
      0,
      1,
    );
  return drawSome(nodes, pick, draw);
}

/** The first `count` steps of a Fisher–Yates shuffle, back in the given order. */
function drawSome(nodes: readonly Node[], count: number, draw: (count: number, part: string) => number): Node[] {
  const order = nodes.map((_, index) => index);
  for (let index = 0; index < count; index++) {
    const other = index + draw(order.length - index, `pick/${index}`);
    [order[index], order[other]] = [order[other] as number, order[index] as number];
  }
  const taken = new Set(order.slice(0, count));
  return nodes.filter((_, index) => taken.has(index));
}
