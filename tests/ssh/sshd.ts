import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Node } from '../../dsl/model/node.ts';

export interface SshdOptions {
  /** Further lines of sshd_config, before the others: the first one counts. */
  readonly config?: readonly string[];
  /** Program and arguments in front of sshd, e.g. to give it namespaces of its own. */
  readonly before?: readonly string[];
  readonly address?: string;
  readonly port?: number;
  /** Kinds of host keys; default ed25519 alone. */
  readonly hostKeys?: readonly string[];
}

/** A real sshd on loopback, with keys of its own and a client config that uses them. */
export interface Sshd {
  readonly dir: string;
  readonly port: number;
  readonly address: string;
  readonly userKey: string;
  readonly hostKey: string;
  readonly configFile: string;
  readonly knownHosts: string;
  path(name: string): string;
  /** A node that is this server. */
  node(more?: Partial<Node>): Node;
  /** Pids of the processes that serve connections. */
  sessions(): readonly number[];
  /** Ends the processes that serve connections, as a crash would. */
  killSessions(): void;
  /** Stops listening; connections stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
  log(): string;
  close(): Promise<void>;
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

export function keygen(file: string, type = 'ed25519', passphrase = ''): void {
  run('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'onetear-test', '-f', file]);
}

export function run(program: string, args: readonly string[], input?: string): string {
  const done = spawnSync(program, args, { encoding: 'utf8', ...(input !== undefined && { input }) });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}${done.error?.message ?? ''}`);
  return done.stdout;
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  // Where privilege separation lives; normally made by the service.
  mkdirSync('/run/sshd', { recursive: true });
  const dir = mkdtempSync(join(tmpdir(), 'onetear-ssh-'));
  const path = (name: string): string => join(dir, name);
  const port = options.port ?? (await freePort());
  const address = options.address ?? '127.0.0.1';
  const kinds = options.hostKeys ?? ['ed25519'];
  for (const kind of kinds) keygen(path(`host_${kind}`), kind);
  keygen(path('user'));
  chmodSync(dir, 0o755);
  writeFileSync(path('authorized_keys'), readFileSync(path('user.pub')), { mode: 0o644 });
  writeFileSync(
    path('sshd_config'),
    [
      ...(options.config ?? []),
      `ListenAddress ${address}`,
      `Port ${port}`,
      ...kinds.map((kind) => `HostKey ${path(`host_${kind}`)}`),
      `AuthorizedKeysFile ${path('authorized_keys')}`,
      'PidFile none',
      'StrictModes no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'LogLevel VERBOSE',
      'Subsystem sftp internal-sftp',
      '',
    ].join('\n'),
  );
  const name = port === 22 ? address : `[${address}]:${port}`;
  writeFileSync(
    path('known_hosts'),
    kinds
      .map(
        (kind) =>
          `${name} ${readFileSync(path(`host_${kind}.pub`), 'utf8')
            .split(' ')
            .slice(0, 2)
            .join(' ')}\n`,
      )
      .join(''),
  );
  writeFileSync(
    path('ssh_config'),
    [
      'Host *',
      `  IdentityFile ${path('user')}`,
      '  IdentitiesOnly yes',
      '  IdentityAgent none',
      `  UserKnownHostsFile ${path('known_hosts')}`,
      '  GlobalKnownHostsFile none',
      '  User root',
      '',
    ].join('\n'),
  );
  let server: ChildProcess | undefined;
  const [program, ...before] = [...(options.before ?? []), '/usr/sbin/sshd'];
  const sshd: Sshd = {
    dir,
    port,
    address,
    userKey: path('user'),
    hostKey: path(`host_${kinds[0]}`),
    configFile: path('ssh_config'),
    knownHosts: path('known_hosts'),
    path,
    node: (more = {}) => ({
      name: 'pg1',
      connection: 'ssh',
      host: address,
      port,
      labels: {},
      vars: {},
      connectWithinMs: 5_000,
      ssh: { config: path('ssh_config') },
      ...more,
    }),
    // By our config's name on the command line: other servers run on this machine too.
    sessions: () =>
      (server?.pid === undefined ? [] : descendants(server.pid)).filter((pid) => readText(`/proc/${pid}/comm`).startsWith('sshd')),
    killSessions() {
      for (const pid of sshd.sessions()) kill(pid, 'SIGKILL');
    },
    async stop() {
      const stopping = server;
      server = undefined;
      if (stopping === undefined || stopping.exitCode !== null) return;
      await new Promise((resolve) => {
        stopping.once('exit', resolve);
        stopping.kill('SIGTERM');
      });
    },
    async start() {
      const log = path('sshd.log');
      server = spawn(program, [...before, '-D', '-E', log, '-f', path('sshd_config')], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const deadline = Date.now() + 10_000;
      while (!(await listens(address, port))) {
        if (server.exitCode !== null || Date.now() > deadline) throw new Error(`sshd does not listen: ${readText(log)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    log: () => readText(path('sshd.log')),
    async close() {
      sshd.killSessions();
      await sshd.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  if (options.address === undefined) await sshd.start();
  return sshd;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Living children of a process, and theirs. */
export function descendants(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readText(`/proc/${name}/stat`);
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]));
  }
  const found: number[] = [];
  const look = (parent: number): void => {
    for (const [child, of] of parents) {
      if (of !== parent || found.includes(child)) continue;
      found.push(child);
      look(child);
    }
  };
  look(pid);
  return found;
}

function listens(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const answer = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', answer(true));
    socket.once('error', answer(false));
  });
}
