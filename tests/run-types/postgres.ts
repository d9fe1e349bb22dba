import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = '/usr/lib/postgresql/15/bin';

/** A port of loopback that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

export interface Database {
  readonly dsn: string;
  readonly port: number;
  readonly folder: string;
  /** Runs a statement with the database's own client; returns what it prints. */
  ask(sql: string): string;
  stop(): Promise<void>;
}

/** Words that run a program as `user` when we are root: servers refuse to run as root. */
export function asUser(user: string, argv: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
  if (process.getuid?.() !== 0) return { command: argv[0] as string, args: argv.slice(1) };
  return { command: 'setpriv', args: [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--', ...argv] };
}

export function idOf(user: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

/** A PostgreSQL of our own, on loopback, stopped by its pid. */
export async function startPostgres(): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), 'onetear-pg-'));
  const { uid, gid } = idOf('postgres');
  if (process.getuid?.() === 0) chownSync(folder, uid, gid);
  chmodSync(folder, 0o711);
  const data = join(folder, 'data');
  const init = asUser('postgres', [
    `${BIN}/initdb`,
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
  ]);
  const made = spawnSync(init.command, init.args, { encoding: 'utf8', cwd: folder });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  const start = asUser('postgres', [`${BIN}/postgres`, '-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-c', 'fsync=off']);
  const server: ChildProcess = spawn(start.command, start.args, { cwd: folder, stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const ask = (sql: string): string => {
    const { status, stdout, stderr } = spawnSync(
      'psql',
      ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-AtqXc', sql, 'postgres'],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const stop = async (): Promise<void> => {
    server.kill('SIGINT');
    const timer = setTimeout(() => server.kill('SIGQUIT'), 5_000);
    await gone;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let left = 200; ; left--) {
    try {
      ask('select 1');
      return { dsn: `postgres://postgres@127.0.0.1:${port}/postgres`, port, folder, ask, stop };
    } catch (error) {
      if (left === 0) {
        await stop();
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
