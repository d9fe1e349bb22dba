import { spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ActivityDeps } from '../../activities/deps.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import { makeWorld, until, type World } from '../nodes/support.ts';
import { freePort, keygen, kill, run, type Sshd, type SshdOptions, startSshd } from './sshd.ts';
import { openSession, sharedDeps, refusalOf, step } from './support.ts';

describe('an ssh connection', () => {
  let world: World;
  let deps: ActivityDeps;
  const servers: Sshd[] = [];
  const agents: number[] = [];
  const sshd = async (options?: SshdOptions): Promise<Sshd> => {
    const server = await startSshd(options);
    servers.push(server);
    return server;
  };
  const count = (server: Sshd, text: string): number => server.log().split(text).length - 1;
  const setConfig = (server: Sshd, key: string, value: string): void =>
    writeFileSync(
      server.configFile,
      readFileSync(server.configFile, 'utf8').replace(new RegExp(`^  ${key} .*$`, 'm'), `  ${key} ${value}`),
    );

  beforeEach(() => {
    world = makeWorld();
    deps = sharedDeps(world);
  });
  afterEach(async () => {
    nodePool(deps).close();
    world.close();
    for (const pid of agents.splice(0)) kill(pid, 'SIGTERM');
    for (const server of servers.splice(0)) await server.close();
    delete process.env['ONETEAR_SSH_PASSPHRASE'];
  });

  it('runs a command in the home of who logged in, with PATH and environment, exit code and both outputs', async () => {
    const server = await sshd();
    const result = await step(world, deps, server.node(), 'a', 'pwd; echo "$USER $X $ONETEAR_NODE"; echo "$PATH" >&2; exit 3', {
      command: { env: { X: "it's" } },
    });
    expect(result).toMatchObject({ exitCode: 3, verdict: 'failed', stdout: { text: "/root\nroot it's pg1\n" } });
    expect(result.stderr.text).toMatch(/\/usr\/sbin/);
  });

  it('is one for all commands of a node, with one shell per user', async () => {
    const server = await sshd();
    const all = await Promise.all(Array.from({ length: 12 }, (_, index) => step(world, deps, server.node(), `s${index}`, `echo ${index}`)));
    expect(all.map(({ stdout }) => stdout.text)).toEqual(Array.from({ length: 12 }, (_, index) => `${index}\n`));
    await step(world, deps, server.node(), 'other', 'id -un', { command: { user: 'nobody' } });
    expect(count(server, 'Accepted publickey')).toBe(1);
    expect(count(server, 'Starting session')).toBe(2);
  });

  it('says that it was refused, waits for connect_within, and takes the node when it comes', async () => {
    const port = await freePort();
    const server = await sshd({ port });
    await server.stop();
    const node = server.node({ connectWithinMs: 900 });
    const from = performance.now();
    const trouble = await refusalOf(deps, node);
    expect(trouble.code).toBe('NODE_UNREACHABLE');
    expect(trouble.message).toMatch(
      /connection refused: the machine answers, but nothing listens on that port; is sshd running.*tried for 0\.9 s/,
    );
    expect(performance.now() - from).toBeGreaterThan(850);
    const result = step(world, deps, server.node({ connectWithinMs: 15_000 }), 'a', 'echo here');
    setTimeout(() => void server.start(), 500);
    expect((await result).stdout.text).toBe('here\n');
    const down = await step(world, deps, server.node({ name: 'gone', port: await freePort(), connectWithinMs: 300 }), 'b', 'true');
    expect(down.verdict).toBe('broken');
    expect(down.reason).toMatch(/^node gone cannot be reached: ssh root@127\.0\.0\.1:\d+: connection refused/);
  });

  it('says that a name does not resolve, and that there is no route', async () => {
    const server = await sshd();
    expect((await refusalOf(deps, server.node({ host: 'no-such-host.invalid', connectWithinMs: 300 }))).message).toMatch(
      /the name "no-such-host\.invalid" does not resolve \(E\w+\): give the node a host/,
    );
    expect((await refusalOf(deps, server.node({ host: '-oProxyCommand=true', connectWithinMs: 300 }))).message).toMatch(
      /not a host for ssh/,
    );
  });

  it('says that the handshake hangs, or was closed, and that the other side is no ssh server', async () => {
    const server = await sshd();
    const sockets: Socket[] = [];
    const closing = createServer((socket) => socket.destroy());
    const strange = createServer((socket) => {
      sockets.push(socket);
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
      socket.end();
    });
    const ports: number[] = [];
    for (const each of [closing, strange]) {
      await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
      ports.push((each.address() as { port: number }).port);
    }
    try {
      const [a = 0, b = 0] = ports;
      expect((await refusalOf(deps, server.node({ port: a, connectWithinMs: 400 }))).message).toMatch(
        /closed during the handshake.*MaxStartups/,
      );
      expect((await refusalOf(deps, server.node({ port: b, connectWithinMs: 400 }))).message).toMatch(/handshake/);
    } finally {
      closing.close();
      strange.close();
      for (const socket of sockets) socket.destroy();
    }
  });

  it('refuses an unknown host key at once, with the line to add; then takes it', async () => {
    const server = await sshd();
    const line = readFileSync(server.knownHosts, 'utf8').trim();
    writeFileSync(server.knownHosts, '');
    const from = performance.now();
    const trouble = await refusalOf(deps, server.node({ connectWithinMs: 20_000 }));
    expect(performance.now() - from).toBeLessThan(5_000);
    expect(trouble.code).toBe('NODE_REFUSED');
    expect(trouble.message).toContain(`unknown host key: ssh-ed25519 SHA256:`);
    expect(trouble.message).toContain(`is in none of ${server.knownHosts}`);
    expect(trouble.message).toContain(`then add this line: ${line}`);
    // It never came to a login.
    expect(count(server, 'Accepted')).toBe(0);
    writeFileSync(server.knownHosts, `${line}\n`);
    nodePool(deps).close();
    const again = sharedDeps(world);
    expect((await openSession(again, server.node())).stream.open).toBe(true);
    nodePool(again).close();
  });

  it('refuses a changed host key and says which was known', async () => {
    const server = await sshd();
    keygen(server.path('other'));
    const [name] = readFileSync(server.knownHosts, 'utf8').split(' ');
    writeFileSync(server.knownHosts, `${name} ${readFileSync(server.path('other.pub'), 'utf8')}`);
    const { code, message } = await refusalOf(deps, server.node());
    expect(code).toBe('NODE_REFUSED');
    expect(message).toMatch(/changed host key: it shows ssh-ed25519 SHA256:\S+, but known are ssh-ed25519 SHA256:\S+ \(.*known_hosts:1\)/);
    expect(message).toContain(`ssh-keygen -R "${name}"`);
    expect(count(server, 'Accepted')).toBe(0);
  });

  it('refuses a revoked host key although it is known too', async () => {
    const server = await sshd();
    appendFileSync(server.knownHosts, `@revoked * ${readFileSync(`${server.hostKey}.pub`, 'utf8')}`);
    const { code, message } = await refusalOf(deps, server.node());
    expect(code).toBe('NODE_REFUSED');
    expect(message).toMatch(/revoked host key: ssh-ed25519 SHA256:\S+ is marked @revoked at .*known_hosts:2/);
  });

  it('says that host certificates are not supported when only @cert-authority covers the host', async () => {
    const server = await sshd();
    writeFileSync(server.knownHosts, `@cert-authority * ${readFileSync(`${server.hostKey}.pub`, 'utf8')}`);
    expect((await refusalOf(deps, server.node())).message).toMatch(
      /unknown host key: .*@cert-authority \(.*:1\), but host certificates are not supported/,
    );
  });

  it('accepts hashed names, and asks a server with several keys for the one that is known', async () => {
    const server = await sshd({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
    const lines = readFileSync(server.knownHosts, 'utf8').trim().split('\n');
    for (const line of lines) {
      writeFileSync(server.knownHosts, `${line}\n`);
      run('ssh-keygen', ['-H', '-f', server.knownHosts]);
      const each = sharedDeps(world);
      expect((await openSession(each, server.node())).stream.open).toBe(true);
      nodePool(each).close();
    }
    // Known without its port counts too, as with OpenSSH; an alias replaces the name.
    const [, type = '', key = ''] = (lines[0] as string).split(' ');
    writeFileSync(server.knownHosts, `127.0.0.1 ${type} ${key}\n`);
    const plain = sharedDeps(world);
    expect((await openSession(plain, server.node())).stream.open).toBe(true);
    nodePool(plain).close();
    writeFileSync(server.knownHosts, `the-alias ${type} ${key}\n`);
    appendFileSync(server.configFile, '  HostKeyAlias the-alias\n');
    expect((await openSession(deps, server.node())).stream.open).toBe(true);
  });

  it('lets a suite name the only known_hosts file that counts', async () => {
    const server = await sshd();
    writeFileSync(server.path('mine'), '');
    const node = server.node({ ssh: { config: server.configFile, knownHosts: server.path('mine') } });
    expect((await refusalOf(deps, node)).message).toContain(`is in none of ${server.path('mine')}.`);
  });

  it('never repeats a login that failed, and says what was offered and what the server accepts', async () => {
    const server = await sshd();
    keygen(server.path('stranger'));
    setConfig(server, 'IdentityFile', server.path('stranger'));
    const from = performance.now();
    const all = await Promise.all(
      Array.from({ length: 4 }, (_, index) => step(world, deps, server.node({ connectWithinMs: 20_000 }), `s${index}`, 'true')),
    );
    // The next one is told without asking the server again: failures are counted there.
    const next = await step(world, deps, server.node({ connectWithinMs: 20_000 }), 'next', 'true');
    expect(performance.now() - from).toBeLessThan(5_000);
    for (const result of [...all, next]) {
      expect(result.verdict).toBe('broken');
      expect(result.reason).toMatch(
        /^pg1: ssh root@127\.0\.0\.1:\d+: login failed for user "root": .*offered: .*stranger; the server accepts: publickey.*authorized_keys/,
      );
    }
    expect(count(server, 'Connection from')).toBeLessThanOrEqual(2);
    expect(count(server, 'stranger')).toBe(0);
    expect(count(server, 'Failed publickey')).toBeLessThanOrEqual(1);
  });

  it('says why a key cannot be offered: passphrase; takes the passphrase from ONETEAR_SSH_PASSPHRASE', async () => {
    const server = await sshd();
    keygen(server.path('locked'), 'ed25519', 'open sesame');
    appendFileSync(server.path('authorized_keys'), readFileSync(server.path('locked.pub')));
    setConfig(server, 'IdentityFile', server.path('locked'));
    expect((await refusalOf(deps, server.node())).message).toMatch(
      /no key to log in with: .*locked has a passphrase: add it to the agent \(ssh-add\), or set ONETEAR_SSH_PASSPHRASE/,
    );
    const wrong = sharedDeps(world);
    process.env['ONETEAR_SSH_PASSPHRASE'] = 'sesame';
    expect((await refusalOf(wrong, server.node())).message).toContain('ONETEAR_SSH_PASSPHRASE does not open');
    const right = sharedDeps(world);
    process.env['ONETEAR_SSH_PASSPHRASE'] = 'open sesame';
    expect((await step(world, right, server.node(), 'a', 'echo in; env')).stdout.text).toMatch(/^in\n(?![^]*sesame)/);
    nodePool(right).close();
  });

  it('uses the agent: a key with a passphrase, only the one that is named', async () => {
    const server = await sshd({ config: ['MaxAuthTries 2'] });
    keygen(server.path('locked'), 'ed25519', 'open sesame');
    appendFileSync(server.path('authorized_keys'), readFileSync(server.path('locked.pub')));
    const socket = server.path('agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    agents.push(agent.pid as number);
    const env = { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: server.path('askpass'), SSH_ASKPASS_REQUIRE: 'force' };
    writeFileSync(server.path('askpass'), '#!/bin/sh\necho open sesame\n', { mode: 0o755 });
    // More keys than the server wants to look at come first.
    for (const name of ['x1', 'x2', 'x3', 'locked']) {
      if (name !== 'locked') keygen(server.path(name));
      await until(() => {
        const added = spawnSyncOk('ssh-add', ['-q', server.path(name)], env);
        return added;
      });
    }
    setConfig(server, 'IdentityAgent', socket);
    setConfig(server, 'IdentityFile', server.path('locked'));
    expect((await step(world, deps, server.node(), 'a', 'echo in')).stdout.text).toBe('in\n');
    // All keys of an agent without IdentitiesOnly: those that are named first.
    setConfig(server, 'IdentitiesOnly', 'no');
    const other = sharedDeps(world);
    expect((await step(world, other, server.node(), 'b', 'echo in')).stdout.text).toBe('in\n');
    nodePool(other).close();
  });

  it('goes through a chain of jump hosts, each with its own key checked, sharing their connections', async () => {
    const [first, second, target] = [await sshd(), await sshd(), await sshd()];
    copyFileSync(target.userKey, target.path('k'));
    for (const server of [first, second]) appendFileSync(server.path('authorized_keys'), readFileSync(`${target.userKey}.pub`));
    const known = [first, second, target].map((server) => readFileSync(server.knownHosts, 'utf8'));
    writeFileSync(target.knownHosts, known.join(''));
    writeFileSync(
      target.configFile,
      `${readFileSync(target.configFile, 'utf8')}\nHost first\n  HostName 127.0.0.1\n  Port ${first.port}\nHost second\n  HostName 127.0.0.1\n  Port ${second.port}\nHost goal\n  HostName 127.0.0.1\n  Port ${target.port}\n  ProxyJump first,root@second\n`,
    );
    const node = target.node({ host: 'goal' });
    const { port: _, ...withoutPort } = node;
    expect((await step(world, deps, withoutPort, 'a', 'echo through')).stdout.text).toBe('through\n');
    await step(world, deps, withoutPort, 'b', 'id -un', { command: { user: 'nobody' } });
    for (const server of [first, second, target]) expect(count(server, 'Accepted publickey')).toBe(1);
    expect(count(first, 'Starting session')).toBe(0);
    // A jump host whose key is not known stops the way there.
    writeFileSync(target.knownHosts, [known[0], known[2]].join(''));
    const other = sharedDeps(world);
    expect((await refusalOf(other, withoutPort)).message).toMatch(
      new RegExp(`second \\(root@127.0.0.1:${second.port}\\): unknown host key`),
    );
    nodePool(other).close();
  });

  it('refuses what it cannot do of an ssh config, and a config that cannot be read', async () => {
    const server = await sshd();
    appendFileSync(server.configFile, '  ProxyCommand nc %h %p\n');
    expect((await refusalOf(deps, server.node())).message).toMatch(/ProxyCommand, which onetear does not run; ProxyJump works/);
    writeFileSync(server.configFile, 'Host *\n  NoSuchOption yes\n');
    expect((await refusalOf(deps, server.node())).message).toMatch(/the ssh config cannot be read .*nosuchoption/i);
    expect((await refusalOf(deps, server.node({ ssh: { config: '/nowhere/config' } }))).message).toMatch(/nowhere\/config/);
  });

  it('opens a second connection when the server has no session left', async () => {
    const server = await sshd({ config: ['MaxSessions 2'] });
    const users = ['root', 'nobody', 'daemon', 'bin', 'sys'];
    const all = await Promise.all(users.map((user) => step(world, deps, server.node(), user, 'id -un', { command: { user } })));
    expect(all.map(({ stdout }) => stdout.text.trim())).toEqual(users);
    expect(count(server, 'Accepted publickey')).toBeGreaterThanOrEqual(3);
    const none = await sshd({ config: ['MaxSessions 0'] });
    expect((await refusalOf(deps, none.node({ connectWithinMs: 300 }))).message).toMatch(/the server gives us no session \(MaxSessions\)/);
  });

  it('gets through a server that turns most handshakes away', async () => {
    const server = await sshd({ config: ['MaxStartups 2:90:3'] });
    // As many machines as a server can look like: each name is a connection of its own.
    const nodes = Array.from({ length: 12 }, (_, index) =>
      server.node({ name: `n${index}`, host: `127.0.0.${index + 1}`, connectWithinMs: 20_000 }),
    );
    appendFileSync(server.configFile, '  HostKeyAlias all\n  HostName 127.0.0.1\n');
    writeFileSync(server.knownHosts, `all ${readFileSync(`${server.hostKey}.pub`, 'utf8')}`);
    const pools = nodes.map(() => sharedDeps(world));
    const all = await Promise.all(nodes.map((node, index) => step(world, pools[index] as ActivityDeps, node, `s${index}`, 'echo in')));
    for (const pool of pools) nodePool(pool).close();
    expect(all.map(({ stdout }) => stdout.text)).toEqual(nodes.map(() => 'in\n'));
  });

  it('says that an account has no shell', async () => {
    const nologin = await sshd({ config: ['ForceCommand /usr/sbin/nologin'] });
    const sftp = await sshd({ config: ['ForceCommand internal-sftp'] });
    const from = performance.now();
    const { code, message } = await refusalOf(deps, nologin.node({ connectWithinMs: 20_000 }));
    expect(code).toBe('NODE_REFUSED');
    expect(message).toMatch(/no shell on pg1: the login worked, but \/bin\/sh ended with exit 1 \(This account is currently not available/);
    expect((await refusalOf(deps, sftp.node({ name: 'files', connectWithinMs: 3_000 }))).message).toMatch(/files/);
    expect(performance.now() - from).toBeLessThan(16_000);
  });
});

function spawnSyncOk(program: string, args: readonly string[], env: NodeJS.ProcessEnv): boolean {
  try {
    run('env', [...Object.entries(env).map(([name, value]) => `${name}=${value ?? ''}`), program, ...args]);
    return true;
  } catch {
    return false;
  }
}
