import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflows } from '../../../worker/bundle-workflows.ts';
import { endLeftovers } from '../../../client/processes/end-leftovers.ts';
import { findProcesses } from '../../../client/processes/find-processes.ts';
import { keeperFiles, readKeeperState } from '../../../client/processes/keeper-state.ts';
import type { KeeperState } from '../../../client/processes/keeper-state.ts';
import { logTail } from '../../../client/processes/log-tail.ts';
import { stopProcess } from '../../../client/processes/supervised-process.ts';
import type { Endpoint } from '../../../client/processes/ensure-keeper.ts';
import { homePaths } from '../../../activities/store/home-paths.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(HERE, '../../..');

/** A built program in a folder of its own: the real one, with the fixture's workflows, under a build id of our choice. */
export interface Program {
  readonly dir: string;
  readonly build: string;
}

let bundle: string | undefined;

/** Folder of the built program; built now if it is not there. */
export function builtProgram(): string {
  const built = process.env['ONETEAR_TEST_DIST'] ?? path.join(ROOT, 'dist');
  if (!existsSync(path.join(built, 'build.json'))) {
    const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'scripts', 'build.mjs')], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the program cannot be built: ${stderr}`);
  }
  return built;
}

/** Copies the built program. Another build id stands for another version of it. */
export async function copyProgram(folder: string, build: string): Promise<Program> {
  const dir = path.join(folder, `program-${build}`);
  mkdirSync(dir, { recursive: true });
  cpSync(builtProgram(), path.join(dir, 'dist'), { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(dir, 'package.json'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'));
  if (bundle === undefined) {
    const target = path.join(dir, 'fixture-bundle.js');
    await bundleWorkflows({ workflowsPath: path.join(HERE, 'ticker-workflow.ts'), target });
    bundle = readFileSync(target, 'utf8');
  }
  writeFileSync(path.join(dir, 'dist', 'workflow-bundle.js'), bundle);
  writeFileSync(path.join(dir, 'dist', 'build.json'), JSON.stringify({ version: '0.0.0', build }));
  return { dir, build };
}

/** Outcome of a call in a process of its own, as the CLI makes it. */
export type CallResult<T> =
  | { readonly ok: true; readonly value: T; readonly elapsedMs: number; readonly progress: readonly string[] }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly elapsedMs: number };

/** A home with all its processes; `close` ends them by their pids, also when the test failed. */
export interface TestHome {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  ensure(program: Program, options?: { readonly worker?: boolean }): Promise<CallResult<Endpoint>>;
  connect(program: Program, options: Readonly<Record<string, unknown>>): Promise<CallResult<Endpoint & { readonly kind: string }>>;
  /** The verb itself, for its text and exit code. */
  server(
    program: Program,
    action: string,
    options?: Readonly<Record<string, unknown>>,
  ): Promise<{ exit: number; stdout: string; stderr: string }>;
  state(): KeeperState;
  /** Pids of keeper, server and worker of this home that run now. */
  pids(): { readonly keepers: readonly number[]; readonly servers: readonly number[]; readonly workers: readonly number[] };
  /** For people who look at a failure. */
  logs(): string;
  close(): Promise<void>;
}

/** An empty home below the folder. */
export function createHome(folder: string, extraEnv: NodeJS.ProcessEnv = {}): TestHome {
  const home = mkdtempSync(path.join(folder, 'home-'));
  const paths = homePaths(home);
  const files = keeperFiles(paths.keeperDir, paths.logsDir);
  const env: NodeJS.ProcessEnv = { ...process.env, ONETEAR_HOME: home, ...extraEnv };
  for (const name of Object.keys(env)) if (name.startsWith('TEMPORAL_')) delete env[name];
  const call = async (program: Program, request: object): Promise<string> => {
    const child = spawn(process.execPath, [path.join(HERE, 'driver.mjs'), program.dir, JSON.stringify({ home, ...request })], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    if (code !== 0) throw new Error(`the driver ended with ${code}: ${stderr}`);
    return stdout;
  };
  const pidsOf = (...argv: string[]): number[] => findProcesses(argv).map(({ identity }) => identity.pid);
  return {
    home,
    env,
    ensure: async (program, options = {}) => JSON.parse(await call(program, { do: 'ensure', options })),
    connect: async (program, options) => JSON.parse(await call(program, { do: 'connect', options })),
    server: async (program, action, options = {}) => JSON.parse(await call(program, { do: 'server', action, options })),
    state: () => {
      const state = readKeeperState(files.stateFile);
      if (state === undefined) throw new Error('there is no keeper state');
      return state;
    },
    pids: () => ({
      keepers: pidsOf('--home', home, '--binary'),
      servers: findProcesses(['start-dev'])
        .filter(({ argv }) => argv.some((text) => text.startsWith(`${paths.serverDir}/`)))
        .map(({ identity }) => identity.pid),
      workers: pidsOf('--state-file', files.workerStateFile),
    }),
    logs: () => [files.keeperLog, files.serverLog, files.workerLog].map((file) => `== ${file}\n${logTail(file, 30).join('\n')}`).join('\n'),
    close: async () => {
      // Keepers first, they would start the others again.
      for (const { identity } of [...findProcesses(['--home', home, '--binary']), ...findProcesses(['--home', home, '--worker-only'])]) {
        await stopProcess(identity, 20_000);
      }
      for (const { identity } of findProcesses(['--home', home])) await stopProcess(identity, 5000);
      await endLeftovers(files, paths.serverDir);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A folder for programs and homes of one test file. */
export function createFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'onetear-processes-'));
}

/** Waits for a condition; the error names it. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
