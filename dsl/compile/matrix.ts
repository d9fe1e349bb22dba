import { hash53 } from '../expand/slug.ts';
import type { Location } from '../model/location.ts';
import type { Cell } from '../model/plan.ts';
import type { ParamsDefinition } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { unknownName } from './reporter.ts';
import type { Reporter } from './reporter.ts';

/** More cells of one testcase than this are a mistake in the matrix. */
const MAX_CELLS = 100_000;

export interface Axis {
  readonly name: string;
  readonly values: readonly Value[];
}

/** Params of one testcase: the context's, overlaid by its own, overlaid by `--param`. */
export interface MergedParams {
  /** In written order. */
  readonly axes: readonly Axis[];
  readonly constants: ValueMap;
  readonly include: readonly ValueMap[];
  readonly exclude: readonly ValueMap[];
  /** Axes that a stronger level turned into constants: rows still name them. */
  readonly fixed: ReadonlySet<string>;
}

/** A scalar turns an axis into a constant, a list makes an axis, `include` and `exclude` replace (suite-language §7). */
export function mergeParams(context: ParamsDefinition, testcase: ParamsDefinition | undefined, overrides: ValueMap): MergedParams {
  const axes = new Map(context.axes.map((axis) => [axis.name, axis.values]));
  const constants: { [name: string]: Value } = { ...context.constants };
  const fixed = new Set<string>();
  const fix = (name: string, value: Value): void => {
    if (axes.delete(name)) fixed.add(name);
    constants[name] = value;
  };
  for (const [name, value] of Object.entries(testcase?.constants ?? {})) fix(name, value);
  for (const axis of testcase?.axes ?? []) {
    delete constants[axis.name];
    axes.set(axis.name, axis.values);
  }
  for (const [name, value] of Object.entries(overrides)) {
    // Known here, or the value would appear in testcases that never had such a param.
    if (axes.has(name) || Object.hasOwn(constants, name)) fix(name, value);
  }
  return {
    axes: [...axes].map(([name, values]) => ({ name, values })),
    constants,
    include: testcase?.include ?? context.include ?? [],
    exclude: testcase?.exclude ?? context.exclude ?? [],
    fixed,
  };
}

/** Names that `params.x` may use in at least one cell. */
export function paramNames(params: MergedParams): ReadonlySet<string> {
  return new Set([
    ...params.axes.map((axis) => axis.name),
    ...Object.keys(params.constants),
    ...params.include.flatMap((row) => Object.keys(row)),
  ]);
}

/** A cell while it is built: values of the axes, and what include rows add. */
interface Draft {
  readonly axes: ValueMap;
  added: ValueMap;
}

/** The cells of one testcase in written order. Mistakes in the rows are reported at `location`. */
export function matrixCells(testcase: string, params: MergedParams, reporter: Reporter, location: Location): readonly Cell[] {
  const { axes } = params;
  if (axes.length === 0 && params.include.length === 0 && params.exclude.length === 0) {
    return [{ id: testcase, testcase, params: params.constants }];
  }
  for (const axis of axes) {
    if (axis.values.length === 0)
      reporter.error('SUITE_MATRIX', location, `testcase "${testcase}": params.${axis.name} is an empty list, so there is no cell`);
  }
  const size = axes.reduce((product, axis) => product * axis.values.length, 1);
  if (size > MAX_CELLS) {
    reporter.error(
      'SUITE_TOO_LARGE',
      location,
      `testcase "${testcase}" would have ${size.toLocaleString('en')} cells; at most ${MAX_CELLS.toLocaleString('en')} are allowed`,
    );
    return [];
  }
  const owner = `testcase "${testcase}"`;
  let drafts = product(axes);
  for (const row of params.exclude) drafts = exclude(drafts, row, params, reporter, location, owner);
  for (const row of params.include) include(drafts, row, params, reporter, location, owner);

  const cells: Cell[] = [];
  const seen = new Set<string>();
  for (const draft of drafts) {
    const id = cellId(testcase, axes, draft.axes);
    if (seen.has(id))
      reporter.error('SUITE_MATRIX', location, `${owner}: two cells have the id ${id}`, {
        hint: 'two values of an axis read the same; make them differ',
      });
    seen.add(id);
    cells.push({ id, testcase, params: { ...params.constants, ...draft.axes, ...draft.added }, axes: axes.map((axis) => axis.name) });
  }
  return cells;
}

function product(axes: readonly Axis[]): Draft[] {
  let rows: ValueMap[] = [{}];
  for (const axis of axes) rows = rows.flatMap((row) => axis.values.map((value) => ({ ...row, [axis.name]: value })));
  return rows.map((row) => ({ axes: row, added: {} }));
}

/** Takes away the cells that agree with every key of the row; a list in a row means any of its values. */
function exclude(drafts: Draft[], row: ValueMap, params: MergedParams, reporter: Reporter, location: Location, owner: string): Draft[] {
  const names = new Set(params.axes.map((axis) => axis.name));
  for (const key of Object.keys(row)) {
    if (names.has(key) || Object.hasOwn(params.constants, key)) continue;
    const { message, hint } = unknownName('axis', key, names);
    reporter.error('SUITE_MATRIX', location, `${owner}: params.exclude: ${message}`, hint === undefined ? {} : { hint });
    return drafts;
  }
  const agrees = (draft: Draft): boolean =>
    Object.entries(row).every(([key, wanted]) => {
      const value = (names.has(key) ? draft.axes : params.constants)[key] as Value;
      return (Array.isArray(wanted) && !Array.isArray(value) ? (wanted as readonly Value[]) : [wanted]).some((each) =>
        sameValue(each, value),
      );
    });
  return drafts.filter((draft) => !agrees(draft));
}

/** Adds keys to the cells that agree on the axes it names, or becomes a cell of its own. */
function include(drafts: Draft[], written: ValueMap, params: MergedParams, reporter: Reporter, location: Location, owner: string): void {
  const row: { [name: string]: Value } = {};
  for (const [key, value] of Object.entries(written)) {
    if (params.fixed.has(key)) {
      // A stronger level fixed this axis: rows about its other values are not about this matrix any more.
      if (!sameValue(value, params.constants[key] as Value)) return;
    } else row[key] = value;
  }
  const named = params.axes.filter((axis) => Object.hasOwn(row, axis.name)).map((axis) => axis.name);
  if (named.length === 0) {
    if (Object.keys(written).some((key) => params.fixed.has(key))) {
      for (const draft of drafts) draft.added = { ...draft.added, ...row };
      return;
    }
    const [key] = Object.keys(row);
    if (key === undefined) return;
    const names = params.axes.map((axis) => axis.name);
    const { message, hint } = unknownName('axis', key, names);
    reporter.error('SUITE_MATRIX', location, `${owner}: params.include: a row must name an axis: ${message}`, {
      hint: hint ?? `there are no axes; write one as a list: ${key}: [${JSON.stringify(row[key])}, …]`,
    });
    return;
  }
  const agreeing = drafts.filter((draft) => named.every((name) => sameValue(draft.axes[name] as Value, row[name] as Value)));
  const rest = Object.fromEntries(Object.entries(row).filter(([key]) => !named.includes(key)));
  if (agreeing.length > 0) {
    for (const draft of agreeing) draft.added = { ...draft.added, ...rest };
  } else if (named.length === params.axes.length) {
    drafts.push({ axes: Object.fromEntries(params.axes.map((axis) => [axis.name, row[axis.name] as Value])), added: rest });
  } else {
    reporter.warning(
      'SUITE_NO_EFFECT',
      location,
      `${owner}: params.include: the row ${JSON.stringify(written)} agrees with no cell and does not name every axis, so it has no effect`,
    );
  }
}

export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  const [left, right] = [a as ValueMap, b as ValueMap];
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameValue(left[key] as Value, right[key] as Value))
  );
}

/** `name[v1-v2]` with the values of the axes in order. */
export function cellId(testcase: string, axes: readonly Axis[], values: ValueMap): string {
  if (axes.length === 0) return testcase;
  return `${testcase}[${axes.map((axis) => valueText(values[axis.name] as Value)).join('-')}]`;
}

const PLAIN = /^[\p{L}\p{N}._+@%=:,-]{1,40}$/u;
const READABLE = 24;

/**
 * A value as part of an id. A short plain scalar stands as it is; anything else becomes its readable characters and a hash of the whole
 * value, so that the id is stable, safe in a terminal and a file name, and differs whenever the value does.
 */
export function valueText(value: Value): string {
  const text = typeof value === 'string' ? value : value === null || typeof value !== 'object' ? String(value) : JSON.stringify(value);
  if (PLAIN.test(text)) return text;
  const source = typeof value === 'object' && value !== null && !Array.isArray(value) ? nameOf(value as ValueMap) : undefined;
  const cleaned = (source ?? text).replaceAll(/[^\p{L}\p{N}.+@%=,-]+/gu, '_').replaceAll(/^_+|_+$/g, '');
  return `${Array.from(cleaned).slice(0, READABLE).join('')}~${hash53(text).slice(-8)}`;
}

/** Maps often carry a name for exactly this purpose. */
function nameOf(value: ValueMap): string | undefined {
  const name = value['name'] ?? value['id'];
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** `--param K=V`: a value as YAML reads a plain scalar: numbers, true, false, null, else text. */
export function scalarOf(text: string): Value {
  if (text === 'true' || text === 'True' || text === 'TRUE') return true;
  if (text === 'false' || text === 'False' || text === 'FALSE') return false;
  if (text === 'null' || text === 'Null' || text === 'NULL' || text === '~' || text === '') return text === '' ? '' : null;
  if (/^[-+]?\d+$/.test(text)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  if (/^0x[0-9a-fA-F]+$|^0o[0-7]+$/.test(text)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text) && Number.isFinite(Number(text))) return Number(text);
  if (/^"(?:[^"\\]|\\.)*"$/.test(text)) return unquote(text);
  return /^'(?:[^']|'')*'$/.test(text) ? text.slice(1, -1).replaceAll("''", "'") : text;
}

function unquote(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    // Not an escape that JSON knows: then the quotes are part of the text.
    return text;
  }
}
