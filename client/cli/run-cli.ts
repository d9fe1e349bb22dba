import { CommanderError } from 'commander';
import type { ProcessErrorCode } from '../processes/process-error.ts';
import { EXIT } from '../../report/exit-code.ts';
import { homeOf } from '../home.ts';
import { CliError, type ExitCode } from './cli-error.ts';
import type { CliIo } from './io.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command line and returns the exit code. Every failure ends here: human text on stderr, and where stdout is
 * data (`--output json`, `--json`) the same failure as one JSON object on stdout.
 */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const outcome = { exit: 0 };
  try {
    await createProgram(io, outcome).parseAsync([...args], { from: 'user' });
    return outcome.exit;
  } catch (error) {
    return report(error, args, io);
  }
}

/** Exit codes of what goes wrong between us and Temporal. */
const PROCESS_EXIT: { readonly [code in ProcessErrorCode]: ExitCode } = {
  TEMPORAL_UNREACHABLE: EXIT.unreachable,
  TEMPORAL_NOT_FOUND: EXIT.unreachable,
  KEEPER_FAILED: EXIT.unreachable,
  LOCK_TIMEOUT: EXIT.unreachable,
  TEMPORAL_CONFIG: EXIT.usage,
  NO_WORKER: EXIT.usage,
  ENCRYPTION_KEYS: EXIT.usage,
  PAYLOAD_REFUSED: EXIT.usage,
};

/** What the file system says to a place that the user chose. */
const PLACE_ERRORS: ReadonlySet<string> = new Set([
  'ENOTDIR',
  'EEXIST',
  'EPERM',
  'EACCES',
  'EROFS',
  'ENOSPC',
  'EDQUOT',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
]);

/** A home that cannot be used is the user's to mend, and no bug of ours. */
function homeProblem(error: Error, code: string, io: CliIo): CliError | undefined {
  if (!PLACE_ERRORS.has(code) || !('path' in error) || typeof error.path !== 'string') return undefined;
  const { home } = homeOf(io);
  if (!`${error.path}/`.startsWith(`${home}/`) && !`${home}/`.startsWith(`${error.path}/`)) return undefined;
  return new CliError('CLI_HOME_UNUSABLE', EXIT.usage, `the folder of onetear ${home} cannot be used: ${error.message}`, {
    hint: 'Make it writable, or set ONETEAR_HOME to another folder.',
    cause: error,
  });
}

/** Errors of client/processes, and of the home's file system, as CLI errors; anything else as it is. */
function toCliError(error: unknown, io: CliIo): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  if (!Object.hasOwn(PROCESS_EXIT, error.code)) return homeProblem(error, error.code, io) ?? error;
  const code = error.code as ProcessErrorCode;
  return new CliError(code, PROCESS_EXIT[code], error.message, { cause: error });
}

function report(thrown: unknown, args: readonly string[], io: CliIo): number {
  const error = toCliError(thrown, io);
  if (error instanceof CommanderError) {
    // Commander has already printed its text.
    if (error.exitCode === 0 && error.code !== 'commander.help') return EXIT.passed;
    const message = error.message.replace(/^error: /, '');
    writeFailure(io, args, { code: 'CLI_USAGE', exit: EXIT.usage, message, diagnostics: [] });
    return EXIT.usage;
  }
  if (error instanceof CliError) {
    writeFailure(io, args, error);
    io.err(`${error.rendered ?? `error ${error.code}: ${error.message}`}\n`);
    if (error.hint !== undefined) io.err(`  ${error.hint}\n`);
    if (error.cause instanceof Error && io.env['ONETEAR_DEBUG'] !== undefined) io.err(`${error.cause.stack ?? error.cause.message}\n`);
    return error.exit;
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeFailure(io, args, { code: 'ENGINE_BUG', exit: EXIT.engineBug, message: message.split('\n')[0] ?? message, diagnostics: [] });
  io.err(`error ENGINE_BUG: this is a bug in onetear, not in your suite. Please report it with the text below.\n${message}\n`);
  return EXIT.engineBug;
}

function writeFailure(io: CliIo, args: readonly string[], failure: Pick<CliError, 'code' | 'exit' | 'message' | 'diagnostics'>): void {
  if (!wantsJson(args)) return;
  const line = {
    v: 1,
    type: 'error',
    ts: new Date().toISOString(),
    run: null,
    seq: 1,
    exit: failure.exit,
    code: failure.code,
    message: failure.message,
    diagnostics: failure.diagnostics,
  };
  io.out(`${JSON.stringify(line)}\n`);
}

/** Read from the raw words, because a usage error may come before the options are parsed. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const words = end === -1 ? args : args.slice(0, end);
  return words.some((word, index) => word === '--json' || word === '--output=json' || (word === '--output' && words[index + 1] === 'json'));
}
