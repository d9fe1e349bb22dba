import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { StepDefinition, Suite } from '../model/suite.ts';
import { renderDiagnostic } from './code-frame.ts';
import { parseSuite } from './parse-suite.ts';

function parse(text: string, file = 'suite.yaml'): Suite {
  const { suite, diagnostics, sources } = parseSuite({ file, text }, () => ({ problem: 'no such file' }));
  expect(diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, sources))).toEqual([]);
  return suite as Suite;
}

function steps(yaml: string): readonly StepDefinition[] {
  return parse(`testcases:\n  - name: t\n    steps:\n${yaml.replaceAll(/^/gm, '      ')}\n`).testcases[0]?.steps as StepDefinition[];
}

function firstCommand(yaml: string): Suite['commands'][number] {
  return parse(`commands:\n  - name: x\n${yaml.replaceAll(/^/gm, '    ')}\n`).commands[0] as Suite['commands'][number];
}

test('the seed, exactly as it stands', () => {
  const suite = parse(readFileSync(new URL('../../examples/seed/suite.yaml', import.meta.url), 'utf8'));
  expect(suite.commands[0]).toMatchObject({ name: 'show_cluster', run: 'shell', hooks: { before: [], after: [], onFail: [] } });
  expect(suite.chaos[0]?.recover).toMatchObject({ run: 'shell', withinMs: 120_000 });
  expect(suite.testcases[0]?.steps.map((step) => step.kind)).toEqual(['use', 'use', 'use']);
});

test('the smallest suite: what is absent', () => {
  expect(parse('{}', 'dir/pg.failover.yaml')).toEqual({
    name: 'pg.failover',
    file: 'dir/pg.failover.yaml',
    tags: [],
    context: { groups: {}, env: {}, params: { axes: [], constants: {} }, defaults: {} },
    roles: [],
    commands: [],
    chaos: [],
    probes: [],
    testcases: [],
    hooks: { before: [], after: [], onFail: [] },
    strategy: { maxParallel: 1, failFast: false },
    requires: [],
    secrets: [],
  });
});

test('top level', () => {
  expect(
    parse(`
name: " pg <&> "
description: d
tags: [a, b]
timeout: 1h
strategy: { max_parallel: 4, fail_fast: true }
soak: { duration: 8h, iterations: 3, pause: 30s, shuffle: true, seed: 42, stop_after_failures: 3 }
schedule: { cron: "0 2 * * *", time_zone: Asia/Shanghai, overlap: skip, jitter: 5m, catchup: 1h, pause_on_failure: true }
requires: [{ cmd: command -v tc, nodes: all, msg: needs tc }, { cmd: [test, -d, /x] }]
secrets: [PG_PASSWORD]
hooks: { before: prepare, after: [clean, { cmd: rm x }], on_fail: { cmd: env } }
`),
  ).toMatchObject({
    name: 'pg <&>',
    tags: ['a', 'b'],
    timeoutMs: 3_600_000,
    strategy: { maxParallel: 4, failFast: true },
    soak: { durationMs: 28_800_000, iterations: 3, pauseMs: 30_000, shuffle: true, seed: 42, stopAfterFailures: 3 },
    schedule: {
      cron: '0 2 * * *',
      timeZone: 'Asia/Shanghai',
      overlap: 'skip',
      jitterMs: 300_000,
      catchupMs: 3_600_000,
      pauseOnFailure: true,
    },
    requires: [
      { cmd: 'command -v tc', nodes: 'all', msg: 'needs tc', location: { line: 9, column: 12 } },
      { cmd: ['test', '-d', '/x'], msg: 'requirement not met: test -d /x' },
    ],
    secrets: ['PG_PASSWORD'],
    hooks: {
      before: [{ use: 'prepare', location: { line: 11, column: 18 } }],
      after: [{ use: 'clean' }, { inline: { cmd: 'rm x', run: 'shell' } }],
      onFail: [{ inline: { cmd: 'env' } }],
    },
  });
});

test('context', () => {
  expect(
    parse(`
context:
  nodes:
    - pg[08:10]
    - local
    - { name: w1, host: 192.0.2.1, port: 2222, user: postgres, labels: { role: witness, zone: 1 }, connection: ssh, vars: { dir: d4, n: [1] }, connect_within: 5s }
  ssh: { config: ssh_config, known_hosts: hosts }
  inventory: inventory.sh
  groups: { db: role=db }
  env: { A: b, N: 1, B: true }
  params: { mode: [sync, async], budget: 60, map: { a: 1 }, exclude: [{ mode: [sync] }], include: [] }
  cluster: lab
  faults: { nodes: db, max_nodes: 1 }
  defaults: { timeout: 30, retry: 2, shell: bash, user: postgres, sudo: true, cwd: /tmp }
`).context,
  ).toEqual({
    nodes: [
      { name: 'pg08', location: { file: 'suite.yaml', line: 4, column: 7 } },
      { name: 'pg09', location: { file: 'suite.yaml', line: 4, column: 7 } },
      { name: 'pg10', location: { file: 'suite.yaml', line: 4, column: 7 } },
      { name: 'local', location: { file: 'suite.yaml', line: 5, column: 7 } },
      {
        name: 'w1',
        host: '192.0.2.1',
        port: 2222,
        user: 'postgres',
        labels: { role: 'witness', zone: '1' },
        connection: 'ssh',
        vars: { dir: 'd4', n: [1] },
        connectWithinMs: 5000,
        location: { file: 'suite.yaml', line: 6, column: 7 },
      },
    ],
    ssh: { config: 'ssh_config', known_hosts: 'hosts' },
    inventory: 'inventory.sh',
    groups: { db: 'role=db' },
    env: { A: 'b', N: 1, B: true },
    params: {
      axes: [{ name: 'mode', values: ['sync', 'async'] }],
      constants: { budget: 60, map: { a: 1 } },
      exclude: [{ mode: ['sync'] }],
      include: [],
      location: { file: 'suite.yaml', line: 11, column: 11 },
    },
    cluster: 'lab',
    faults: { nodes: 'db', max_nodes: 1 },
    defaults: {
      timeoutMs: 30_000,
      retry: { max: 2, delayMs: 1000, backoff: 1, maxDelayMs: 60_000, when: ['exit_code', 'expect', 'timeout'] },
      shell: 'bash',
      user: 'postgres',
      sudo: true,
      cwd: '/tmp',
    },
  });
});

describe('commands', () => {
  test('every key of a shell command', () => {
    expect(
      firstCommand(`cmd: [psql, -c, "\${{ inputs.q }}", 5]
nodes: db:!primary
pick: 2
env: { A: 1 }
cwd: /x
stdin: "y\\n"
shell: bash
user: postgres
sudo: false
inputs: { q: null, n: 3 }
expect: { contains: x }
outputs: { lsn: stdout.trim(), n: "\${{ int(stdout) }}", zero: 0 }
retry: { max: 3, delay: 500ms, backoff: 2, max_delay: 10s, when: [timeout], exit_codes: [2] }
timeout: 1m30s
max_parallel: 1
cache: { key: k, files: a.sql, ttl: 10m, scope: suite }
hooks: { before: a }`),
    ).toMatchObject({
      cmd: ['psql', '-c', '${{ inputs.q }}', '5'],
      nodes: 'db:!primary',
      pick: 2,
      stdin: 'y\n',
      inputs: { q: null, n: 3 },
      expect: { contains: ['x'] },
      outputs: { lsn: 'stdout.trim()', n: 'int(stdout)', zero: '0' },
      retry: { max: 3, delayMs: 500, backoff: 2, maxDelayMs: 10_000, when: ['timeout'], exitCodes: [2] },
      timeoutMs: 90_000,
      maxParallel: 1,
      cache: { key: 'k', files: ['a.sql'], ttlMs: 600_000, scope: 'suite' },
    });
  });

  test('cache: true and false', () => {
    expect(firstCommand('cmd: y\ncache: true').cache).toEqual({ files: [], ttlMs: 3_600_000, scope: 'run' });
    expect(firstCommand('cmd: y\ncache: false')).not.toHaveProperty('cache');
  });

  test('the other run types', () => {
    expect(firstCommand('run: sql\ndsn: postgresql://x\nquery: select 1')).toMatchObject({
      run: 'sql',
      options: { dsn: 'postgresql://x', query: 'select 1' },
    });
    expect(firstCommand('run: http\nurl: http://x\nmethod: POST\nheaders: { a: b }\nbody: { c: 1 }').options).toEqual({
      url: 'http://x',
      method: 'POST',
      headers: { a: 'b' },
      body: { c: 1 },
    });
    expect(firstCommand('run: module\nfile: a.mjs\nwith: { a: 1 }')).toMatchObject({ run: 'module', file: 'a.mjs', with: { a: 1 } });
    expect(firstCommand('run: logs\nunit: postgresql\nsince: kill.started').options).toEqual({ unit: 'postgresql', since: 'kill.started' });
    expect(firstCommand('run: prometheus\nquery: up\nrange: 5m').options).toEqual({ query: 'up', range: '5m' });
  });

  test('matchers', () => {
    expect(
      firstCommand(`cmd: y
expect:
  exit_code: { in: [0, 2] }
  contains: [1.10, true, x]
  matches: ^a$
  equals: 12
  empty: false
  lines: { gte: 2 }
  json: { "a.b[0].c": x, n: { lt: 3 }, whole: { k: v }, list: [1, 2] }
  rows: { count: 1, each: { lag: { lt: 5 } } }
  stderr: { contains: warn, lines: 0 }
  duration: { between: [500ms, 1m] }
  all_equal: true
  not: { any: [1, { gt: 5 }] }
  between: [1, "\${{ params.max }}"]
  expr: stdout == "a"`).expect,
    ).toEqual({
      exit_code: { in: [0, 2] },
      contains: ['1.10', 'true', 'x'],
      matches: ['^a$'],
      equals: '12',
      empty: false,
      lines: { gte: 2 },
      json: { 'a.b[0].c': 'x', n: { lt: 3 }, whole: { k: 'v' }, list: [1, 2] },
      rows: { count: 1, each: { lag: { lt: 5 } } },
      stderr: { contains: ['warn'], lines: 0 },
      duration: { between: [0.5, 60] },
      all_equal: true,
      not: { any: [1, { gt: 5 }] },
      between: [1, '${{ params.max }}'],
      expr: ['stdout == "a"'],
    });
    expect(firstCommand('cmd: y\nexpect: { exit_code: any, duration: 2s }').expect).toEqual({ exit_code: 'any', duration: 2 });
  });
});

test('chaos, with and without the library', () => {
  const { chaos } = parse(`
chaos:
  - name: cut
    cmd: touch x
    verify: { cmd: test -e x, within: 5s, contains: a }
    recover: { cmd: rm x, verify: { cmd: "! test -e x", nodes: w1, every: 1s }, within: 1m, timeout: 5s }
    trigger: { probe: election, equals: "true", within: 30s }
    duration: 10
    background: true
  - { name: gone, cmd: rm -rf x, irreversible: true }
  - { name: part, fault: network-partition, nodes: db, between: [a, b], direction: both, duration: 5s }
  - { name: logged, cmd: x, irreversible: true, trigger: { logs: { path: /x }, matches: promoted } }
`);
  expect(chaos[0]).toMatchObject({
    verify: { cmd: 'test -e x', withinMs: 5000, everyMs: 500, match: { contains: ['a'] } },
    recover: {
      run: 'shell',
      cmd: 'rm x',
      withinMs: 60_000,
      timeoutMs: 5000,
      verify: { cmd: '! test -e x', nodes: 'w1', withinMs: 10_000, everyMs: 1000, match: {} },
    },
    trigger: { probe: 'election', match: { equals: 'true' }, withinMs: 30_000, everyMs: 200 },
    durationMs: 10_000,
    background: true,
    irreversible: false,
    location: { line: 3, column: 5 },
  });
  expect(chaos[1]).toMatchObject({ irreversible: true, background: false, inputs: {} });
  expect(chaos[2]).toMatchObject({
    fault: { kind: 'network-partition', options: { between: ['a', 'b'], direction: 'both' } },
    nodes: 'db',
    durationMs: 5000,
  });
  expect(chaos[2]).not.toHaveProperty('options');
  expect(chaos[3]?.trigger).toEqual({ logs: { path: '/x' }, match: { matches: ['promoted'] }, withinMs: 60_000, everyMs: 200 });
});

test('roles and probes', () => {
  const suite = parse(`
roles:
  primary: { nodes: db, cmd: x, match: { equals: t }, expect: one, within: 10s }
  standby: { cmd: x, expect: 2 }
probes:
  - { name: up, cmd: x, every: 500ms, value: stdout, reduce: size(results) }
  - { name: w, run: ledger, write: { cmd: a, nodes: local }, read: { cmd: b } }
`);
  expect(suite.roles).toMatchObject([
    { name: 'primary', nodes: 'db', match: { equals: 't' }, expect: 'one', withinMs: 10_000 },
    { name: 'standby', match: { exit_code: 0 }, expect: 2, withinMs: 30_000 },
  ]);
  expect(suite.probes).toMatchObject([
    { name: 'up', run: 'shell', everyMs: 500, timeoutMs: 1000, value: 'stdout', reduce: 'size(results)' },
    { name: 'w', run: 'ledger', write: { cmd: 'a', nodes: 'local' }, read: { cmd: 'b' }, everyMs: 1000 },
  ]);
});

test('testcases', () => {
  expect(
    parse(`
testcases:
  - name: 故障转移-1
    description: d
    tags: [slow]
    steps: [a]
    hooks: { after: x }
    requires: [{ cmd: x, msg: m }]
    env: { A: b }
    params: { mode: sync, k: [1] }
    bind: { old: primary }
    probes: w
    if: true
    timeout: 10m
    retry: { max: 1, delay: 5s }
    needs: other
    locks: none
  - { name: other, steps: [a], locks: [x], retry: 2 }
`).testcases,
  ).toMatchObject([
    {
      name: '故障转移-1',
      tags: ['slow'],
      env: { A: 'b' },
      params: { axes: [{ name: 'k', values: [1] }], constants: { mode: 'sync' } },
      bind: { old: 'primary' },
      probes: ['w'],
      if: 'true',
      timeoutMs: 600_000,
      retry: { max: 1, delayMs: 5000 },
      needs: ['other'],
      locks: [],
    },
    { name: 'other', locks: ['x'], retry: { max: 2 }, needs: [], tags: [], bind: {} },
  ]);
});

test('steps', () => {
  const found = steps(`- a
- { id: d, use: b, needs: [c.started, "a#2"], if: "\${{ params.x == 1 }}", with: { n: 1 }, continue_on_error: true, nodes: n2, pick: first, env: { K: v }, cwd: /x, timeout: 5s, retry: 1, expect: { eq: 1 }, outputs: { o: stdout }, cache: false, duration: 3s, background: true }
- cmd: exit 1
  expect: { exit_code: 1 }
- { run: module, file: a.mjs, with: { a: 1 }, id: m }
- { cmd: "echo \${{ inputs.a }}", inputs: { a: null }, with: { a: 2 } }
- parallel: [a, { sleep: 5s }]
  needs: []
- recover: cut#2
- wait: { command: check, contains: ready, within: 10s, every: 200ms }
- wait: { all: [{ command: check, any: [1, 2] }, { expr: 1 + 1 == 2 }, { any: [{ probe: p, eq: 1 }] }] }
- wait: { expr: "true" }
- hold: { probe: p, lte: 1, while: [cut, show] }
- hold: { command: c, contains: x, for: 10s, every: 2s }
- pause: { message: look, timeout: 5m }
- sleep: 1.5
- nemesis: { faults: { cut: 2, kill: 1 }, duration: 1h, interval: [5s, 20s], max_active: 2 }
- nemesis: { library: all, duration: 1h }
- nemesis: { library: [process-kill], duration: 1h, interval: 5s }`);
  const here = expect.objectContaining({ file: 'suite.yaml' });
  const plain = { continueOnError: false, location: here };
  expect(found).toEqual([
    { kind: 'use', use: 'a', overrides: {}, ...plain },
    {
      kind: 'use',
      id: 'd',
      use: 'b',
      needs: ['c.started', 'a#2'],
      if: 'params.x == 1',
      with: { n: 1 },
      continueOnError: true,
      location: { file: 'suite.yaml', line: 5, column: 9 },
      overrides: {
        nodes: 'n2',
        pick: 'first',
        env: { K: 'v' },
        cwd: '/x',
        timeoutMs: 5000,
        retry: expect.objectContaining({ max: 1 }),
        expect: { eq: 1 },
        outputs: { o: 'stdout' },
        cache: false,
        durationMs: 3000,
        background: true,
      },
    },
    { kind: 'inline', command: expect.objectContaining({ cmd: 'exit 1', run: 'shell', expect: { exit_code: 1 } }), ...plain },
    { kind: 'inline', id: 'm', command: expect.objectContaining({ run: 'module', file: 'a.mjs', with: { a: 1 } }), ...plain },
    { kind: 'inline', with: { a: 2 }, command: expect.objectContaining({ inputs: { a: null } }), ...plain },
    {
      kind: 'parallel',
      needs: [],
      steps: [
        { kind: 'use', use: 'a', overrides: {}, ...plain },
        { kind: 'sleep', durationMs: 5000, ...plain },
      ],
      ...plain,
    },
    { kind: 'recover', step: 'cut#2', ...plain },
    {
      kind: 'wait',
      condition: { kind: 'sample', subject: { command: 'check' }, match: { contains: ['ready'] } },
      withinMs: 10_000,
      everyMs: 200,
      ...plain,
    },
    {
      kind: 'wait',
      condition: {
        kind: 'all',
        of: [
          { kind: 'sample', subject: { command: 'check' }, match: { any: [1, 2] } },
          { kind: 'expr', expr: '1 + 1 == 2' },
          { kind: 'any', of: [{ kind: 'sample', subject: { probe: 'p' }, match: { eq: 1 } }] },
        ],
      },
      withinMs: 60_000,
      everyMs: 1000,
      ...plain,
    },
    { kind: 'wait', condition: { kind: 'expr', expr: 'true' }, withinMs: 60_000, everyMs: 1000, ...plain },
    {
      kind: 'hold',
      condition: { kind: 'sample', subject: { probe: 'p' }, match: { lte: 1 } },
      everyMs: 1000,
      while: ['cut', 'show'],
      ...plain,
    },
    {
      kind: 'hold',
      condition: { kind: 'sample', subject: { command: 'c' }, match: { contains: ['x'] } },
      everyMs: 2000,
      forMs: 10_000,
      ...plain,
    },
    { kind: 'pause', message: 'look', timeoutMs: 300_000, ...plain },
    { kind: 'sleep', durationMs: 1500, ...plain },
    {
      kind: 'nemesis',
      nemesis: { faults: { cut: 2, kill: 1 }, durationMs: 3_600_000, intervalMs: [5000, 20_000], maxActive: 2 },
      ...plain,
    },
    { kind: 'nemesis', nemesis: { faults: { library: 'all' }, durationMs: 3_600_000, intervalMs: 10_000, maxActive: 1 }, ...plain },
    {
      kind: 'nemesis',
      nemesis: { faults: { library: ['process-kill'] }, durationMs: 3_600_000, intervalMs: 5000, maxActive: 1 },
      ...plain,
    },
  ]);
});

test('asserts as map and as list', () => {
  const { testcases } = parse(`
testcases:
  - name: t
    steps: [a]
    assert:
      eventually: { contains: x, within: 5s }
      always: [{ probe: p, lte: 1 }, { command: c, exit_code: 0, for: 3s, every: 500ms }]
      never: { contains: panic }
      within: { from: kill.started, until: { probe: p, eq: 1 }, max: 30s }
      expr: ["\${{ a == 1 }}", b == 2]
`);
  const location = expect.objectContaining({ file: 'suite.yaml' });
  expect(testcases[0]?.assert).toEqual({
    eventually: [{ match: { contains: ['x'] }, windowMs: 5000, everyMs: 1000, location }],
    always: [
      { subject: { probe: 'p' }, match: { lte: 1 }, windowMs: 10_000, everyMs: 1000, location },
      { subject: { command: 'c' }, match: { exit_code: 0 }, windowMs: 3000, everyMs: 500, location },
    ],
    never: [{ match: { contains: ['panic'] }, windowMs: 10_000, everyMs: 1000, location }],
    within: [{ from: 'kill.started', until: { probe: 'p', match: { eq: 1 } }, maxMs: 30_000, location }],
    expr: [
      { expr: 'a == 1', location: { file: 'suite.yaml', line: 10, column: 14 } },
      { expr: 'b == 2', location },
    ],
  });
});

test('libraries come before the suite, with their own files as places', () => {
  const text = 'include: ./lib/a.yaml\ncommands: [{ name: own, cmd: x }]\n';
  const asked: string[] = [];
  const { suite, sources } = parseSuite({ file: 'dir/s.yaml', text }, (path) => {
    asked.push(path);
    return { text: 'commands:\n  - { name: theirs, cmd: y }\nroles: { r: { cmd: z } }\nprobes: [{ name: p, cmd: z }]\nchaos: []\n' };
  });
  expect(asked).toEqual(['lib/a.yaml']);
  expect(suite?.commands.map(({ name, location }) => [name, location.file, location.line])).toEqual([
    ['theirs', 'lib/a.yaml', 2],
    ['own', 'dir/s.yaml', 2],
  ]);
  expect(suite?.roles.map(({ name }) => name)).toEqual(['r']);
  expect(sources.map(({ file }) => file)).toEqual(['dir/s.yaml', 'lib/a.yaml']);
});

test('anchors and aliases work, also across a slow region', () => {
  const { commands } = parse(`
commands:
  - { name: a, cmd: x, expect: &ok { contains: [fine] } }
  - name: b
    cmd: !!str 12
    expect: *ok
`);
  expect(commands.map((command) => [command.cmd, command.expect])).toEqual([
    ['x', { contains: ['fine'] }],
    ['12', { contains: ['fine'] }],
  ]);
});

const cases = fileURLToPath(new URL('../../../shared/conformance/cases/', import.meta.url));
const invalid = new Set(['020-unknown-key', '025-bad-yaml', '029-alias-bomb', '031-prototype-keys']);

describe.skipIf(!existsSync(cases))('the sample cases beside the project', () => {
  test.each(existsSync(cases) ? readdirSync(cases) : [])('%s', (name) => {
    const folder = `${cases}${name}/`;
    const text = readFileSync(`${folder}suite.yaml`, 'utf8');
    const { suite, diagnostics } = parseSuite({ file: 'suite.yaml', text }, (path) => ({ text: readFileSync(folder + path, 'utf8') }));
    expect(diagnostics.length > 0).toBe(invalid.has(name));
    expect(suite !== undefined).toBe(!invalid.has(name));
  });
});

test.each(['seed', 'quickstart', 'postgres-repmgr'])('example %s', (name) => {
  const suite = parse(readFileSync(new URL(`../../examples/${name}/suite.yaml`, import.meta.url), 'utf8'));
  expect(suite.testcases.length).toBeGreaterThan(0);
});
