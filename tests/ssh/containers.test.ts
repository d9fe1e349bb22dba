import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ActivityDeps } from '../../activities/deps.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import type { Node } from '../../dsl/model/node.ts';
import { attend, lives, makeWorld, until, type World } from '../nodes/support.ts';
import { descendants, kill } from './sshd.ts';
import { openSession, plainDeps, refusalOf, sleep, step } from './support.ts';

const STUBS = join(dirname(fileURLToPath(import.meta.url)), 'stubs');
const canIsolate = process.getuid?.() === 0 && spawnSync('unshare', ['-fpm', '--mount-proc', 'true'], { stdio: 'ignore' }).status === 0;

describe.runIf(canIsolate).each([
  { connection: 'docker', host: 'db1', state: 'db1', vars: {} },
  { connection: 'kubectl', host: 'db1', state: 'prod.db1', vars: { kubectl_namespace: 'prod', kubectl_container: 'db' } },
] as readonly { connection: Node['connection']; host: string; state: string; vars: Node['vars'] }[])(
  'a container over $connection exec',
  ({ connection, host, state, vars }) => {
    let world: World;
    let deps: ActivityDeps;
    const path = process.env['PATH'];
    const running: ChildProcess[] = [];
    const node = (more: Partial<Node> = {}): Node => ({ name: 'c1', connection, host, labels: {}, vars, connectWithinMs: 5_000, ...more });
    /** Starts the container: a process with its own pids and mounts, whose /var/tmp outlives it. */
    const boot = async (prepare = ''): Promise<void> => {
      const child = spawn(
        'unshare',
        [
          '-fpm',
          '--mount-proc',
          'sh',
          '-ec',
          `mount -t tmpfs none /root; mkdir -p ${world.path('disk')}; mount --bind ${world.path('disk')} /var/tmp; chmod 1777 /var/tmp; ${prepare}\ntouch ${world.path('up')}; exec sleep 1000`,
        ],
        { stdio: ['ignore', 'ignore', 'ignore'] },
      );
      running.push(child);
      await until(() => existsSync(world.path('up')));
      rmSync(world.path('up'));
      writeFileSync(join(world.root, state), `${descendants(child.pid as number)[0]}\n`);
    };
    const stop = async (): Promise<void> => {
      for (const child of running.splice(0)) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        for (const pid of descendants(child.pid as number)) kill(pid, 'SIGKILL');
        await ended;
      }
    };
    const calls = (): string => world.read('calls');
    const runs = (): number => (existsSync(world.path('runs')) ? world.read('runs').split('\n').length - 1 : 0);

    beforeEach(() => {
      world = makeWorld();
      deps = plainDeps(world);
      process.env['PATH'] = `${STUBS}:${path ?? ''}`;
      process.env['STUB_STATE'] = world.root;
    });
    afterEach(async () => {
      nodePool(deps).close();
      await stop();
      process.env['PATH'] = path;
      delete process.env['STUB_STATE'];
      world.close();
    });

    it('runs commands inside, without terminal, with exit code and both outputs apart, in one client process', async () => {
      await boot();
      const result = await step(
        world,
        deps,
        node(),
        'a',
        'test -t 0 || echo no tty; ls /var/tmp; cat /proc/1/comm; echo "$X" >&2; exit 5',
        {
          command: { env: { X: 'x y' }, stdin: 'in' },
        },
      );
      expect(result).toMatchObject({ exitCode: 5, stdout: { text: 'no tty\nonetear-0\nsleep\n' }, stderr: { text: 'x y\n' } });
      expect(
        (await step(world, deps, node(), 'b', 'cat; echo $PATH; echo "${STUB_STATE-none}"', { command: { stdin: 'given' } })).stdout.text,
      ).toMatch(/^given.*\/usr\/sbin.*\nnone\n$/);
      expect(calls()).toBe(connection === 'docker' ? 'docker exec -i db1 /bin/sh\n' : 'kubectl exec -i db1 -c db -n prod -- /bin/sh\n');
    });

    it('runs as another user', async () => {
      await boot();
      expect((await step(world, deps, node(), 'a', 'id -un', { command: { user: 'daemon' } })).stdout.text).toBe('daemon\n');
      expect((await step(world, deps, node({ user: 'daemon' }), 'b', 'id -un')).stdout.text).toBe('daemon\n');
      expect((await step(world, deps, node(), 'c', 'id -un', { command: { sudo: true } })).stdout.text).toBe('root\n');
    });

    it('waits for a container that is not there yet, and says what the client says when it does not come', async () => {
      const { code, message } = await refusalOf(deps, node({ connectWithinMs: 700 }));
      expect(code).toBe('NODE_UNREACHABLE');
      expect(message).toMatch(connection === 'docker' ? /No such container: db1/ : /pods "db1" not found/);
      const result = step(world, deps, node({ connectWithinMs: 15_000 }), 'a', 'echo here');
      await sleep(300);
      await boot();
      expect((await result).stdout.text).toBe('here\n');
      await stop();
      const other = plainDeps(world);
      expect((await refusalOf(other, node({ connectWithinMs: 300 }))).message).toMatch(
        connection === 'docker' ? /is not running/ : /completed pod/,
      );
    });

    it('says at once that an image has no shell', async () => {
      await boot('mount --bind /dev/null /usr/bin/dash');
      const from = performance.now();
      const { code, message } = await refusalOf(deps, node({ connectWithinMs: 20_000 }));
      expect(code).toBe('NODE_REFUSED');
      expect(message).toMatch(/no shell in the container: \/bin\/sh cannot be started there/);
      expect(performance.now() - from).toBeLessThan(5_000);
    });

    it('finds a command again when the client process is killed in the middle', async () => {
      await boot();
      const result = step(world, deps, node(), 'a', `echo x >>${world.path('runs')}; sleep 1.2; echo end; exit 6`);
      await until(() => runs() > 0);
      for (const pid of clients()) kill(pid, 'SIGKILL');
      expect(await result).toMatchObject({ exitCode: 6, tries: 1, stdout: { text: 'end\n' } });
      expect(runs()).toBe(1);
      expect(calls().trim().split('\n').length).toBeGreaterThan(1);
    });

    it('says lost when the container was restarted while it ran: a restart is a new incarnation', async () => {
      await boot();
      const before = (await openSession(deps, node())).incarnation;
      const result = step(world, deps, node({ connectWithinMs: 10_000 }), 'a', `echo x >>${world.path('runs')}; sleep 30`);
      await until(() => runs() > 0);
      await stop();
      await sleep(100);
      await boot();
      const { verdict, reason, incarnation } = await result;
      expect([verdict, reason]).toEqual(['broken', 'command lost: the node was restarted while it ran (c1)']);
      expect(runs()).toBe(1);
      const after = (await openSession(deps, node())).incarnation;
      expect(after).not.toBe(before);
      expect(incarnation).toBe(before);
    });

    it('ends the whole tree on a cancel', async () => {
      await boot();
      const attendance = attend();
      const seconds = `64.${process.pid}`;
      const result = step(world, deps, node(), 'a', `sleep ${seconds} & setsid sleep 1${seconds} & echo x >>${world.path('runs')}; wait`, {
        attendance,
      });
      await until(() => runs() > 0);
      const sleepers = (): readonly number[] =>
        readdirSync('/proc')
          .filter((name) => /^\d+$/.test(name))
          .map(Number)
          .filter((pid) => lives(pid) && commandOf(pid).startsWith('sleep\0') && commandOf(pid).includes(seconds));
      await until(() => sleepers().length === 2);
      attendance.stop('cancel');
      expect((await result).reason).toMatch(/cancel/);
      expect(sleepers()).toEqual([]);
    });

    it('refuses names that are none', async () => {
      for (const bad of ['--privileged', 'deploy/web', 'a b', ''])
        expect((await refusalOf(deps, node({ host: bad }))).message).toMatch(/not the name of a (container|pod)/);
      expect((await refusalOf(deps, node(), { user: '-x', sudo: false })).message).toMatch(/not the name of a user/);
      expect(existsSync(world.path('calls'))).toBe(false);
    });
  },
);

/** The clients of this test and what they have entered; not the containers. */
function clients(): readonly number[] {
  return descendants(process.pid).filter((pid) => {
    const command = commandOf(pid);
    return command.startsWith('nsenter') || command.includes(STUBS);
  });
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
