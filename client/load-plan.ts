import { compileSuite } from '../dsl/compile/compile-suite.ts';
import type { Selection } from '../dsl/compile/select-cells.ts';
import type { Diagnostic } from '../dsl/model/diagnostic.ts';
import type { EventDiagnostic } from '../dsl/model/events.ts';
import type { Plan } from '../dsl/model/plan.ts';
import type { Suite } from '../dsl/model/suite.ts';
import { renderDiagnostic } from '../dsl/parse/code-frame.ts';
import { parseSuite } from '../dsl/parse/parse-suite.ts';
import { CliError, notSupportedYet } from './cli/cli-error.ts';
import { EXIT } from '../report/exit-code.ts';
import type { CliIo } from './cli/io.ts';
import { pairsToMap, type SuiteOptions } from './cli/options.ts';
import { homeOf } from './home.ts';
import { loadInventory } from './load-inventory.ts';
import { failedTestcases } from './last-failed.ts';
import { sshFiles } from './ssh-files.ts';
import { openSuite, suiteDigest, SuiteReadError, suiteOfTexts, type SuiteReader, type SuiteText } from './load-suite.ts';

/** A suite that was read, parsed and compiled, with everything found on the way. */
export interface LoadedPlan {
  /** Absolute folder of the suite, links resolved. */
  readonly suiteDir: string;
  readonly texts: readonly SuiteText[];
  readonly digest: string;
  readonly suite: Suite | undefined;
  /** Absent when a diagnostic is an error. */
  readonly plan: Plan | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** Text of a diagnostic with its code frame. */
  readonly render: (diagnostic: Diagnostic) => string;
}

export type LoadOptions = SuiteOptions & {
  /** False for `--no-soak`. */
  readonly soak?: string | false;
  /** `--ssh-config`. */
  readonly sshConfig?: string;
};

export interface LoadHow {
  /** What this version cannot run yet is an error, too. */
  readonly execute: boolean;
  readonly seed: number;
  /** Instead of reading the file: texts kept with an earlier run. */
  readonly texts?: { readonly suiteDir: string; readonly texts: readonly SuiteText[] };
  /** Only these testcase ids, of those that the options select. */
  readonly only?: ReadonlySet<string>;
  /** Makes another suite of what was read: its nodes and roles, other testcases. */
  readonly change?: (suite: Suite) => Suite;
}

/**
 * Path → text → Suite → Plan. Throws a CliError only when the file itself cannot be read or `--lf` has nothing to go by;
 * problems of the suite are `diagnostics`.
 */
export async function loadPlan(
  file: string,
  options: LoadOptions,
  io: CliIo,
  { execute, seed, texts: given, only, change }: LoadHow,
): Promise<LoadedPlan> {
  const reader = given ? suiteOfTexts(given.suiteDir, given.texts) : readSuite(file, io);
  const parsed = parseSuite(reader.main, reader.readInclude);
  const inventory = await loadInventory(parsed.suite?.context.inventory, reader, io);
  const texts = inventory ? [...reader.texts(), ...(given ? [] : [{ file: inventory.file, text: inventory.text }])] : reader.texts();
  const digest = suiteDigest(texts);
  const render = (diagnostic: Diagnostic): string => renderDiagnostic(diagnostic, parsed.sources);
  const loaded = { suiteDir: reader.suiteDir, texts, digest, render };
  if (!parsed.suite) return { ...loaded, suite: undefined, plan: undefined, diagnostics: parsed.diagnostics };
  const lastFailed = options.lf ? await failedTestcases(parsed.suite.name, homeOf(io)) : undefined;
  const suite = change ? change(parsed.suite) : parsed.suite;
  const ssh = sshFiles(suite.context.ssh, reader.suiteDir, options.sshConfig, io);
  const compiled = compileSuite(suite, {
    seed,
    digest,
    envOverrides: pairsToMap(options.env),
    paramOverrides: pairsToMap(options.param),
    selection: selectionOf(options, only ?? lastFailed),
    execute,
    ...(inventory && { inventory: { file: inventory.file, json: inventory.json } }),
    ...(ssh && { ssh }),
    ...(options.soak === false ? { soak: false } : {}),
    failFast: options.x === true || options.maxfail === 1,
  });
  return {
    ...loaded,
    suite,
    plan: compiled.plan,
    diagnostics: [...parsed.diagnostics, ...compiled.diagnostics],
  };
}

function selectionOf({ k, m, cell, limit, maxfail, shard }: LoadOptions, ids: ReadonlySet<string> | undefined): Selection {
  if (limit !== undefined) throw notSupportedYet('--limit');
  if (maxfail !== undefined && maxfail > 1) throw notSupportedYet('--maxfail above 1');
  return {
    ...(k === undefined ? {} : { keyword: k }),
    ...(m === undefined ? {} : { tags: m }),
    ...(cell === undefined ? {} : { cells: pairsToMap(cell) }),
    ...(ids === undefined ? {} : { ids: [...ids] }),
    ...(shard === undefined ? {} : { shard: { index: shard.index, count: shard.of } }),
  };
}

/** As {@link loadPlan}, but a suite with errors is a CliError with exit 4 that shows them all. */
export async function loadValidPlan(...args: Parameters<typeof loadPlan>): Promise<LoadedPlan & { readonly plan: Plan }> {
  const loaded = await loadPlan(...args);
  const { plan } = loaded;
  if (!plan || errorsOf(loaded.diagnostics).length > 0) throw invalidSuite(loaded);
  return { ...loaded, plan };
}

/** The errors of a suite as one CliError. */
export function invalidSuite(loaded: LoadedPlan): CliError {
  const errors = errorsOf(loaded.diagnostics);
  const first = errors[0];
  const { file = '', line, column } = first?.location ?? {};
  const place = first ? (file.startsWith('-') ? `${file}: ` : `${file}:${line}:${column}: `) : '';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new CliError('SUITE_INVALID', EXIT.usage, `${place}${first?.message ?? 'the suite has errors'}${more}`, {
    diagnostics: loaded.diagnostics.map(toEventDiagnostic),
    rendered: renderAll(loaded),
  });
}

/** All diagnostics with their frames, and the count. */
export function renderAll({ diagnostics, render }: LoadedPlan): string {
  const errors = errorsOf(diagnostics).length;
  const warnings = diagnostics.length - errors;
  const counts = [errors > 0 ? plural(errors, 'error') : '', warnings > 0 ? plural(warnings, 'warning') : ''].filter(Boolean);
  return `${diagnostics.map(render).join('\n\n')}\n\n${counts.join(', ')}`;
}

export function errorsOf(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
}

/** The form of suite-language §13. */
export function toEventDiagnostic({ code, message, location, hint }: Diagnostic): EventDiagnostic {
  return { code, message, file: location.file, line: location.line, col: location.column, hint: hint ?? null };
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** A seed for a run that was given none: up to 2^31 − 1. */
export function drawSeed(): number {
  return Math.floor(Math.random() * 0x7fffffff);
}

function readSuite(file: string, io: CliIo): SuiteReader {
  try {
    return openSuite(file, io.cwd);
  } catch (error) {
    if (!(error instanceof SuiteReadError)) throw error;
    throw new CliError(error.code, EXIT.usage, error.message, {
      diagnostics: [{ code: error.code, message: error.message, file, line: 1, col: 1, hint: null }],
    });
  }
}
