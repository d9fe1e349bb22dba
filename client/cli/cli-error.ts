import type { EventDiagnostic } from '../../dsl/model/events.ts';
import { EXIT } from '../../report/exit-code.ts';

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * A verb cannot go on, for a reason the user can act on. Shown as its message (and diagnostics), never with a stack.
 * `code` is stable and has a section in docs/diagnostics.md.
 */
export class CliError extends Error {
  readonly code: string;
  readonly exit: ExitCode;
  readonly hint: string | undefined;
  readonly diagnostics: readonly EventDiagnostic[];
  /** Human text that stands instead of the message on stderr: diagnostics with their frames. */
  readonly rendered: string | undefined;

  constructor(
    code: string,
    exit: ExitCode,
    message: string,
    more: { hint?: string; diagnostics?: readonly EventDiagnostic[]; rendered?: string; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'CliError';
    this.code = code;
    this.exit = exit;
    this.hint = more.hint;
    this.diagnostics = more.diagnostics ?? [];
    this.rendered = more.rendered;
  }
}

/** A mistake on the command line or in the suite: exit 4. */
export function usageError(code: string, message: string, hint?: string): CliError {
  return new CliError(code, EXIT.usage, message, hint === undefined ? {} : { hint });
}

/** The word for what the language has and this version does not do yet: exit 4, never silently ignored. */
export function notSupportedYet(what: string): CliError {
  return new CliError('CLI_NOT_SUPPORTED', EXIT.usage, `not supported yet: ${what}, see docs/roadmap.md`);
}

/** The options select no testcase: exit 5, so that a typo in `-k` is not a green run. */
export function nothingSelected(file: string): CliError {
  return new CliError('CLI_NOTHING_SELECTED', EXIT.nothingSelected, 'no testcase is selected', {
    hint: `See what there is: onetear list ${file}`,
  });
}
