import { spawnSync } from 'node:child_process';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type JobSpec, type JobState, lookAtJob, settleJob, startJob } from '../../activities/nodes/job.ts';
import { jobPrelude } from '../../activities/nodes/job-prelude.ts';
import { jobOutput } from '../../activities/nodes/job-output.ts';
import { localEnvironment, type NodeSession, openNodeSession } from '../../activities/nodes/node-session.ts';
import { makeWorld, SHELLS, type World } from './support.ts';

/** Root in a private mount namespace can have a disk of its own that is small enough to fill. */
const canMount = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=64k none /mnt'], { stdio: 'ignore' }).status === 0;

describe.runIf(canMount).each(SHELLS)('a full disk under %s %s', (...words) => {
  const shell = words.filter((word) => word !== undefined);
  let world: World;
  let session: NodeSession;
  /** A node whose job folder is a file system with few blocks and inodes. */
  const open = (options: string): Promise<NodeSession> =>
    openNodeSession({
      argv: ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o ${options} none "$1" && shift && exec "$@"`, 'sh', world.root, ...shell],
      shell,
      env: localEnvironment(),
      jobRoot: world.root,
      direct: false,
      connectWithinMs: 5_000,
    });
  const start = (name: string, script: string, more: Partial<JobSpec> = {}) => {
    const job = `${world.run}/${name}`;
    const spec = {
      job,
      runner: 'sh' as const,
      script,
      prelude: jobPrelude(job, { W: world.root }, world.root),
      stdin: '',
      timeoutMs: 20_000,
      ...more,
    };
    return startJob(session, spec, session.uptimeTicks() + 3_000);
  };
  const final = async (name: string): Promise<JobState> => {
    for (let turn = 0; turn < 500; turn++) {
      const { state } = await lookAtJob(session, `${world.run}/${name}`);
      if (state.kind !== 'running' && state.kind !== 'prepared') return state;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('it does not end');
  };
  beforeEach(() => {
    world = makeWorld(shell);
  });
  afterEach(() => {
    session.close();
    world.close();
  });

  it('does not lose the result of a command that fills it, nor that it is settled', async () => {
    session = await open('size=256k,mode=755');
    await start('a', 'echo begin; dd if=/dev/zero of="$W/fill" bs=4k >/dev/null 2>&1; exit 5');
    expect(await final('a')).toMatchObject({ kind: 'done', how: 'exit', code: 5 });
    await settleJob(session, `${world.run}/a`, 'exit code 5');
    expect((await lookAtJob(session, `${world.run}/a`)).judged).toBe(true);
    const chunks: Buffer[] = [];
    for await (const chunk of (await jobOutput(session, `${world.run}/a`, 'out')).chunks()) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('begin\n');
  });

  it('refuses to start what it cannot store, and says why; nothing of it runs', async () => {
    session = await open('size=256k,mode=755');
    await start('a', 'dd if=/dev/zero of="$W/fill" bs=4k >/dev/null 2>&1; exit 0');
    await final('a');
    await expect(start('b', `echo ran >"$W/ran"\n${'#'.repeat(8_000)}`)).rejects.toMatchObject({
      code: 'NODE_REFUSED',
      message: expect.stringMatching(/disk full/) as unknown,
    });
    expect((await lookAtJob(session, `${world.run}/b`)).state.kind).toBe('prepared');
  });

  it('refuses to start without inodes', async () => {
    session = await open('size=1m,nr_inodes=4,mode=755');
    await expect(start('a', 'true')).rejects.toMatchObject({ code: 'NODE_REFUSED' });
  });
});
