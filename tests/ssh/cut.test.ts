import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ActivityDeps } from '../../activities/deps.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import { attend, lives, makeWorld, until, type World } from '../nodes/support.ts';
import { kill, run, type Sshd, startSshd } from './sshd.ts';
import { openSession, refusalOf, sleep, step } from './support.ts';

const LONG = process.env['ONETEAR_LONG'] === '1';
/** A server that has a network of its own can be cut off like a machine. */
const canIsolate = spawnSync('ip', ['netns', 'list'], { stdio: 'ignore' }).status === 0 && process.getuid?.() === 0;
const canMount = spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0;

describe('a command over ssh whose connection is cut', () => {
  let world: World;
  let deps: ActivityDeps;
  let sshd: Sshd;
  beforeEach(() => {
    world = makeWorld();
    deps = world.deps;
  });
  afterEach(async () => {
    nodePool(deps).close();
    await sshd.close();
    world.close();
  });
  const runs = (): number => (existsSync(world.path('runs')) ? world.read('runs').split('\n').length - 1 : 0);
  const begun = (): Promise<unknown> => until(() => runs() > 0, 10_000);
  /** Writes down that it ran, and goes on for a while. */
  const work = (seconds: number, code = 7): string =>
    `echo x >>${world.path('runs')}; echo before; sleep ${seconds}; echo after; exit ${code}`;

  it('is found again when the process that serves the connection is killed', async () => {
    sshd = await startSshd();
    const result = step(world, deps, sshd.node(), 'a', work(1.5));
    await begun();
    for (let i = 0; i < 3; i++) {
      sshd.killSessions();
      await sleep(300);
    }
    expect(await result).toMatchObject({ exitCode: 7, tries: 1, stdout: { text: 'before\nafter\n' } });
    expect(runs()).toBe(1);
  });

  it('runs once although the connection dies again and again at random moments', async () => {
    sshd = await startSshd();
    const rounds = LONG ? 150 : 12;
    for (let round = 0; round < rounds; round++) {
      const file = world.path(`round${round}`);
      const result = step(world, deps, sshd.node({ connectWithinMs: 20_000 }), `r${round}`, `echo x >>${file}; sleep 0.1; exit 5`);
      await sleep(Math.random() * 200);
      sshd.killSessions();
      const { exitCode, verdict, reason } = await result;
      const count = existsSync(file) ? readFileSync(file, 'utf8').length / 2 : 0;
      expect([exitCode, verdict, count, reason ?? '']).toEqual([5, 'failed', 1, 'exit code 5, expected 0']);
    }
  }, 120_000);

  it('survives a restart of sshd', async () => {
    sshd = await startSshd();
    const result = step(world, deps, sshd.node({ connectWithinMs: 10_000 }), 'a', work(1.5));
    await begun();
    await sshd.stop();
    sshd.killSessions();
    for (const pid of pidsOf(sshd)) kill(pid, 'SIGKILL');
    await sleep(500);
    await sshd.start();
    expect(await result).toMatchObject({ exitCode: 7, stdout: { text: 'before\nafter\n' } });
    expect(runs()).toBe(1);
  });

  it('is waited for as long as it may run, longer than connect_within', async () => {
    sshd = await startSshd();
    await openSession(deps, sshd.node());
    const result = step(world, deps, sshd.node({ connectWithinMs: 300 }), 'a', work(0.5), { input: { timeoutMs: 20_000 } });
    await begun();
    await sshd.stop();
    for (const pid of pidsOf(sshd)) kill(pid, 'SIGKILL');
    await sleep(1_500);
    await sshd.start();
    expect(await result).toMatchObject({ exitCode: 7, stdout: { text: 'before\nafter\n' } });
    expect(runs()).toBe(1);
  });

  it('is lost, not run again, when the node does not come back', async () => {
    sshd = await startSshd();
    await openSession(deps, sshd.node());
    const result = step(world, deps, sshd.node({ connectWithinMs: 500 }), 'a', work(0.2), { input: { timeoutMs: 1_000 } });
    await begun();
    await sshd.stop();
    for (const pid of pidsOf(sshd)) kill(pid, 'SIGKILL');
    const { verdict, reason, exitCode } = await result;
    expect([verdict, exitCode]).toEqual(['broken', null]);
    expect(reason).toMatch(/^command lost: node pg1 cannot be reached any more: ssh root@.*: connection refused/);
    await sshd.start();
    // The next attempt of the same activity finds the records and tells the truth.
    expect(await step(world, deps, sshd.node(), 'a', work(0.2), { attendance: attend(2) })).toMatchObject({
      exitCode: 7,
      stdout: { text: 'before\nafter\n' },
    });
    expect(runs()).toBe(1);
  });

  it('is lost when the node has another key afterwards', async () => {
    sshd = await startSshd();
    const result = step(world, deps, sshd.node({ connectWithinMs: 5_000 }), 'a', work(1));
    await begun();
    writeFileSync(sshd.knownHosts, readFileSync(sshd.knownHosts, 'utf8').replace(/^/, '@revoked '));
    sshd.killSessions();
    const { verdict, reason } = await result;
    expect(verdict).toBe('broken');
    expect(reason).toMatch(/^command lost: node pg1 refuses us now: .*(unknown|revoked) host key/);
    expect(runs()).toBe(1);
  });

  it('is ended with all it started when it is cancelled, also while the connection is down', async () => {
    sshd = await startSshd();
    const script = `(setsid sleep 61.5 & echo $! >>${world.path('pids')}); sleep 62.5 & echo $! >>${world.path('pids')}; echo $$ >>${world.path('pids')}; echo x >>${world.path('runs')}; wait`;
    for (const down of [false, true]) {
      const attendance = attend();
      const result = step(world, deps, sshd.node({ connectWithinMs: 10_000 }), `c${String(down)}`, script, { attendance });
      await until(() => runs() > (down ? 1 : 0), 10_000);
      if (down) {
        await sshd.stop();
        for (const pid of pidsOf(sshd)) kill(pid, 'SIGKILL');
      }
      attendance.stop('cancel');
      if (down) {
        await sleep(300);
        await sshd.start();
      }
      expect((await result).reason).toMatch(/cancel/);
      for (const pid of world.read('pids').trim().split('\n').map(Number)) expect([pid, lives(pid)]).toEqual([pid, false]);
    }
  }, 40_000);

  it('is ended at its timeout by the node itself while the connection is down', async () => {
    sshd = await startSshd();
    const result = step(
      world,
      deps,
      sshd.node({ connectWithinMs: 10_000 }),
      'a',
      `echo $$ >${world.path('pid')}; echo x >>${world.path('runs')}; sleep 63.5`,
      {
        input: { timeoutMs: 1_000 },
      },
    );
    await begun();
    await sshd.stop();
    for (const pid of pidsOf(sshd)) kill(pid, 'SIGKILL');
    const pid = Number(world.read('pid'));
    await until(() => !lives(pid), 10_000);
    await sshd.start();
    expect(await result).toMatchObject({ verdict: 'failed', timedOut: true });
  });

  it('detaches at once when the worker stops while the node is away, and another attempt goes on', async () => {
    sshd = await startSshd();
    const attendance = attend();
    const first = step(world, deps, sshd.node({ connectWithinMs: 20_000 }), 'a', work(1), { attendance }).catch((error: unknown) => error);
    await begun();
    await sshd.stop();
    for (const pid of pidsOf(sshd)) kill(pid, 'SIGKILL');
    await sleep(200);
    const from = performance.now();
    attendance.stop('detach');
    await first;
    expect(performance.now() - from).toBeLessThan(5_000);
    await sshd.start();
    expect(await step(world, deps, sshd.node(), 'a', work(1), { attendance: attend(2) })).toMatchObject({ exitCode: 7 });
    expect(runs()).toBe(1);
  });

  describe.runIf(canIsolate)('on a machine of its own', () => {
    const net = `otssh${process.pid}`;
    const link = `ots${process.pid % 100_000}`;
    const address = `10.213.${process.pid % 250}.2`;
    beforeEach(async () => {
      run('ip', ['netns', 'add', net]);
      run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', net]);
      run('ip', ['addr', 'add', address.replace(/2$/, '1/24'), 'dev', link]);
      run('ip', ['link', 'set', link, 'up']);
      run('ip', ['netns', 'exec', net, 'ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
      for (const device of ['lo', 'eth0']) run('ip', ['netns', 'exec', net, 'ip', 'link', 'set', device, 'up']);
      sshd = await startSshd({ before: ['ip', 'netns', 'exec', net], address, port: 22 });
      await sshd.start();
    });
    afterEach(() => {
      spawnSync('ip', ['link', 'del', link]);
      spawnSync('ip', ['netns', 'del', net]);
    });
    /** Nothing gets in or out any more, and nobody is told: both sides send to a machine that does not exist. */
    const cut = (yes: boolean): void => {
      const gateway = address.replace(/2$/, '1');
      const wrong = ['lladdr', '02:00:00:00:00:01'];
      const change = (to: string, device: string): string[] =>
        yes ? ['neigh', 'replace', to, ...wrong, 'dev', device, 'nud', 'permanent'] : ['neigh', 'del', to, 'dev', device];
      run('ip', change(address, link));
      run('ip', ['netns', 'exec', net, 'ip', ...change(gateway, 'eth0')]);
    };

    it('is found again after all packets were dropped for a while', async () => {
      const seconds = LONG ? 30 : 12;
      const result = step(world, deps, sshd.node({ connectWithinMs: 60_000 }), 'a', work(2), { input: { timeoutMs: 120_000 } });
      await begun();
      cut(true);
      await sleep(seconds * 1_000);
      cut(false);
      expect(await result).toMatchObject({ exitCode: 7, tries: 1, stdout: { text: 'before\nafter\n' } });
      expect(runs()).toBe(1);
    }, 120_000);

    it('does not start late: what hung in the cut network is refused by the node when nobody waits any more', async () => {
      await openSession(deps, sshd.node());
      cut(true);
      const result = step(world, deps, sshd.node({ connectWithinMs: 1_000 }), 'late', `echo x >>${world.path('runs')}`, {
        input: { timeoutMs: 1_000 },
      });
      const { verdict, reason } = await result;
      expect(verdict).toBe('broken');
      // It may have been started: the request was on its way. So it is not said that it was not.
      expect(reason).toMatch(
        /^command lost: node pg1 cannot be reached any more: .*timed out: no answer at all; the machine is down, or something on the way drops the packets/,
      );
      cut(false);
      await sleep(3_000);
      expect(runs()).toBe(0);
    }, 60_000);
  });

  describe.runIf(canMount)('by a restart of the machine', () => {
    const boot = (id: string): string => `${id}-1111-2222-3333-444444444444\n`;
    beforeEach(async () => {
      writeFileSync(world.path('boot'), boot('aaaaaaaa'));
      sshd = await startSshd({
        before: ['unshare', '-m', 'sh', '-c', `mount --bind ${world.path('boot')} /proc/sys/kernel/random/boot_id && exec "$@"`, 'sh'],
      });
    });
    const reboot = async (): Promise<void> => {
      await sshd.stop();
      for (const pid of [...pidsOf(sshd), ...jobPids(world)]) kill(pid, 'SIGKILL');
      writeFileSync(world.path('boot'), boot('bbbbbbbb'));
      await sshd.start();
    };

    it('is lost, and not run again', async () => {
      const result = step(world, deps, sshd.node({ connectWithinMs: 10_000 }), 'a', work(30));
      await begun();
      await reboot();
      const { verdict, reason } = await result;
      expect([verdict, reason]).toEqual(['broken', 'command lost: the node was restarted while it ran (pg1)']);
      expect(runs()).toBe(1);
      expect((await openSession(deps, sshd.node())).incarnation).toMatch(/^bbbbbbbb/);
    });

    it('is not run again either when the restart took the records with it', async () => {
      const result = step(world, deps, sshd.node({ connectWithinMs: 10_000 }), 'a', work(30));
      await begun();
      await sshd.stop();
      for (const pid of [...pidsOf(sshd), ...jobPids(world)]) kill(pid, 'SIGKILL');
      run('rm', ['-rf', world.jobs]);
      writeFileSync(world.path('boot'), boot('bbbbbbbb'));
      await sshd.start();
      expect((await result).reason).toBe('command lost: the node has no records of it any more (pg1)');
      expect(runs()).toBe(1);
    });
  });

  it('does not confuse servers: one that is gone is refused', async () => {
    sshd = await startSshd();
    await sshd.stop();
    expect((await refusalOf(deps, sshd.node({ connectWithinMs: 200 }))).code).toBe('NODE_UNREACHABLE');
  });
});

/** Processes of a server that has been stopped: those that still serve connections, found by the config they were started with. */
function pidsOf(sshd: Sshd): readonly number[] {
  return processes(
    (pid) => readText(`/proc/${pid}/comm`).startsWith('sshd') && readText(`/proc/${pid}/maps`).length >= 0 && servesUs(pid, sshd),
  );
}

function servesUs(pid: number, sshd: Sshd): boolean {
  // Its log is open in every one of them.
  return spawnSync('sh', ['-c', `ls -l /proc/${pid}/fd 2>/dev/null | grep -qF ${sshd.path('sshd.log')}`]).status === 0;
}

/** Everything that runs for the jobs of a world: commands by their cookie, supervisors by their records. */
function jobPids(world: World): readonly number[] {
  const commands = processes((pid) => readText(`/proc/${pid}/environ`).includes(`ONETEAR_JOB=${world.run}/`));
  const supervisors = spawnSync('sh', ['-c', `cat ${join(world.jobs, '*', 'go')} 2>/dev/null; ls -l ${world.jobs}/*/go 2>/dev/null`], {
    encoding: 'utf8',
  });
  return [...commands, ...[...supervisors.stdout.matchAll(/[0-9a-f]{16}-\d+\.(\d+)\./g)].map((match) => Number(match[1]))];
}

function processes(matches: (pid: number) => boolean): readonly number[] {
  return spawnSync('ls', ['/proc'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(matches);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
