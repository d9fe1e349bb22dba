import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ActivityDeps } from '../../activities/deps.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import { blobPath } from '../../activities/store/blob-store.ts';
import { makeWorld, type World } from '../nodes/support.ts';
import { run, type Sshd, startSshd } from './sshd.ts';
import { openSession, plainDeps, refusalOf, step } from './support.ts';

const LONG = process.env['ONETEAR_LONG'] === '1';
const canMount =
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' }).status === 0;

/** Machines that are not like ours: a mount namespace around an sshd gives them other files. */
describe.runIf(canMount)('a node over ssh', () => {
  let world: World;
  let deps: ActivityDeps;
  let sshd: Sshd;
  const machine = async (setup: string): Promise<Sshd> => {
    // Homes and folders for jobs of its own, so that nothing is left on this machine.
    sshd = await startSshd({
      before: [
        'unshare',
        '-m',
        'sh',
        '-ec',
        `mount -t tmpfs none /root; mount -t tmpfs -o mode=1777 none /var/tmp; ${setup}\nexec "$@"`,
        'sh',
      ],
    });
    return sshd;
  };
  beforeEach(() => {
    world = makeWorld();
    deps = plainDeps(world);
  });
  afterEach(async () => {
    nodePool(deps).close();
    await sshd.close();
    world.close();
  });

  it('needs neither bash nor Python nor GNU tools: busybox ash does', async () => {
    await machine(
      [
        `mkdir -p ${world.path('bin')}; cp /bin/busybox ${world.path('bin')}/busybox`,
        `for tool in $(${world.path('bin')}/busybox --list); do case $tool in ash|base64) ;; *) ln -sf busybox ${world.path('bin')}/$tool ;; esac; done`,
        // Only busybox in all folders of programs; sshd itself needs its own, which is elsewhere.
        `for folder in /usr/bin /usr/local/bin /usr/local/sbin; do mount --bind ${world.path('bin')} $folder; done`,
        `printf 'root:x:0:0:root:/root:/bin/sh\\nsshd:x:100:65534::/run/sshd:/bin/sh\\n' >${world.path('passwd')}; ${world.path('bin')}/busybox mount --bind ${world.path('passwd')} /etc/passwd`,
      ].join('\n'),
    );
    const node = sshd.node();
    const what = await step(
      world,
      deps,
      node,
      'a',
      'readlink -f /bin/sh; command -v bash python3 base64; printf "a\\000b\\377" >&2; exit 4',
    );
    expect(what).toMatchObject({ exitCode: 4, stdout: { text: expect.stringMatching(/busybox\n$/) } });
    expect(what.stderr).toMatchObject({ bytes: 4, text: 'a\0b\uFFFD' });
    // Longer than one piece, through the encoding that is left without base64.
    const long = await step(
      world,
      deps,
      node,
      'b',
      'i=0; while [ $i -lt 20000 ]; do echo "line $i of a long text that goes on and on and on"; i=$((i + 1)); done',
    );
    expect(long).toMatchObject({ exitCode: 0, stdout: { truncated: true } });
    const text = readFileSync(blobPath(world.deps.storeDir, long.stdout.artifact ?? ''), 'utf8');
    expect(text.split('\n').length).toBe(20_001);
    expect(text).toContain('line 19999 of a long text that goes on and on and on\n');
    const bash = await step(world, deps, node, 'c', 'true', { command: { shell: 'bash' } });
    expect([bash.verdict, bash.reason]).toEqual(['broken', 'pg1: there is no bash on the node']);
    const slow = await step(world, deps, node, 'd', 'sleep 60', { input: { timeoutMs: 600 } });
    expect(slow).toMatchObject({ verdict: 'failed', timedOut: true });
  }, 30_000);

  it('runs commands where nothing may be executed from /tmp and /var/tmp', async () => {
    await machine('mount -o remount,noexec /var/tmp; mount -t tmpfs -o noexec none /mnt');
    expect(await step(world, deps, sshd.node(), 'a', 'echo ran; grep -c "/var/tmp .*noexec" /proc/mounts')).toMatchObject({
      exitCode: 0,
      stdout: { text: 'ran\n1\n' },
    });
  });

  it('keeps its jobs at home when /var/tmp is read-only, also after it has become writable', async () => {
    await machine(`mount -o remount,ro /var/tmp`);
    const node = sshd.node();
    expect((await openSession(deps, node)).baseDir).toBe('/root/.onetear-jobs');
    expect(await step(world, deps, node, 'a', 'mount -o remount,rw /var/tmp; echo ran')).toMatchObject({ exitCode: 0 });
    sshd.killSessions();
    const other = plainDeps(world);
    expect((await openSession(other, node)).baseDir).toBe('/root/.onetear-jobs');
    nodePool(other).close();
  });

  it('says so when there is no place for jobs at all: read-only, full, or taken by another', async () => {
    await machine('mount -o remount,ro /var/tmp; mount -o remount,ro /root');
    expect(await refusalOf(deps, sshd.node())).toMatchObject({
      code: 'NODE_REFUSED',
      message: expect.stringMatching(
        /no private folder for jobs: .*\/var\/tmp\/onetear-0.*: Read-only file system; .*\/root\/\.onetear-jobs.*: Read-only file system/,
      ),
    });
    await sshd.close();
    const full = plainDeps(world);
    await machine('umount /root; mount -t tmpfs -o nr_inodes=1 none /root; mount -t tmpfs -o nr_inodes=1 none /var/tmp');
    expect(await refusalOf(full, sshd.node())).toMatchObject({
      code: 'NODE_REFUSED',
      message: expect.stringMatching(/onetear-0.*: No space left on device/),
    });
    await sshd.close();
    const taken = plainDeps(world);
    await machine('ln -s /etc /var/tmp/onetear-0; ln -s /etc /root/.onetear-jobs');
    expect((await refusalOf(taken, sshd.node())).message).toMatch(/onetear-0: is there, but is not a folder of ours with mode 0700/);
    for (const each of [full, taken]) nodePool(each).close();
  });

  it('says that its disk is full instead of running half a command', async () => {
    await machine('mount -t tmpfs -o size=8k,mode=1777 none /var/tmp');
    const node = sshd.node();
    await step(world, deps, node, 'a', 'true');
    const result = await step(world, deps, node, 'b', `: ${'x'.repeat(20_000)}`);
    expect([result.verdict, result.reason]).toEqual(['broken', 'pg1: the node cannot store the files of the command (disk full?)']);
  });

  it('is not confused by what a login shell says', async () => {
    await machine('printf "echo noise; printf more-noise; echo complaint >&2\\n" >/root/.bashrc');
    expect(await step(world, deps, sshd.node(), 'a', 'echo clean')).toMatchObject({
      exitCode: 0,
      stdout: { text: 'clean\n' },
      stderr: { bytes: 0 },
    });
  });

  describe('with sudo', () => {
    const user = 'nobody';
    /** A machine on which we log in as a user of its own, with some right to sudo. */
    const sudoMachine = async (rule: string, password = ''): Promise<Sshd> => {
      const hash = password === '' ? '*' : run('perl', ['-e', 'print crypt($ARGV[0], q($6$onetear$))', password]);
      mkdirSync(world.path('etc'), { recursive: true });
      const passwd = readFileSync('/etc/passwd', 'utf8').replace(/^nobody:.*$/m, 'nobody:x:65534:65534:nobody:/var/tmp:/bin/sh');
      writeFileSync(world.path('etc/passwd'), passwd, { mode: 0o644 });
      writeFileSync(world.path('etc/shadow'), readFileSync('/etc/shadow', 'utf8').replace(/^nobody:[^:]*:/m, `nobody:${hash}:`), {
        mode: 0o640,
      });
      writeFileSync(world.path('etc/sudoers'), `Defaults !fqdn\n${rule}\n`, { mode: 0o440 });
      const server = await machine(
        ['passwd', 'shadow', 'sudoers'].map((file) => `mount --bind ${world.path(`etc/${file}`)} /etc/${file}`).join('; '),
      );
      writeFileSync(server.configFile, readFileSync(server.configFile, 'utf8').replace('User root', `User ${user}`));
      return server;
    };
    const asRoot = { command: { sudo: true } };

    it('that wants no password', async () => {
      const server = await sudoMachine(`${user} ALL=(ALL) NOPASSWD: ALL`);
      const node = server.node({ user });
      expect((await step(world, deps, node, 'a', 'id -un')).stdout.text).toBe('nobody\n');
      expect((await step(world, deps, node, 'b', 'id -un; echo $HOME', asRoot)).stdout.text).toBe('root\n/root\n');
      expect((await step(world, deps, node, 'c', 'id -un', { command: { user: 'daemon' } })).stdout.text).toBe('daemon\n');
      // A password that is not asked for must not become a command.
      const careless = plainDeps(world, { sudoPassword: async () => 'echo pwned >/var/tmp/pwned' });
      expect((await step(world, careless, node, 'd', 'test ! -e /var/tmp/pwned && id -un', asRoot)).stdout.text).toBe('root\n');
      nodePool(careless).close();
    });

    it('that wants a password', async () => {
      const server = await sudoMachine(`${user} ALL=(ALL) ALL`, 'correct horse');
      const node = server.node({ user });
      const given = plainDeps(world, { sudoPassword: async (_, who) => (who === user ? 'correct horse' : undefined) });
      const result = await step(
        world,
        given,
        node,
        'a',
        'id -un; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\000" "\\n" | grep -c "correct hors[e]"',
        asRoot,
      );
      expect(result.stdout.text).toBe('root\n0\n');
      nodePool(given).close();

      const none = await refusalOf(deps, node, { sudo: true });
      expect(none.code).toBe('NODE_REFUSED');
      expect(none.message).toMatch(
        /wants a password for user nobody, and none is given: allow it without one \(NOPASSWD in sudoers\), or log in as root/,
      );
      let asked = 0;
      const wrong = plainDeps(world, {
        sudoPassword: async () => {
          asked++;
          return 'wrong';
        },
      });
      expect((await refusalOf(wrong, node, { sudo: true })).message).toMatch(/does not accept the password of user nobody/);
      // Once: accounts are locked after a few.
      expect(asked).toBe(1);
      nodePool(wrong).close();
    }, 20_000);

    it('that is not allowed', async () => {
      const server = await sudoMachine('root ALL=(ALL) ALL', 'correct horse');
      const given = plainDeps(world, { sudoPassword: async () => 'correct horse' });
      const { code, message } = await refusalOf(given, server.node({ user }), { sudo: true });
      expect(code).toBe('NODE_REFUSED');
      expect(message).toMatch(/user nobody cannot become root on 127\.0\.0\.1 \(exit 1\): .*not in the sudoers/);
      nodePool(given).close();
      expect((await refusalOf(deps, server.node({ user }), { user: 'x; reboot', sudo: false })).message).toMatch(/not a user name/);
    });
  });

  // Up to the limit of 64 MiB every byte is kept; beyond it the first 64 MiB, and the worker does not grow with what the node has.
  it.each(LONG ? [60, 1_024] : [60])(
    'keeps the worker small while %i MiB of output are read',
    async (mib) => {
      await machine('mount -t tmpfs -o mode=1777,size=2g none /var/tmp');
      let peak = 0;
      const before = process.memoryUsage().rss;
      const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
      const from = performance.now();
      const result = await step(world, deps, sshd.node(), 'huge', `head -c ${mib * 1_048_576} /dev/zero | tr '\\000' 'x'; echo end`, {
        input: { timeoutMs: 300_000 },
      });
      clearInterval(timer);
      const seconds = (performance.now() - from) / 1_000;
      const bytes = mib * 1_048_576 + 4;
      expect(result).toMatchObject({ exitCode: 0, stdout: { truncated: true } });
      const file = blobPath(world.deps.storeDir, result.stdout.artifact ?? '');
      if (mib < 64) {
        expect(result.stdout.bytes).toBe(bytes);
        expect(result.stdout.text.endsWith('xend\n')).toBe(true);
        expect(run('sha256sum', [file])).toContain(file.slice(-64));
      } else {
        // The node gives back what is beyond the limit while the command still writes, so the count is not exact.
        expect(result.stdout.bytes).toBeGreaterThan(0.9 * bytes);
      }
      const kept = Number(run('wc', ['-c', file]).split(' ')[0]);
      // With a line that says what is missing.
      expect(Math.floor(kept / 1_048_576)).toBe(Math.min(mib, 64));
      const grownMib = (peak - before) / 1_048_576;
      console.info(`${mib} MiB over ssh in ${seconds.toFixed(1)} s, memory grew by ${grownMib.toFixed(0)} MiB`);
      expect(grownMib).toBeLessThan(150);
    },
    400_000,
  );
});
