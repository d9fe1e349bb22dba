import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { asUser, type Database, freePort, idOf } from './postgres.ts';

export const hasMysql = (): boolean => existsSync('/usr/sbin/mariadbd') && existsSync('/usr/bin/mariadb-install-db');

/** A MariaDB of our own, on loopback, stopped by its pid. */
export async function startMysql(): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), 'onetear-my-'));
  const { uid, gid } = idOf('mysql');
  if (process.getuid?.() === 0) chownSync(folder, uid, gid);
  chmodSync(folder, 0o711);
  const data = join(folder, 'data');
  const init = asUser('mysql', [
    'mariadb-install-db',
    '--no-defaults',
    `--datadir=${data}`,
    '--skip-test-db',
    '--auth-root-authentication-method=normal',
  ]);
  const made = spawnSync(init.command, init.args, { encoding: 'utf8', cwd: folder });
  if (made.status !== 0) throw new Error(`mariadb-install-db: ${made.stdout}${made.stderr}`);
  const port = await freePort();
  const socket = join(folder, 's');
  const start = asUser('mysql', [
    '/usr/sbin/mariadbd',
    '--no-defaults',
    `--datadir=${data}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${socket}`,
    `--pid-file=${join(folder, 'pid')}`,
    '--innodb-flush-log-at-trx-commit=0',
    '--skip-name-resolve',
  ]);
  const server = spawn(start.command, start.args, { cwd: folder, stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const ask = (sql: string): string => {
    const { status, stdout, stderr } = spawnSync('mariadb', ['--no-defaults', '-S', socket, '-u', 'root', '-N', '-B', '-e', sql, 'mysql'], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const stop = async (): Promise<void> => {
    server.kill('SIGTERM');
    const timer = setTimeout(() => server.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let left = 400; ; left--) {
    try {
      ask(
        "create database if not exists app; create user if not exists 'app'@'127.0.0.1' identified by 'pä/ss'; grant all on *.* to 'app'@'127.0.0.1'",
      );
      return { dsn: `mysql://app:p%C3%A4%2Fss@127.0.0.1:${port}/app`, port, folder, ask, stop };
    } catch (error) {
      if (left === 0) {
        await stop();
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
