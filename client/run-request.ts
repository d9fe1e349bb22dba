import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { usageError } from './cli/cli-error.ts';
import type { SuiteOptions } from './cli/options.ts';
import type { SuiteText } from './load-suite.ts';

/** What a run was asked for, kept beside its record so that it can be asked for again when the suite file has changed. */
export interface RunRequest {
  readonly v: 1;
  readonly file: string;
  readonly suiteDir: string;
  /** The suite first, then its includes. */
  readonly texts: readonly SuiteText[];
  readonly seed: number;
  readonly options: SuiteOptions;
}

const FILE = 'request.json';

/** Only for the user: overrides of the environment may be delicate. */
export function writeRunRequest(runDir: string, request: RunRequest): void {
  mkdirSync(runDir, { recursive: true });
  writeFileSync(join(runDir, FILE), `${JSON.stringify(request, null, 2)}\n`, { mode: 0o600 });
}

/** Throws a usage error when the run has none, as runs started by other programs. */
export function readRunRequest(runDir: string): RunRequest {
  try {
    return JSON.parse(readFileSync(join(runDir, FILE), 'utf8')) as RunRequest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw usageError('CLI_NO_REQUEST', `${runDir} does not say how the run was started, so it cannot be started again`);
  }
}
