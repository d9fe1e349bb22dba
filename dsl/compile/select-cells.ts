import type { Cell, PlannedTestcase } from '../model/plan.ts';
import { parseSelection } from './selection-expression.ts';
import type { SelectionTest } from './selection-expression.ts';

/** Which cells of the suite are in the plan; every given part must hold. */
export interface Selection {
  /** `-k`: `and or not ( )` over substrings of the id, letters of either case. */
  readonly keyword?: string;
  /** `-m`: the same over whole tags. */
  readonly tags?: string;
  /** `--cell k=v`: cells whose param reads `v`. */
  readonly cells?: { readonly [param: string]: string };
  /** `--lf`: ids that ended badly last time. */
  readonly ids?: readonly string[];
  /** `--shard i/n`: the i-th of n parts, from 1; taken last, so that the parts are even. */
  readonly shard?: { readonly index: number; readonly count: number };
}

/** A mistake in the selection is the caller's, not the suite's: it has no place in the text. */
export interface SelectionError {
  readonly option: string;
  readonly message: string;
  /** 1-based place in the option's value. */
  readonly column: number;
}

/** Values shown of a param that does not have the one asked for. */
const MAX_KNOWN = 12;

/** Cells that are selected, in written order; or what is wrong with the selection. */
export function selectCells(
  cells: readonly Cell[],
  testcases: ReadonlyMap<string, PlannedTestcase>,
  selection: Selection,
): { readonly cells: readonly Cell[] } | { readonly error: SelectionError } {
  const keyword = compiled('-k', selection.keyword);
  if (keyword && 'error' in keyword) return keyword;
  const tags = compiled('-m', selection.tags);
  if (tags && 'error' in tags) return tags;
  const { shard } = selection;
  if (shard && !(Number.isInteger(shard.index) && Number.isInteger(shard.count) && shard.index >= 1 && shard.index <= shard.count)) {
    return { error: { option: '--shard', message: `${shard.index}/${shard.count} is no part: write i/n with 1 ≤ i ≤ n`, column: 1 } };
  }
  for (const name of Object.keys(selection.cells ?? {})) {
    if (cells.length > 0 && !cells.some((cell) => Object.hasOwn(cell.params, name))) {
      return { error: { option: '--cell', message: `no testcase has a param "${name}"`, column: 1 } };
    }
  }
  for (const [name, wanted] of Object.entries(selection.cells ?? {})) {
    const known = [...new Set(cells.filter((cell) => Object.hasOwn(cell.params, name)).map((cell) => text(cell.params[name])))];
    if (known.length > 0 && !known.includes(wanted)) {
      const shown = known.slice(0, MAX_KNOWN).map((value) => JSON.stringify(value));
      const more = known.length > MAX_KNOWN ? `, … (${known.length})` : '';
      const message = `no testcase has ${name}=${JSON.stringify(wanted)}; the values of ${name} are ${shown.join(', ')}${more}`;
      return { error: { option: '--cell', message, column: 1 } };
    }
  }
  const ids = selection.ids && new Set(selection.ids);
  let selected = cells.filter((cell) => {
    if (ids && !ids.has(cell.id)) return false;
    if (keyword) {
      const id = cell.id.toLowerCase();
      if (!keyword.test((term) => id.includes(term.toLowerCase()))) return false;
    }
    if (tags) {
      const own = testcases.get(cell.testcase)?.tags ?? [];
      if (!tags.test((term) => own.includes(term))) return false;
    }
    return Object.entries(selection.cells ?? {}).every(
      ([name, wanted]) => Object.hasOwn(cell.params, name) && text(cell.params[name]) === wanted,
    );
  });
  if (shard) selected = selected.filter((_, index) => index % shard.count === shard.index - 1);
  return { cells: selected };
}

function compiled(
  option: string,
  expression: string | undefined,
): { readonly test: SelectionTest } | { readonly error: SelectionError } | undefined {
  if (expression === undefined) return undefined;
  const parsed = parseSelection(expression);
  if (typeof parsed === 'function') return { test: parsed };
  return { error: { option, message: `${JSON.stringify(expression)}: ${parsed.message}`, column: parsed.offset + 1 } };
}

function text(value: Cell['params'][string] | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
