import { chmodSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPlayground, type Playground } from '../support/onetear.ts';

let play: Playground;
beforeAll(() => {
  play = createPlayground();
  play.write(
    'suite.yaml',
    `context:
  inventory: hosts.sh
  env: { GREETING: hello }
  nodes: [{ name: n1, connection: local, labels: { az: a } }, { name: n2, connection: local }]
  groups: { mine: 'all:!web' }
roles:
  primary: { nodes: mine, cmd: 'test "$ONETEAR_NODE" = n2' }
  nobody: { nodes: mine, cmd: 'false', within: 500ms }
hooks: { before: ['boom'] }
commands: [{ name: boom, cmd: 'exit 1' }]
testcases: [{ name: t, steps: [{ cmd: 'true', nodes: web }] }]
`,
  );
  const hosts = {
    _meta: { hostvars: { w1: { ansible_connection: 'local', rack: 7 }, w2: { ansible_connection: 'local' } } },
    web: { hosts: ['w1', 'w2'] },
  };
  chmodSync(
    play.write('hosts.sh', `#!/bin/sh\n[ "$1" = --list ] && [ -e suite.yaml ] || exit 9\necho '${JSON.stringify(hosts)}'\n`),
    0o755,
  );
}, 60_000);
afterAll(() => play?.close(), 60_000);

describe('nodes', () => {
  test('lists those of the suite and of its inventory, without a server', async () => {
    const { code, stdout } = await play.run(['nodes', 'suite.yaml', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      v: 1,
      suite: 'suite',
      nodes: [
        { name: 'n1', connection: 'local', labels: { az: 'a' }, groups: ['mine'] },
        { name: 'n2' },
        { name: 'w1', labels: { web: 'true' }, groups: ['web'], vars: { rack: 7 } },
        { name: 'w2' },
      ],
      groups: { web: ['w1', 'w2'], mine: ['n1', 'n2'] },
      roles: ['primary', 'nobody'],
    });
    expect((await play.run(['nodes', 'suite.yaml'])).stdout).toMatch(
      /^NODE +CONNECTION +ADDRESS +GROUPS +LABELS\nn1 +local +localhost +mine +az=a\n/,
    );
    expect(play.exists('onetear-results')).toBe(false);
  });

  test.each([
    ['missing.json', undefined, /context.inventory missing.json: it does not exist/],
    ['broken.json', '{', /context.inventory broken.json: it is not JSON/],
    ['fails.sh', '#!/bin/sh\necho no cloud >&2; exit 3\n', /context.inventory fails.sh: the program ended with exit 3: no cloud/],
    ['empty.json', '{}', /SUITE_INVENTORY: context.inventory: it has no hosts/],
  ])('says what is wrong with the inventory %s', async (file, text, message) => {
    if (text !== undefined) chmodSync(play.write(file, text), file.endsWith('.sh') ? 0o755 : 0o644);
    play.write('bad.yaml', `context: { inventory: ${file} }\ntestcases: [{ name: t, steps: [{ cmd: 'true' }] }]\n`);
    const { code, stderr } = await play.run(['validate', 'bad.yaml']);
    expect(code).toBe(4);
    expect(stderr).toMatch(message);
  });

  test('check looks at every node with the engine of a run', async () => {
    const { code, stdout } = await play.run(['nodes', 'check', 'suite.yaml', '--json']);
    expect(code).toBe(0);
    const { nodes } = JSON.parse(stdout) as { nodes: { faults: { fault: string; ok: boolean }[] }[] };
    expect(nodes).toHaveLength(4);
    expect(nodes[2]).toMatchObject({
      name: 'w1',
      reachable: true,
      reason: null,
      clock_offset_ms: 0,
      jobs: expect.stringMatching(/^\//),
      tools: { sh: true, setsid: true, sha256sum: true },
      missing: [],
    });
    expect(nodes[2]?.faults.find((each) => each.fault.startsWith('cpu'))).toEqual({
      fault: 'cpu, memory, io stress',
      ok: true,
      missing: [],
    });
  }, 120_000);
});

describe('exec', () => {
  test('prints what each node said where it said it, and ends with the verdict', async () => {
    const one = await play.run(['exec', 'primary', '--', 'echo "$GREETING $ONETEAR_NODE"; echo aside >&2']);
    expect(one).toEqual({ code: 0, stdout: 'hello n2\n', stderr: 'aside\n' });
    const some = await play.run([
      'exec',
      'web',
      '--suite',
      'suite.yaml',
      '--',
      'sh',
      '-c',
      'echo "$0 $1"; [ "$ONETEAR_NODE" = w1 ]',
      'a b',
      '$HOME',
    ]);
    expect(some.code).toBe(1);
    expect(some.stdout).toBe('w1 | a b $HOME\nw2 | a b $HOME\n');
    expect(some.stderr).toContain('w2 failed: ');
    // It is a run like others, with a record, but nothing that could be started again.
    const { stdout } = await play.run(['runs', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      runs: [{ suite: 'exec', verdict: 'failed' }, { suite: 'exec', verdict: 'passed' }, { suite: 'nodes-check' }],
    });
    expect((await play.run(['rerun', 'last'])).code).toBe(4);
    expect(play.exists('onetear-results')).toBe(false);
  }, 120_000);

  test('says so when a role is held by nobody, and tells all in JSON', async () => {
    const { code, stdout, stderr } = await play.run(['exec', 'nobody', '--', 'true']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('failed: role nobody: exactly one node expected within 500ms, but none of 2 have it');
    const picked = ['exec', 'all', '--pick', 'random', '--seed', '4', '--json', '--', 'true'];
    const [first, second] = [await play.run(picked), await play.run(picked)].map(
      (each) => JSON.parse(each.stdout) as { results: { node: string }[] },
    );
    expect(first).toMatchObject({ v: 1, verdict: 'passed', exit: 0, results: [{ exit_code: 0, verdict: 'passed' }] });
    expect(second?.results[0]?.node).toBe(first?.results[0]?.node);
  }, 120_000);
});
