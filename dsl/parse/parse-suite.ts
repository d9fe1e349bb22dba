import type { Diagnostic } from '../model/diagnostic.ts';
import type { Location } from '../model/location.ts';
import type { Suite } from '../model/suite.ts';
import type { Context, Report } from './context.ts';
import type { Source } from './source-text.ts';
import type { IncludePath, ItemShapes, LibraryParts, SuiteParts } from './suite-shape.ts';
import type { Shape } from './shape.ts';
import { NO_HOOKS } from './command-shape.ts';
import { EMPTY_CONTEXT } from './context-shape.ts';
import { MAX_COLLECTED, addYamlProblem, problem } from './context.ts';
import { duplicateNames } from './duplicate-names.ts';
import { normaliseText, readYaml } from './read-yaml.ts';
import { decodeEarly } from './shape.ts';
import { library, libraryItems, NO_STRATEGY, suite as suiteShape, suiteItems } from './suite-shape.ts';

export type { Source } from './source-text.ts';

export interface ParseResult {
  /** Absent when a diagnostic is an error. */
  readonly suite?: Suite;
  /** Sorted by file (the suite first) and place; at most 20 errors and a line that counts the rest. */
  readonly diagnostics: Diagnostic[];
  /** All texts that were read, for `renderDiagnostic`. */
  readonly sources: Source[];
}

/** Text of an included file, or why it cannot be read ("no such file"). `path` is relative to the folder of the suite, without `..`. */
export type ReadInclude = (path: string) => { readonly text: string } | { readonly problem: string };

/** Bytes of a suite and its includes together. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_SHOWN = 20;

/** Suite text → normalised `Suite`, or diagnostics. Pure and total: no input makes it throw, hang or leave the limits. */
export function parseSuite(main: { readonly file: string; readonly text: string }, readInclude: ReadInclude): ParseResult {
  const report: Report = { diagnostics: [], seen: new Set() };
  const sources: Source[] = [];
  const budget = { bytes: MAX_BYTES };
  const parts = readFile(main.file, main.text, suiteShape, suiteItems, report, sources, budget);
  const libraries = parts?.include ? readIncludes(parts.include, sources[0] as Source, readInclude, report, sources, budget) : [];
  const result = parts ? assemble(main.file, parts, libraries) : undefined;
  for (const found of result ? duplicateNames(result) : []) if (report.diagnostics.length < MAX_COLLECTED) report.diagnostics.push(found);
  const diagnostics = presented(report.diagnostics, sources);
  const isValid = !diagnostics.some((diagnostic) => diagnostic.severity === 'error');
  return { ...(isValid && result ? { suite: result } : {}), diagnostics, sources };
}

function readFile<T>(
  file: string,
  raw: string,
  shape: Shape<T>,
  items: ItemShapes,
  report: Report,
  sources: Source[],
  budget: { bytes: number },
): T | undefined {
  budget.bytes -= byteLength(raw, budget.bytes);
  if (budget.bytes < 0) {
    sources.push({ file, text: '' });
    report.diagnostics.push(
      atStart(
        file,
        'SUITE_TOO_LARGE',
        `a suite and what it includes may have ${MAX_BYTES / 1024 / 1024} MiB in all; this file goes beyond`,
      ),
    );
    return undefined;
  }
  const text = normaliseText(raw);
  sources.push({ file, text });
  const context: Context = { file, text, report };
  const before = report.diagnostics.length;
  const { root, problems } = readYaml(text, (section, item) => {
    const itemShape = Object.hasOwn(items, section) ? items[section] : undefined;
    return itemShape && decodeEarly(itemShape, item, context, section);
  });
  // What was decoded before a syntax error is not shown beside it.
  if (!root) report.diagnostics.length = before;
  for (const found of problems) addYamlProblem(context, found);
  if (!root) {
    if (problems.length === 0) report.diagnostics.push(atStart(file, 'SUITE_EMPTY', 'the file is empty'));
    return undefined;
  }
  return shape.decode(root, context, 'the file');
}

/** UTF-8 bytes; stops counting when it is over the limit for certain. */
function byteLength(text: string, limit: number): number {
  if (text.length > limit) return text.length;
  return new TextEncoder().encode(text).length;
}

function readIncludes(
  paths: readonly IncludePath[],
  source: Source,
  readInclude: ReadInclude,
  report: Report,
  sources: Source[],
  budget: { bytes: number },
): LibraryParts[] {
  const context: Context = { file: source.file, text: source.text, report };
  const seen = new Set<string>();
  const libraries: LibraryParts[] = [];
  for (const { path, start, end } of paths) {
    if (seen.has(path)) {
      problem(context, 'SUITE_INCLUDE', `"${path}" is included twice`, { start, end });
      continue;
    }
    seen.add(path);
    const read = readInclude(path);
    if ('problem' in read) {
      problem(context, 'SUITE_INCLUDE', `cannot include "${path}": ${read.problem}`, { start, end });
      continue;
    }
    const parts = readFile(path, read.text, library, libraryItems, report, sources, budget);
    if (parts) libraries.push(parts);
    if (budget.bytes < 0) break;
  }
  return libraries;
}

function assemble(file: string, parts: SuiteParts, libraries: readonly LibraryParts[]): Suite {
  const { include: _include, ...own } = parts;
  return {
    name: defaultName(file),
    tags: [],
    context: EMPTY_CONTEXT,
    testcases: [],
    hooks: NO_HOOKS,
    strategy: NO_STRATEGY,
    requires: [],
    secrets: [],
    ...own,
    file,
    roles: [...libraries.flatMap(({ roles }) => roles), ...(own.roles ?? [])],
    commands: [...libraries.flatMap(({ commands }) => commands), ...(own.commands ?? [])],
    chaos: [...libraries.flatMap(({ chaos }) => chaos), ...(own.chaos ?? [])],
    probes: [...libraries.flatMap(({ probes }) => probes), ...(own.probes ?? [])],
  };
}

function defaultName(file: string): string {
  const base = file.split('/').at(-1) ?? file;
  const name = base.replace(/\.[^.]+$/, '');
  return name === '' ? 'suite' : name;
}

function atStart(file: string, code: string, message: string): Diagnostic {
  const location: Location = { file, line: 1, column: 1 };
  return { code, severity: 'error', message, location, length: 1 };
}

/** By place, duplicates gone, cut to what a person reads. */
function presented(found: readonly Diagnostic[], sources: readonly Source[]): Diagnostic[] {
  const order = new Map(sources.map(({ file }, index) => [file, index]));
  const rank = ({ location }: Diagnostic): number => order.get(location.file) ?? 0;
  const sorted = [...found].sort((a, b) => rank(a) - rank(b) || a.location.line - b.location.line || a.location.column - b.location.column);
  const errors = sorted.filter(({ severity }) => severity === 'error');
  const next = errors[MAX_SHOWN];
  if (!next) return sorted;
  const rest = errors.length - MAX_SHOWN;
  const more: Diagnostic = {
    code: 'SUITE_MORE_ERRORS',
    severity: 'error',
    message: `${found.length >= MAX_COLLECTED ? 'at least ' : ''}${rest} more ${rest === 1 ? 'problem is' : 'problems are'} not shown`,
    location: next.location,
    length: next.length ?? 1,
  };
  return [...errors.slice(0, MAX_SHOWN), more];
}
