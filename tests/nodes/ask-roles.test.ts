import { existsSync, writeFileSync } from 'node:fs';
import { CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askRoles } from '../../activities/roles/ask-roles.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { AskRolesInput, RoleQuestion, RolesAnswer } from '../../dsl/model/workflow-io.ts';
import { address, attend, LOCAL, makeWorld, runInfo, shell, until, type World } from './support.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

const nodes: readonly Node[] = ['a', 'b', 'c'].map((name) => ({ ...LOCAL, name }));
/** Nothing listens there. */
const dead = (name: string): Node => ({ ...LOCAL, name, connection: 'ssh', host: '127.0.0.1', port: 1, connectWithinMs: 20_000 });

/** The role of the nodes whose name is a line of the file of the role's name; every question leaves a line in `asked`. */
const question = (role: string, more: Partial<RoleQuestion> = {}, asked: readonly Node[] = nodes, cmd?: string): RoleQuestion => ({
  role,
  expect: 'one',
  withinMs: 500,
  timeoutMs: 2_000,
  candidates: asked.map((node) => ({
    node,
    command: shell(cmd ?? `echo ${role} ${node.name} >>asked; grep -qx ${node.name} ${role}`),
    match: {},
    scope: {},
  })),
  ...more,
});
const input = (roles: readonly RoleQuestion[], more: Partial<AskRolesInput> = {}): AskRolesInput => ({
  v: 1,
  run: runInfo(world),
  address: address('s/roles'),
  roles,
  everyMs: 50,
  journal: [],
  ...more,
});
const ask = async (roles: readonly RoleQuestion[], more: Partial<AskRolesInput> = {}, attendance = attend()): Promise<RolesAnswer> => {
  try {
    return await askRoles(world.deps, input(roles, more), attendance);
  } catch (error) {
    const [answer] = (error as { details?: unknown[] }).details ?? [];
    if (!answer) throw error;
    return answer as RolesAnswer;
  }
};
const holders = (role: string, ...names: readonly string[]): void =>
  writeFileSync(world.path(role), names.map((name) => `${name}\n`).join(''));
const asked = (): readonly string[] => (existsSync(world.path('asked')) ? world.read('asked').trim().split('\n') : []);

describe('askRoles', () => {
  it('asks every candidate once per round and tells each answer', async () => {
    holders('primary', 'b');
    const answer = await ask([question('primary')]);
    expect(answer).toMatchObject({
      kind: 'roles',
      verdict: 'passed',
      rounds: 1,
      roles: [
        {
          role: 'primary',
          held: true,
          nodes: ['b'],
          results: [{ node: 'a', verdict: 'failed', exitCode: 1 }, { node: 'b', verdict: 'passed' }, { node: 'c' }],
        },
      ],
    });
    expect(asked().toSorted()).toEqual(['primary a', 'primary b', 'primary c']);
  });

  it('goes on until all roles hold in the same round; a role may look among the answers of another', async () => {
    holders('primary', 'a', 'b');
    holders('standby', 'a', 'c');
    setTimeout(() => holders('primary', 'a'), 300);
    const answer = await ask([question('primary', { withinMs: 8_000 }), question('standby', { expect: 'any', nodes: 'all:!primary' })], {
      selection: { nodes, groups: {} },
    });
    expect(answer).toMatchObject({
      verdict: 'passed',
      roles: [{ nodes: ['a'] }, { nodes: ['c'], results: [{ node: 'b' }, { node: 'c' }] }],
    });
    expect(answer.rounds).toBeGreaterThan(1);
  });

  it('says how many have it when that is not what is expected', async () => {
    holders('primary');
    holders('all', 'a', 'c');
    expect(await ask([question('primary')])).toMatchObject({
      verdict: 'failed',
      reason: expect.stringMatching(/^role primary: exactly one node expected within 500ms, but none of 3 have it: a: .*; b: .*; c: /),
    });
    expect((await ask([question('all', { expect: 'all' })])).reason).toMatch(
      /all 3 nodes expected within 500ms, but 2 of 3 have it \(a, c\)$/,
    );
    expect((await ask([question('primary', { expect: 0 })])).verdict).toBe('passed');
  });

  it('does not wait for a node that is down, and does not take it for an answer', async () => {
    holders('primary', 'b');
    const from = Date.now();
    const answer = await ask([question('primary', { withinMs: 10_000 }, [dead('x'), ...nodes])]);
    expect(answer).toMatchObject({
      verdict: 'passed',
      rounds: 1,
      roles: [{ nodes: ['b'], results: [{ node: 'x', verdict: 'broken' }, {}, {}, {}] }],
    });
    expect(Date.now() - from).toBeLessThan(9_000);
    const lost = await ask([question('primary', { withinMs: 100 }, [dead('x'), dead('y'), LOCAL])]);
    expect(lost.verdict).toBe('broken');
    expect(lost.reason).toContain('x: ');
  }, 40_000);

  it('ends a question that hangs at its limit: that node does not have the role', async () => {
    const answer = await ask([question('slow', { timeoutMs: 1_000 }, nodes.slice(0, 1), 'sleep 61')]);
    expect(answer).toMatchObject({ verdict: 'failed', roles: [{ results: [{ node: 'a', verdict: 'failed', timedOut: true }] }] });
  }, 30_000);

  it('waits for a condition over the answers', async () => {
    holders('primary', 'a');
    setTimeout(() => holders('primary', 'c'), 300);
    const condition = { expr: 'roles.primary.name != old', windowMs: 8_000, scope: { old: 'a' } };
    expect(await ask([question('primary')], { condition })).toMatchObject({ verdict: 'passed', roles: [{ nodes: ['c'] }] });
    const late = await ask([question('primary')], { condition: { ...condition, windowMs: 300, scope: { old: 'c' } } });
    expect(late).toMatchObject({ verdict: 'failed', reason: 'not within 300ms: roles.primary.name != old: it is false' });
    const wrong = await ask([question('primary')], { condition: { ...condition, windowMs: 300, scope: {} } });
    expect(wrong.verdict).toBe('broken');
  }, 30_000);

  it('ends what it asks on the node when it is cancelled; a next attempt asks anew', async () => {
    const long = question(
      'king',
      { withinMs: 60_000, timeoutMs: 60_000 },
      nodes.slice(0, 1),
      'echo king >>asked; echo $$ >pid; exec sleep 62',
    );
    const attendance = attend();
    const running = askRoles(world.deps, input([long]), attendance);
    const outcome = running.catch((error: unknown) => error);
    await until(() => existsSync(world.path('pid')) && world.read('pid') !== '');
    attendance.stop('cancel');
    const error = await outcome;
    expect(error).toBeInstanceOf(CancelledFailure);
    const pid = Number(world.read('pid'));
    await until(() => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });

    holders('primary', 'a');
    await ask([question('primary')], {}, attend(1));
    await ask([question('primary')], {}, attend(2));
    expect(asked().filter((line) => line === 'primary a')).toHaveLength(2);
  }, 40_000);
});
