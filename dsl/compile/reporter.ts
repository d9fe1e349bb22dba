import { suggest } from '../expression/suggest.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Location } from '../model/location.ts';

/** More errors than this tell nobody anything; the rest is counted. */
const MAX_ERRORS = 100;

/** Collects diagnostics; the same one is kept once. */
export interface Reporter {
  error(code: string, location: Location, message: string, extra?: { readonly hint?: string; readonly length?: number }): void;
  warning(code: string, location: Location, message: string, extra?: { readonly hint?: string; readonly length?: number }): void;
  readonly hasErrors: boolean;
  /** In the order of the text: file, line, column. */
  diagnostics(): readonly Diagnostic[];
}

export function createReporter(mainFile: string): Reporter {
  const found = new Map<string, Diagnostic>();
  let errors = 0;
  const add = (
    severity: Diagnostic['severity'],
    code: string,
    location: Location,
    message: string,
    extra: { readonly hint?: string; readonly length?: number } = {},
  ): void => {
    const key = `${code} ${location.file}:${location.line}:${location.column} ${message}`;
    if (found.has(key)) return;
    if (severity === 'error' && ++errors > MAX_ERRORS) return;
    found.set(key, { code, severity, message, location, ...extra });
  };
  return {
    error: (code, location, message, extra) => add('error', code, location, message, extra),
    warning: (code, location, message, extra) => add('warning', code, location, message, extra),
    get hasErrors() {
      return errors > 0;
    },
    diagnostics() {
      const sorted = [...found.values()].sort((a, b) => compare(a, b, mainFile));
      if (errors <= MAX_ERRORS) return sorted;
      const last = sorted.findLast((diagnostic) => diagnostic.severity === 'error') as Diagnostic;
      return [
        ...sorted,
        {
          code: 'SUITE_MORE_ERRORS',
          severity: 'error',
          message: `${errors - MAX_ERRORS} more errors are not shown`,
          location: last.location,
        },
      ];
    },
  };
}

function compare(a: Diagnostic, b: Diagnostic, mainFile: string): number {
  if (a.location.file !== b.location.file) {
    if (a.location.file === mainFile) return -1;
    if (b.location.file === mainFile) return 1;
    return a.location.file < b.location.file ? -1 : 1;
  }
  return a.location.line - b.location.line || a.location.column - b.location.column;
}

/** `no command or chaos is named "x", did you mean "y"?` with the known names as hint. */
export function unknownName(what: string, name: string, known: Iterable<string>): { readonly message: string; readonly hint?: string } {
  const names = [...known];
  const near = suggest(name, names);
  return {
    message: `no ${what} is named "${name}"${near === undefined ? '' : `, did you mean "${near}"?`}`,
    ...(names.length > 0 && { hint: `known: ${listNames(names)}` }),
  };
}

/** At most 20 names, then how many more. */
export function listNames(names: readonly string[]): string {
  return names.length <= 20 ? names.join(', ') : `${names.slice(0, 20).join(', ')}, … (${names.length} in all)`;
}
