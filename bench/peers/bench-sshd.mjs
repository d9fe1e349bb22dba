// An sshd of our own on loopback for benchmarks: keys, config and port of its own, stopped by its pid.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/** Starts it in a folder; why it cannot is returned as `{ reason }`. */
export async function startBenchSshd(dir) {
  if (process.getuid?.() !== 0) return { reason: 'an sshd of our own needs root' };
  if (spawnSync('/usr/sbin/sshd', ['-?']).error) return { reason: 'there is no /usr/sbin/sshd' };
  mkdirSync('/run/sshd', { recursive: true });
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  for (const key of ['host', 'user']) spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, key)]);
  const port = await freePort();
  writeFileSync(
    join(dir, 'sshd_config'),
    `ListenAddress 127.0.0.1\nPort ${port}\nHostKey ${join(dir, 'host')}\nAuthorizedKeysFile ${join(dir, 'user.pub')}\nPidFile none\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nSubsystem sftp internal-sftp\n`,
  );
  const [type, key] = readFileSync(join(dir, 'host.pub'), 'utf8').split(' ');
  writeFileSync(join(dir, 'known_hosts'), `[127.0.0.1]:${port} ${type} ${key}\n`);
  writeFileSync(
    join(dir, 'ssh_config'),
    `Host node\n  HostName 127.0.0.1\n  Port ${port}\n  User root\n  IdentityFile ${join(dir, 'user')}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${join(dir, 'known_hosts')}\n`,
  );
  // An empty home: what root's rc files cost on this machine is not what is measured, and only the peers would pay it for each command.
  const server = spawn(
    'unshare',
    [
      '-m',
      'sh',
      '-ec',
      'mount -t tmpfs none /root; exec "$@"',
      'sh',
      '/usr/sbin/sshd',
      '-D',
      '-E',
      join(dir, 'log'),
      '-f',
      join(dir, 'sshd_config'),
    ],
    { stdio: 'ignore' },
  );
  const deadline = Date.now() + 10_000;
  while (!(await listens(port))) {
    if (server.exitCode !== null || Date.now() > deadline)
      return { reason: `sshd did not start: ${readFileSync(join(dir, 'log'), 'utf8')}` };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { port, key: join(dir, 'user'), config: join(dir, 'ssh_config'), stop: () => server.kill('SIGTERM') };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(socket.destroy() && true));
    socket.once('error', () => resolve(false));
  });
}
