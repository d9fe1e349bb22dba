import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { listNames } from './atomic-file.ts';
import type { HomePaths } from './home-paths.ts';

type SecretsHome = Pick<HomePaths, 'secretsDir'>;

/** Values of a run's secrets and where the run is, for the workers of this host. */
export interface RunSecretsFile {
  readonly v: 1;
  readonly run: string;
  readonly workflowId: string;
  /** Main queue, address and namespace: whether a server that does not know the workflow is the one to know it. */
  readonly server: { readonly queue: string; readonly address: string; readonly namespace: string };
  readonly values: { readonly [name: string]: string };
}

/**
 * Writes `secrets/<run>`: mode 0600 in a folder of mode 0700, whole or not there. Throws when the folder is not ours alone.
 */
export function writeRunSecrets(home: SecretsHome, secrets: RunSecretsFile): void {
  const dir = home.secretsDir;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const stat = lstatSync(dir);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) throw new Error(`${dir} is no folder of ours`);
  if ((stat.mode & 0o077) !== 0) chmodSync(dir, 0o700);
  const temporary = path.join(dir, `.new-${randomBytes(6).toString('hex')}`);
  try {
    writeFileSync(temporary, JSON.stringify(secrets), { mode: 0o600, flag: 'wx', flush: true });
    renameSync(temporary, secretsFile(home, secrets.run));
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** `undefined` when there is none. */
export function readRunSecrets(home: SecretsHome, run: string): RunSecretsFile | undefined {
  let text: string;
  try {
    text = readFileSync(secretsFile(home, run), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = parseJson(text);
  // The parser's own message would show what it read.
  if (parsed === undefined) throw new Error(`the secrets file of run ${run} is damaged`);
  return parsed as RunSecretsFile;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function removeRunSecrets(home: SecretsHome, run: string): void {
  rmSync(secretsFile(home, run), { force: true });
}

/** Runs that have a file, with its age in ms; what a killed writer left is removed. */
export async function listRunSecrets(home: SecretsHome): Promise<readonly { readonly run: string; readonly ageMs: number }[]> {
  const found: { run: string; ageMs: number }[] = [];
  for (const name of await listNames(home.secretsDir)) {
    const file = path.join(home.secretsDir, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const ageMs = Date.now() - stat.mtimeMs;
    if (!name.startsWith('.')) found.push({ run: name, ageMs });
    else if (ageMs > 60_000) rmSync(file, { force: true });
  }
  return found;
}

function secretsFile(home: SecretsHome, run: string): string {
  // Run ids are ours, but they also come from histories.
  if (!/^\w[\w.-]*$/u.test(run)) throw new Error(`not a run id: ${JSON.stringify(run)}`);
  return path.join(home.secretsDir, run);
}
