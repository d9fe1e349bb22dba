import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  cancelJob,
  type JobSpec,
  type JobState,
  lookAtJob,
  lookAtJobs,
  loseJob,
  readJobText,
  settleJob,
  startJob,
} from '../../activities/nodes/job.ts';
import { jobPrelude } from '../../activities/nodes/job-prelude.ts';
import { localEnvironment, type NodeSession, openNodeSession } from '../../activities/nodes/node-session.ts';
import { lives, makeWorld, until, type World } from './support.ts';

const LONG = process.env['ONETEAR_LONG'] === '1';
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The whole protocol under one shell; a file per shell, so that they run side by side. */
export function describeJobs(shell: readonly string[]): void {
  describe(`jobs under ${shell.join(' ')}`, () => {
    let world: World;
    let session: NodeSession;
    const open = (direct = true): Promise<NodeSession> =>
      openNodeSession({ argv: shell, shell, env: localEnvironment(), jobRoot: world.root, direct, connectWithinMs: 5_000 });
    const id = (job: string): string => `${world.run}/${job}`;
    const spec = (job: string, script: string, more: Partial<JobSpec> = {}): JobSpec => ({
      job: id(job),
      runner: 'sh',
      script,
      prelude: jobPrelude(id(job), { W: world.root }, world.root),
      stdin: '',
      timeoutMs: 60_000,
      ...more,
    });
    const start = (job: string, script: string, more: Partial<JobSpec> = {}) =>
      startJob(session, spec(job, script, more), session.uptimeTicks() + 3_000);
    /** The state once nothing moves any more. */
    const final = async (job: string, withinMs = 15_000): Promise<JobState> => {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const { state } = await lookAtJob(session, id(job));
        if (!['absent', 'prepared', 'running', 'orphan'].includes(state.kind)) return state;
        if (Date.now() > deadline) throw new Error(`${job} is still ${state.kind}`);
        await sleep(20);
      }
    };
    const gate = (job: string): string => readFileSync(join(world.jobs, job, 'go'), 'utf8');
    const supervisor = (job: string): number => Number(gate(job).split('.')[1]);
    const command = (job: string): Promise<number> =>
      until(() => {
        const pid = Number(readFileSync(join(world.jobs, job, 'pid'), 'utf8').split('.')[0]);
        return pid > 0 && pid;
      });
    /** Runs of a script that appends a line to `runs`. */
    const runs = (): number => {
      try {
        return world.read('runs').split('\n').length - 1;
      } catch {
        return 0;
      }
    };

    beforeEach(async () => {
      world = makeWorld(shell);
      session = await open();
    });
    afterEach(() => {
      session.close();
      world.close();
    });

    it('keeps a gate that says who passed it, and a result that is whole or none', async () => {
      await start('a', 'echo out; echo err >&2; exit 7');
      expect(await final('a')).toMatchObject({ kind: 'done', how: 'exit', code: 7 });
      expect(gate('a')).toMatch(/^[0-9a-f]{16}-\d+\.\d+\.\d+\.\d+\n$/);
      const result = readFileSync(join(world.jobs, 'a', 'res'), 'utf8');
      expect(result).toMatch(/^[0-9a-f]{16}-\d+ \d+ e\.7\.\d+\n$/);
      expect(Buffer.byteLength(result)).toBeLessThan(60);
      // Half a result, as a full disk leaves it, is none.
      writeFileSync(join(world.jobs, 'a', 'res'), result.slice(0, -1));
      expect((await lookAtJob(session, id('a'))).state.kind).toBe('dead');
      symlinkSync(result.trim(), join(world.jobs, 'a', 'rs'));
      expect((await lookAtJob(session, id('a'))).state).toMatchObject({ kind: 'done', code: 7 });
      expect(readFileSync(join(world.jobs, 'a', 'out'), 'utf8')).toBe('out\n');
      expect(readFileSync(join(world.jobs, 'a', 'err'), 'utf8')).toBe('err\n');
      expect(readFileSync(join(world.jobs, 'a', 'log'), 'utf8')).toBe('');
    });

    it('reports the end over the stream', async () => {
      await start('a', 'exit 7');
      expect(await session.awaitEnd(id('a'), 5_000)).toMatch(/^e\.7\.\d+\.\d+$/);
    });

    it('runs one of 25 rival starts', async () => {
      const rivals = await Promise.all(Array.from({ length: 5 }, () => open()));
      try {
        for (let round = 0; round < (LONG ? 40 : 2); round++) {
          const job = `rival${round}`;
          const answers = await Promise.all(
            rivals.flatMap((rival) =>
              Array.from({ length: 5 }, () =>
                startJob(rival, spec(job, `echo ${round} >>"$W/runs"; sleep 0.05`), rival.uptimeTicks() + 3_000),
              ),
            ),
          );
          expect(answers.length).toBe(25);
          expect(await final(job)).toMatchObject({ kind: 'done', code: 0 });
          // Losers may still be on their way to the gate.
          await sleep(50);
          expect(runs()).toBe(round + 1);
        }
      } finally {
        for (const rival of rivals) rival.close();
      }
    }, 60_000);

    it('does not start again what is running or done', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 0.2');
      expect(await until(() => runs() === 1)).toBe(true);
      expect(await start('a', 'echo 2 >>"$W/runs"')).toEqual({ kind: 'exists' });
      expect(await final('a')).toMatchObject({ kind: 'done', code: 0 });
      expect(await start('a', 'echo 3 >>"$W/runs"')).toEqual({ kind: 'exists' });
      expect(runs()).toBe(1);
    });

    it('refuses a start that comes too late or for another incarnation', async () => {
      expect(await startJob(session, spec('late', 'echo 1 >>"$W/runs"'), session.uptimeTicks() - 100)).toEqual({
        kind: 'fenced',
        why: 'late',
      });
      expect(
        await startJob(
          { ...session, incarnation: '0123456789abcdef-1' },
          spec('other', 'echo 1 >>"$W/runs"'),
          session.uptimeTicks() + 3_000,
        ),
      ).toEqual({
        kind: 'fenced',
        why: 'incarnation',
      });
      await sleep(100);
      expect(runs()).toBe(0);
      expect((await lookAtJob(session, id('late'))).state.kind).not.toBe('running');
      // Nothing was decided: it may be started yet.
      await start('late', 'echo 1 >>"$W/runs"');
      expect(await final('late')).toMatchObject({ kind: 'done', code: 0 });
    });

    it('goes on when the shell of the stream is killed, and is found by the next one', async () => {
      await start('a', 'sleep 0.5; echo end; exit 9');
      await until(() => supervisor('a') > 1);
      process.kill(session.stream.pid as number, 'SIGKILL');
      await until(() => !session.stream.open);
      session = await open();
      expect((await lookAtJob(session, id('a'))).state.kind).toBe('running');
      expect(await final('a')).toMatchObject({ kind: 'done', code: 9 });
      expect(readFileSync(join(world.jobs, 'a', 'out'), 'utf8')).toBe('end\n');
    });

    it('says orphan, then dead, when the supervisor is killed; never a result, never a second run', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 0.6');
      await until(() => runs() === 1);
      await command('a');
      process.kill(supervisor('a'), 'SIGKILL');
      await until(() => !lives(supervisor('a')));
      expect((await lookAtJob(session, id('a'))).state.kind).toBe('orphan');
      expect(await final('a')).toMatchObject({ kind: 'dead', why: 'supervisor' });
      expect((await loseJob(session, id('a'), 'supervisor')).state).toMatchObject({ kind: 'lost', why: 'supervisor' });
      expect(await start('a', 'echo 2 >>"$W/runs"')).toEqual({ kind: 'exists' });
      expect(await final('a')).toMatchObject({ kind: 'lost', why: 'supervisor' });
      expect(runs()).toBe(1);
    });

    it('does not wait for what a dead command left in the background when its supervisor is dead too', async () => {
      await start('a', 'sleep 5 & echo $! >"$W/left"; echo 1 >>"$W/runs"; sleep 0.2');
      await until(() => runs() === 1);
      await command('a');
      process.kill(supervisor('a'), 'SIGKILL');
      expect(await final('a', 3_000)).toMatchObject({ kind: 'dead', why: 'supervisor' });
      process.kill(Number(world.read('left')));
    });

    it('records the code of a command that was killed', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 5');
      await until(() => runs() === 1);
      process.kill(await command('a'), 'SIGKILL');
      expect(await final('a')).toMatchObject({ kind: 'done', how: 'exit', code: 137 });
    });

    it('gives the true code although signals rain on the supervisor', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 0.4; exit 42');
      await until(() => runs() === 1);
      const pid = supervisor('a');
      for (let i = 0; lives(pid) && i < 400; i++) {
        for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGHUP'] as const) if (lives(pid)) process.kill(pid, signal);
        await sleep(2);
      }
      expect(await final('a')).toMatchObject({ kind: 'done', how: 'exit', code: 42 });
    });

    it('ends the whole tree at the timeout: group, session, and what left both', async () => {
      const script = `
      trap '' TERM
      echo $$ >>"$W/pids"
      sleep 60 & echo $! >>"$W/pids"
      setsid sh -c 'trap "" TERM; echo $$ >>"$W/pids"; sleep 61' &
      (exec setsid sleep 62) & echo $! >>"$W/pids"
      wait; sleep 60`;
      await start('a', script, { timeoutMs: 1_000 });
      const pids = await until(() => {
        const found = world.read('pids').trim().split('\n');
        return found.length === 4 && found.map(Number);
      });
      const state = (await final('a')) as Extract<JobState, { kind: 'done' }>;
      expect(state).toMatchObject({ kind: 'done', how: 'timeout' });
      // TERM at one second, KILL two seconds later.
      expect((state.endTicks - state.goTicks) * 10).toBeGreaterThanOrEqual(3_000);
      expect((state.endTicks - state.goTicks) * 10).toBeLessThan(8_000);
      expect(pids.filter(lives)).toEqual([]);
    }, 20_000);

    it('lets a command that obeys TERM end at once', async () => {
      await start('a', `trap 'echo bye; exit 0' TERM; sleep 60 & wait`, { timeoutMs: 500 });
      const state = (await final('a')) as Extract<JobState, { kind: 'done' }>;
      expect(state.how).toBe('timeout');
      expect((state.endTicks - state.goTicks) * 10).toBeLessThan(2_500);
      expect(readFileSync(join(world.jobs, 'a', 'out'), 'utf8')).toBe('bye\n');
    });

    it('ends the command at its timeout even when the supervisor is dead', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 60', { timeoutMs: 1_000 });
      await until(() => runs() === 1);
      const pid = await command('a');
      process.kill(supervisor('a'), 'SIGKILL');
      expect(await final('a')).toMatchObject({ kind: 'done', how: 'timeout', code: null });
      expect(await until(() => !lives(pid))).toBe(true);
    });

    it('ends the command at a long timeout although the engine was gone before it had looked', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 60', { timeoutMs: 4_000 });
      await until(() => runs() === 1);
      const pid = await command('a');
      // As the death of a worker looks to the node: the end of the shell's input.
      session.close();
      await until(() => !lives(pid), 12_000);
      session = await open();
      expect(await final('a')).toMatchObject({ kind: 'done', how: 'timeout' });
    }, 20_000);

    it('leaves background processes of a command alone when it ends by itself, and does not wait for them', async () => {
      await start('a', 'sleep 30 >/dev/null & echo $! >"$W/daemon"; exit 4');
      expect(await final('a', 3_000)).toMatchObject({ kind: 'done', code: 4 });
      const pid = Number(world.read('daemon'));
      expect(lives(pid)).toBe(true);
      process.kill(pid);
    });

    it('cancels: closes what has not begun, ends what runs, and leaves a result alone', async () => {
      expect((await cancelJob(session, id('new'), 'test')).state.kind).toBe('closed');
      expect(await start('new', 'echo 1 >>"$W/runs"')).toEqual({ kind: 'exists' });
      expect((await lookAtJob(session, id('new'))).state.kind).toBe('closed');
      expect(runs()).toBe(0);

      await start('busy', 'echo 1 >>"$W/runs"; setsid sleep 60 & echo $! >"$W/other"; sleep 60');
      await until(() => runs() === 1);
      const pid = await command('busy');
      await cancelJob(session, id('busy'), 'test');
      expect(await final('busy')).toMatchObject({ kind: 'done', how: 'cancel' });
      expect([pid, Number(world.read('other'))].filter(lives)).toEqual([]);

      await start('done', 'exit 5');
      await final('done');
      expect((await cancelJob(session, id('done'), 'test')).state).toMatchObject({ kind: 'done', how: 'exit', code: 5 });
    }, 20_000);

    it('cancels a command whose supervisor is dead', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 60');
      await until(() => runs() === 1);
      const pid = await command('a');
      process.kill(supervisor('a'), 'SIGKILL');
      await until(() => !lives(supervisor('a')));
      await cancelJob(session, id('a'), 'test');
      expect(await final('a')).toMatchObject({ kind: 'dead', why: 'supervisor' });
      expect(lives(pid)).toBe(false);
    });

    it('takes neither a reused pid nor a zombie for the supervisor', async () => {
      const folder = join(world.jobs, 'a');
      mkdirSync(folder, { recursive: true });
      // This process lives, but it was not started when the record says.
      writeFileSync(join(folder, 'go'), `${session.incarnation}.${process.pid}.1.100\n`);
      expect((await lookAtJob(session, id('a'))).state).toMatchObject({ kind: 'dead', why: 'supervisor' });

      // A parent that never waits makes its child a zombie.
      const parent = spawn('/bin/sh', ['-c', 'exit 0 & exec sleep 5'], { stdio: 'ignore' });
      const zombie = await until(() => {
        const children = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim();
        return children !== '' && readFileSync(`/proc/${children}/stat`, 'utf8').includes(') Z ') && children;
      });
      const startTicks = readFileSync(`/proc/${zombie}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
      mkdirSync(join(world.jobs, 'z'), { recursive: true });
      writeFileSync(join(world.jobs, 'z', 'go'), `${session.incarnation}.${zombie}.${startTicks}.100\n`);
      expect((await lookAtJob(session, id('z'))).state).toMatchObject({ kind: 'dead' });
      parent.kill();
    });

    it('knows whose a claim is that a full disk left empty', async () => {
      await start('a', 'echo 1 >>"$W/runs"; sleep 0.5; exit 3');
      await until(() => runs() === 1);
      const pid = supervisor('a');
      writeFileSync(join(world.jobs, 'a', 'go'), '');
      expect((await lookAtJob(session, id('a'))).state.kind).toBe('running');
      expect(await start('a', 'echo 2 >>"$W/runs"')).toEqual({ kind: 'exists' });
      process.kill(pid, 'SIGKILL');
      expect(await final('a')).toMatchObject({ kind: 'dead', why: 'supervisor', incarnation: session.incarnation });
      expect(runs()).toBe(1);

      mkdirSync(join(world.jobs, 'b'));
      writeFileSync(join(world.jobs, 'b', 'go'), '');
      expect((await lookAtJob(session, id('b'))).state.kind).toBe('closed');
    });

    it('says reboot for a job of another incarnation', async () => {
      mkdirSync(join(world.jobs, 'a'), { recursive: true });
      writeFileSync(join(world.jobs, 'a', 'go'), '0123456789abcdef-7.1.1.100\n');
      expect((await lookAtJob(session, id('a'))).state).toMatchObject({ kind: 'dead', why: 'reboot', incarnation: '0123456789abcdef-7' });
    });

    it('answers for several jobs at once, and keeps what was settled', async () => {
      await start('a', 'exit 1');
      await final('a');
      await settleJob(session, id('a'), `because "it" 'was' so`);
      const [a, b] = await lookAtJobs(session, [id('a'), id('b')]);
      expect(a).toMatchObject({ judged: true, state: { kind: 'done', code: 1 } });
      expect(b).toMatchObject({ judged: false, state: { kind: 'absent' } });
      expect(await readJobText(session, id('a'), 'why')).toBe(`because "it" 'was' so`);
    });

    it('gives a command its environment, folder, input and default signals, and nothing of ours', async () => {
      const prelude = jobPrelude(id('a'), { A: `it's "x"\n$HOME`, j: 'J', run: 'R', n: 'N', IFS: 'x' }, world.root);
      const script = `env | grep -v '^_=' | grep -v '^SHLVL=' | grep -v '^OLDPWD=' | grep -c .; printf '%s|' "$A" "$j" "$run" "$n" "$(pwd)" "$(cat)" "$(umask)"; grep SigIgn /proc/self/status | cut -f2`;
      process.env['LEAK'] = 'leak';
      await start('a', script, { prelude, stdin: 'in put' });
      delete process.env['LEAK'];
      await final('a');
      const out = readFileSync(join(world.jobs, 'a', 'out'), 'utf8');
      expect(out).toContain(`it's "x"\n$HOME|J|R|N|${world.root}|in put|0022|`);
      // No signal is ignored: neither what an asynchronous list ignores nor what the supervisor does.
      expect(out.trim().endsWith('0000000000000000')).toBe(true);
      expect(out).not.toContain('leak');
    });

    it('says so when the working directory cannot be entered, and does not run', async () => {
      await start('a', 'echo 1 >>"$W/runs"', { prelude: jobPrelude(id('a'), { W: world.root }, join(world.root, 'no-such')) });
      await final('a');
      expect((await lookAtJob(session, id('a'))).noCwd).toBe(true);
      expect(runs()).toBe(0);
    });

    it('survives kills of supervisor, command or both at random moments: done, or lost, never twice', async () => {
      const rounds = LONG ? 200 : 20;
      const kinds: { [kind: string]: number } = {};
      let seed = 42;
      const draw = (max: number): number => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        return Math.floor((seed / 2 ** 32) * max);
      };
      for (let round = 0; round < rounds; round++) {
        const job = `k${round}`;
        const asked = Promise.all(Array.from({ length: 3 }, () => start(job, `echo ${round} >>"$W/runs-${round}"; sleep 0.0${draw(6)}`)));
        await sleep(draw(25));
        const who = draw(3);
        try {
          // An empty file is one that is being written; pid 0 would be ourselves.
          const owner = supervisor(job);
          if (who !== 1 && owner > 1) process.kill(owner, 'SIGKILL');
          const pid = Number(readFileSync(join(world.jobs, job, 'pid'), 'utf8').split('.')[0]);
          if (who !== 0 && pid > 1) process.kill(pid, 'SIGKILL');
        } catch (error) {
          // It has not come so far, or is over already: that is one of the moments, too.
          if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        }
        await asked;
        await start(job, `echo again >>"$W/runs-${round}"`);
        const state = await final(job);
        kinds[state.kind] = (kinds[state.kind] ?? 0) + 1;
        const count = spawnSync('sh', ['-c', `cat "$1" 2>/dev/null | wc -l`, 'sh', world.path(`runs-${round}`)], {
          encoding: 'utf8',
        }).stdout.trim();
        // A job that is done ran once, unless the command was killed before its first line; one that is lost ran once or not at all.
        expect(Number(count), `round ${round}: ${JSON.stringify(state)}`).toBeLessThanOrEqual(1);
        const ranToItsEnd = state.kind === 'done' && state.code === 0;
        expect(Number(count), `round ${round}`).toBeGreaterThanOrEqual(ranToItsEnd ? 1 : 0);
      }
      expect((kinds['done'] ?? 0) + (kinds['dead'] ?? 0)).toBe(rounds);
    }, 120_000);

    it('reads files through the stream where it cannot read them itself', async () => {
      const far = await open(false);
      try {
        const bytes = Buffer.from(Array.from({ length: 700 }, (_, index) => index % 256));
        writeFileSync(world.path('bytes'), bytes);
        await startJob(far, spec('a', 'cat "$W/bytes"; echo oops >&2'), far.uptimeTicks() + 3_000);
        await final('a');
        const { jobOutput } = await import('../../activities/nodes/job-output.ts');
        const chunks: Buffer[] = [];
        for await (const chunk of (await jobOutput(far, id('a'), 'out')).chunks()) chunks.push(chunk);
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      } finally {
        far.close();
      }
    });
  });
}
