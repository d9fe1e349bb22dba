import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSuite } from '../parse/parse-suite.ts';
import { compileSuite } from './compile-suite.ts';
import { readInventory } from './inventory.ts';

const read = (json: unknown) => readInventory({ file: 'hosts.json', json });
const listed = {
  _meta: {
    hostvars: {
      pg10: {
        ansible_host: '10.0.0.10',
        ansible_port: 2222,
        ansible_user: 'admin',
        ansible_password: 'hidden',
        ansible_become_pass: 'x',
        dir: '/pg',
        tier: 1,
      },
      pg2: { ansible_connection: 'community.docker.docker', ansible_host: 'box' },
      'web.example.com': { key: { __ansible_vault: '...' } },
      pod: { ansible_connection: 'kubectl', ansible_kubectl_pod: 'pg-0' },
      localhost: {},
    },
  },
  all: { children: ['db', 'ungrouped', 'region'], vars: { tier: 0, top: true } },
  db: { hosts: ['pg10', 'pg2'], vars: { tier: 5, engine: 'pg' } },
  region: { children: ['db'], vars: { engine: 'none', area: 'eu' } },
  ungrouped: { hosts: ['web.example.com', 'localhost', 'pod'] },
  empty: { hosts: [] },
};

describe('readInventory', () => {
  it('reads what ansible-inventory --list prints', () => {
    const { nodes, groups, problems } = read(listed);
    expect(problems).toEqual([]);
    expect(nodes.map((node) => node.name)).toEqual(['localhost', 'pg2', 'pg10', 'pod', 'web.example.com']);
    expect(nodes.find((node) => node.name === 'pg10')).toMatchObject({
      connection: 'ssh',
      host: '10.0.0.10',
      port: 2222,
      user: 'admin',
      labels: { db: 'true', region: 'true' },
      // The host wins over its groups, a group over its parents.
      vars: { dir: '/pg', tier: 1, engine: 'pg', area: 'eu', top: true },
    });
    expect(JSON.stringify(nodes)).not.toContain('hidden');
    expect(nodes.map((node) => [node.connection, node.host])).toEqual([
      ['local', undefined],
      ['docker', 'box'],
      ['ssh', '10.0.0.10'],
      ['kubectl', 'pg-0'],
      ['ssh', undefined],
    ]);
    expect(nodes.at(-1)?.vars).toEqual({ tier: 0, top: true });
    expect(groups).toEqual({ db: 'db=true', region: 'region=true', ungrouped: 'ungrouped=true' });
  });

  it('reads the short form of scripts, and circles', () => {
    expect(read({ web: ['a', 'b'] })).toMatchObject({ nodes: [{ name: 'a' }, { name: 'b' }], groups: { web: 'web=true' } });
    const circle = read({ a: { children: ['b'], hosts: ['x'] }, b: { children: ['a'], hosts: ['y'] } });
    expect(circle.nodes.map((node) => Object.keys(node.labels ?? {}))).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it.each<[unknown, string]>([
    [[], 'not a JSON object'],
    [null, 'not a JSON object'],
    [{}, 'no hosts'],
    [{ g: { hosts: ['a b'] } }, '"a b" cannot be the name of a node'],
    [{ _meta: { hostvars: { w: { ansible_connection: 'winrm' } } } }, 'ansible_connection winrm is not known'],
  ])('says what is wrong with %j', (json, problem) => {
    expect(read(json).problems.join()).toContain(problem);
  });

  it('takes any JSON without an exception', () => {
    fc.assert(fc.property(fc.jsonValue(), (json) => void read(json)));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('_meta', 'all', 'db', '__proto__', 'x y'), fc.jsonValue({ maxDepth: 4 })), (json) => {
        for (const node of read(json).nodes) expect(node.name).toMatch(/^[\p{L}\p{N}]/u);
      }),
    );
  });
});

describe('a suite with an inventory', () => {
  const compile = (text: string, json: unknown = listed, execute = false) => {
    const parsed = parseSuite({ file: 'suite.yaml', text }, () => ({ problem: 'none' }));
    if (!parsed.suite) throw new Error(parsed.diagnostics.map((each) => each.message).join());
    return compileSuite(parsed.suite, { seed: 1, digest: 'd', execute, inventory: { file: 'hosts.json', json } });
  };
  const steps = 'testcases: [{ name: t, steps: [{ cmd: "true", nodes: "db:!pg2" }] }]';

  it('has its nodes after those that are written, which win field by field', () => {
    const { plan, diagnostics } = compile(
      `context: { inventory: hosts.json, nodes: [{ name: pg10, user: me, vars: { dir: /other } }], groups: { mine: "db[0]" } }\n${steps}`,
    );
    expect(diagnostics).toEqual([]);
    expect(plan?.context.nodes.map((node) => node.name)).toEqual(['pg10', 'localhost', 'pg2', 'pod', 'web.example.com']);
    expect(plan?.context.nodes[0]).toMatchObject({
      user: 'me',
      host: '10.0.0.10',
      connection: 'ssh',
      vars: { dir: '/other', tier: 1 },
      labels: { db: 'true' },
    });
    expect(plan?.context.groups).toMatchObject({ db: 'db=true', mine: 'db[0]' });
  });

  it('checks its selectors against it', () => {
    expect(compile(`context: { inventory: hosts.json }\n${steps.replace('db:!pg2', 'dbb')}`).diagnostics).toMatchObject([
      { code: 'SUITE_SELECTOR', message: expect.stringContaining('did you mean "db"') },
    ]);
    expect(compile(`context: { inventory: hosts.json }\n${steps}`, { x: 1 }).diagnostics).toMatchObject([
      { code: 'SUITE_SELECTOR' },
      { code: 'SUITE_INVENTORY', location: { file: 'hosts.json' }, message: 'context.inventory: it has no hosts' },
    ]);
  });
});

describe('roles and bind', () => {
  const compile = (text: string, execute = true) => {
    const parsed = parseSuite({ file: 'suite.yaml', text }, () => ({ problem: 'none' }));
    if (!parsed.suite) throw new Error(parsed.diagnostics.map((each) => each.message).join());
    const { diagnostics } = compileSuite(parsed.suite, { seed: 1, digest: 'd', execute });
    return diagnostics.map((each) => `${each.code}: ${each.message}`);
  };
  const local = (...names: string[]) =>
    `context: { nodes: [${names.map((name) => `{ name: ${name}, connection: local, labels: { r: db } }`).join(', ')}], groups: { db: r=db } }`;
  const steps =
    'testcases: [{ name: t, bind: { old: primary }, if: bind.old.name != "x" && roles.primary.all.size() > 0, steps: [{ cmd: "true", nodes: "primary" }] }]';

  it('compile, also with groups over roles', () => {
    expect(
      compile(`${local('a', 'b')}\nroles: { primary: { cmd: "true" }, standby: { cmd: "true", nodes: "db:!primary" } }\n${steps}`),
    ).toEqual([]);
  });

  it.each([
    [
      'roles: { primary: { cmd: "true", nodes: standby }, standby: { cmd: "true", nodes: "db:!primary" } }',
      'SUITE_CYCLE: the roles look for each other: primary → standby → primary',
    ],
    ['roles: { primary: { cmd: "true", expect: 3 } }', 'SUITE_SELECTOR: role "primary": expect: 3, but only 2 of the nodes can have it'],
    ['roles: { primary: { cmd: "echo ${{ steps.x.stdout }}" } }', 'SUITE_UNKNOWN_NAME'],
    [
      'roles: { primary: { cmd: "true", nodes: "db:!dbb" } }',
      'SUITE_SELECTOR: role "primary": nodes: no node, group or role is named "dbb"',
    ],
    ['roles: { primary: { run: prometheus, query: up } }', ''],
  ])('%s', (roles, problem) => {
    expect(compile(`${local('a', 'b')}\n${roles}\n${steps}`).join('\n')).toContain(problem);
  });

  it('refuses a bind that is certain to match several nodes', () => {
    expect(compile(`${local('a', 'b')}\ntestcases: [{ name: t, bind: { x: db, y: "db[0]" }, steps: [{ cmd: "true" }] }]`)).toEqual([
      'SUITE_SELECTOR: testcase "t": bind.x: "db" matches 2 nodes, it must be exactly one',
    ]);
  });
});
