import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { scriptFor } from '../../activities/logs/logs-command.ts';
import { SINCE_AWK } from '../../activities/logs/since-awk.ts';
import { runCommand } from '../../activities/run-command.ts';
import type { ValueMap } from '../../dsl/model/value.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { attend, commandInput, makeWorld, settle, type World } from '../nodes/support.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.close());

let steps = 0;
async function run(options: ValueMap, more: Partial<RunCommandInput> & { readonly env?: { readonly [name: string]: string } } = {}) {
  const { env = {}, ...rest } = more;
  const command = { run: 'logs' as const, options, env, shell: 'sh' as const, sudo: false, secrets: [] };
  return settle(runCommand(world.deps, commandInput(world, `l${++steps}`, '', { command, ...rest }), attend()));
}

describe('files', () => {
  it('are stdout: one, or those of a pattern; a name is never code', async () => {
    writeFileSync(world.path('a b$(touch x).log'), 'one\n');
    writeFileSync(world.path('c.log'), 'two\n');
    expect((await run({ path: 'a b$(touch x).log' }, { expect: { equals: 'one' } })).result?.verdict).toBe('passed');
    expect((await run({ path: `${world.root}/*.log` }, { expect: { equals: 'one\ntwo' } })).result?.verdict).toBe('passed');
    expect((await run({ path: 'nothing.log' })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 1,
      reason: expect.stringContaining('nothing.log'),
    });
    expect((await run({ path: '*.none', since: '5m' })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 1,
      reason: expect.stringContaining('*.none'),
    });
  });

  it('since a moment: only what is newer, lines without a time with those before them', async () => {
    const now = Date.now();
    const stamp = (agoMs: number): string => new Date(now - agoMs).toISOString().replace('T', ' ').replace('Z', ' UTC');
    writeFileSync(world.path('pg.log'), `${stamp(60_000)} [1] LOG:  old\n\tits detail\n${stamp(1_000)} [1] LOG:  new\n\tdetail of new\n`);
    const { result } = await run(
      { path: 'pg.log', since: '10s' },
      { expect: { lines: 2, contains: ['new', 'detail of new'], not_contains: ['old'] } },
    );
    expect(result?.reason).toBeUndefined();
    expect((await run({ path: 'pg.log', since: (now - 500) / 1_000 }, { expect: { empty: true } })).result?.verdict).toBe('passed');
    expect((await run({ path: 'pg.log', since: new Date(now - 120_000).toISOString() }, { expect: { lines: 4 } })).result?.verdict).toBe(
      'passed',
    );
    expect((await run({ path: 'pg.log', since: 'yesterday' })).result).toMatchObject({
      verdict: 'broken',
      reason: expect.stringContaining('since'),
    });
    writeFileSync(world.path('odd.log'), 'no times here\n');
    expect((await run({ path: 'odd.log', since: '1m' })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 3,
      reason: expect.stringContaining('no line has a time'),
    });
    appendFileSync(world.path('pg.log'), `${stamp(0)} later\n`);
    expect((await run({ path: 'pg.log', since: '10s' }, { expect: { lines: 3 } })).result?.verdict).toBe('passed');
  });
});

describe.each([[['mawk']], [['gawk']], [['busybox', 'awk']]])('times of lines, by %j', (awk) => {
  const has = spawnSync(awk[0] as string, [...awk.slice(1), 'BEGIN { exit 0 }']).status === 0;
  /** 2026-01-31T12:00:00Z */
  const SINCE = Date.UTC(2026, 0, 31, 12, 0, 0) / 1_000;
  const shown = (line: string, zone = '+0100', now = SINCE + 3_600): boolean =>
    spawnSync(
      awk[0] as string,
      [...awk.slice(1), '-v', `since=${SINCE}.000`, '-v', `zone=${zone}`, '-v', 'year=2026', '-v', `now=${now}`, SINCE_AWK],
      {
        input: `${line}\n`,
        encoding: 'utf8',
      },
    ).stdout === `${line}\n`;

  it.skipIf(!has).each([
    ['2026-01-31T12:00:00Z a', true],
    ['2026-01-31T11:59:59.999Z a', false],
    ['2026-01-31 12:00:00.001 UTC [1] a', true],
    ['2026-01-31 11:59:59,999 GMT a', false],
    ['2026-01-31T14:00:00+02:00 a', true],
    ['2026-01-31T13:59:59+0200 a', false],
    ['2026-01-31T06:30:00.5-05:30 a', true],
    ['2026-01-31 13:00:00 in the zone of the node', true],
    ['2026-01-31 12:59:59 in the zone of the node', false],
    ['[2026-01-31 13:00:01] in brackets', true],
    ['Jan 31 13:00:00 host daemon[1]: a', true],
    ['Jan 31 12:59:58 host daemon[1]: a', false],
    ['<13>Jan  1 00:00:00 host a', false],
    ['Dec 31 23:59:59 host of last year', false],
    ['2028-02-29T00:00:00Z leap', true],
  ])('%s → %s', (line, wanted) => {
    expect(shown(line)).toBe(wanted);
  });
});

describe('journal and containers', () => {
  /** Programs that show how they were called, on a PATH of their own: no journal and no engine is at hand. */
  const stub = (name: string, script: string): { readonly PATH: string } => {
    mkdirSync(world.path('bin'), { recursive: true });
    writeFileSync(world.path(`bin/${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(world.path(`bin/${name}`), 0o755);
    return { PATH: `${world.path('bin')}:/usr/bin:/bin` };
  };

  it('are asked for the unit and the time', async () => {
    const env = stub('journalctl', 'printf "%s|" "$@"');
    expect((await run({ unit: 'a b;c' }, { env, expect: { contains: ['--unit=a b;c|'], not_contains: ['since'] } })).result?.verdict).toBe(
      'passed',
    );
    expect(
      (await run({ unit: 'pg', since: 1_700_000_000.5 }, { env, expect: { contains: ['--since=@1700000000.500|'] } })).result?.verdict,
    ).toBe('passed');
  });

  it('of a container: both its streams; one that does not exist is an error of the tool', async () => {
    const env = stub(
      'docker',
      'if [ "$1" = inspect ]; then [ "$5" = db ] || { echo "no such container: $5" >&2; exit 1; }; exit 0; fi; shift; echo "$@"; echo on stderr >&2',
    );
    expect(
      (
        await run(
          { container: 'db', since: '2026-01-31T12:00:00Z' },
          { env, expect: { equals: '--since 2026-01-31T12:00:00.000Z -- db\non stderr' } },
        )
      ).result?.reason,
    ).toBeUndefined();
    expect((await run({ container: 'nope' }, { env })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 1,
      reason: expect.stringContaining('no such container: nope'),
    });
  });
});

it('a source that is no text is refused', () => {
  expect(scriptFor({ path: 5, unit: undefined, container: undefined })).toBeUndefined();
});
