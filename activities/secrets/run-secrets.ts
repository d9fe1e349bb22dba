import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { RunInfo } from '../../dsl/model/workflow-io.ts';
import type { ActivityDeps } from '../deps.ts';
import { homePaths } from '../store/home-paths.ts';
import { readRunSecrets } from '../store/run-secrets-file.ts';
import { parseSecretsFile, secretValueProblem } from '../store/secrets-file.ts';
import { createMasker, type Masker } from './masker.ts';

const execFileAsync = promisify(execFile);

/** Where a worker gets secrets from that the starter of the run did not leave on this host. */
export interface SecretSource {
  /** `NAME=VALUE` lines. */
  readonly file?: string;
  /** A program that prints the value of the name it is given. */
  readonly program?: string;
  /** Environment of the worker. */
  readonly env: { readonly [name: string]: string | undefined };
}

/** What this worker knows of the secrets of a run. */
export interface RunSecrets {
  readonly values: ReadonlyMap<string, string>;
  /** For each name without a value: why. */
  readonly missing: ReadonlyMap<string, string>;
  readonly masker: Masker;
}

const PROGRAM_TIMEOUT_MS = 10_000;
/** Runs whose secrets are remembered. A masker costs milliseconds to make. */
const REMEMBERED = 20;
const known = new WeakMap<ActivityDeps, Map<string, RunSecrets>>();

/**
 * The secrets of a run: from the file that `start` left on this host, else from the worker's own file, program or environment, in this order.
 * `undefined` when the suite has none. Values are remembered for the run, so that all its tries see the same; missing ones are looked for again.
 */
export async function secretsOf(deps: ActivityDeps, run: Pick<RunInfo, 'run' | 'secrets'>): Promise<RunSecrets | undefined> {
  const names = run.secrets ?? [];
  if (names.length === 0) return undefined;
  const runs = known.get(deps) ?? new Map<string, RunSecrets>();
  known.set(deps, runs);
  const remembered = runs.get(run.run);
  if (remembered !== undefined) return remembered;
  const found = await findSecrets(deps, run.run, names);
  if (found.missing.size === 0) {
    runs.set(run.run, found);
    for (const old of [...runs.keys()].slice(0, Math.max(0, runs.size - REMEMBERED))) runs.delete(old);
  }
  return found;
}

/** Forgets the values of a run that is over. */
export function forgetSecrets(deps: ActivityDeps, run: string): void {
  known.get(deps)?.delete(run);
}

/** One secret's value. Throws when it is not known here; the message says why and never shows a value. */
export async function secretValue(deps: ActivityDeps, run: Pick<RunInfo, 'run' | 'secrets'>, name: string): Promise<string> {
  const secrets = await secretsOf(deps, { run: run.run, secrets: [...new Set([...(run.secrets ?? []), name])] });
  const value = secrets?.values.get(name);
  if (value === undefined)
    throw new Error(`secret ${name} is not known on this worker: ${secrets?.missing.get(name) ?? 'it has no value'}`);
  return value;
}

async function findSecrets(deps: ActivityDeps, run: string, names: readonly string[]): Promise<RunSecrets> {
  const left = readRunSecrets(homePaths(deps.homeDir), run)?.values ?? {};
  const file = readSource(deps.secrets?.file);
  const values = new Map<string, string>();
  const missing = new Map<string, string>();
  for (const name of names) {
    const found = Object.hasOwn(left, name) ? { value: left[name] as string } : await fromWorker(name, deps.secrets, file);
    const problem = 'problem' in found ? found.problem : secretValueProblem(found.value);
    if (problem === undefined && 'value' in found) values.set(name, found.value);
    else missing.set(name, problem ?? 'it has no value');
  }
  return { values, missing, masker: createMasker(values) };
}

type Found = { readonly value: string } | { readonly problem: string };
type FileRead = { readonly values: ReadonlyMap<string, string> } | { readonly problem: string } | undefined;

function readSource(file: string | undefined): FileRead {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { problem: `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})` };
  }
  const parsed = parseSecretsFile(text);
  return 'values' in parsed ? parsed : { problem: `${file}:${parsed.line}: ${parsed.problem}` };
}

async function fromWorker(name: string, source: SecretSource | undefined, file: FileRead): Promise<Found> {
  if (file !== undefined && 'problem' in file) return file;
  const written = file?.values.get(name);
  if (written !== undefined) return { value: written };
  if (source?.program !== undefined) {
    try {
      const { stdout } = await execFileAsync(source.program, [name], {
        timeout: PROGRAM_TIMEOUT_MS,
        maxBuffer: 256 * 1024,
        encoding: 'utf8',
      });
      return { value: stdout.replace(/\r?\n$/u, '') };
    } catch (error) {
      // What the program printed is not shown: it may be the value.
      const { code, killed } = error as { readonly code?: number | string | null; readonly killed?: boolean };
      return { problem: `${source.program} ${killed === true ? 'did not answer in 10 s' : `failed (${code ?? 'ended by a signal'})`}` };
    }
  }
  const value = source?.env[name];
  if (value !== undefined) return { value };
  return { problem: 'it is neither in the file of the run on this host nor in the environment or secrets file of the worker' };
}
