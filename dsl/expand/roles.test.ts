import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectNodes } from '../expression/selector.ts';
import type { Node } from '../model/node.ts';
import type { RoleDefinition } from '../model/suite.ts';
import { resolveNodes, selectorTextsIn } from './select-nodes.ts';
import { roleExpectText, roleHolds, rolesIn, rolesInExpression, rolesInOrder, roleSpec } from './roles.ts';
import { roleValue } from './scope.ts';

const here = { file: 'suite.yaml', line: 1, column: 1 };
const names = { groups: { others: 'all:!primary', plain: 'role=db' }, roles: ['primary', 'standby', 'witness'] };
const role = (name: string, extra: Partial<RoleDefinition> = {}): RoleDefinition => ({
  name,
  run: 'shell',
  cmd: 'true',
  match: {},
  expect: 'one',
  withinMs: 1_000,
  location: here,
  ...extra,
});
const node = (name: string): Node => ({ name, connection: 'local', host: 'localhost', labels: {}, vars: {}, connectWithinMs: 1 });

describe('rolesIn', () => {
  it.each<[unknown, readonly string[]]>([
    [{ nodes: 'primary' }, ['primary']],
    [{ nodes: 'db:!standby[0]' }, ['standby']],
    [{ nodes: 'others' }, ['primary']],
    [{ nodes: 'plain' }, []],
    [{ cmd: 'echo primary ${{ roles.standby.name }}' }, ['standby']],
    [{ cmd: ['a', '${{ roles["witness"].host }}'] }, ['witness']],
    [{ env: { H: '${{ roles.primary.host }}' }, inputs: { x: [{ y: '${{ roles.witness.name }}' }] } }, ['primary', 'witness']],
    [{ expect: { expr: ['roles.primary.name == "x"'] } }, ['primary']],
    [{ outputs: { cmd: 'roles.standby.name' } }, ['standby']],
    [{ cmd: '${{ roles.map(r, r) }}' }, ['primary', 'standby', 'witness']],
    [{ cmd: '${{ roles[params.which].name }}' }, ['primary', 'standby', 'witness']],
    [{ cmd: '${{ [1].map(roles, roles) }}' }, []],
    [{ description: 'primary', name: 'primary' }, []],
  ])('%j → %j', (value, found) => {
    expect(rolesIn([value], names)).toEqual(found);
  });

  it('finds nothing where there are no roles, and reads bare expressions', () => {
    expect(rolesIn([{ nodes: '!!!' }], { groups: {}, roles: [] })).toEqual([]);
    expect(rolesInExpression('${{ roles.primary.name == "a" }}', names)).toEqual(['primary']);
    expect(rolesInExpression(undefined, names)).toEqual([]);
  });
});

describe('roles of roles', () => {
  it('come after those they look for, each once; a circle is cut', () => {
    const definitions = {
      primary: role('primary'),
      standby: role('standby', { nodes: 'others' }),
      witness: role('witness', { nodes: 'all:!standby:!primary' }),
    };
    expect(rolesInOrder(['witness', 'primary'], definitions, names)).toEqual(['primary', 'standby', 'witness']);
    const circle = { primary: role('primary', { nodes: 'standby' }), standby: role('standby', { nodes: 'primary' }) };
    expect(rolesInOrder(['primary'], circle, names).toSorted()).toEqual(['primary', 'standby']);
  });
});

describe('roleSpec', () => {
  const context = {
    nodes: [node('a')],
    groups: {},
    env: {
      PLAIN: 'x',
      HOST: '${{ node.host }}',
      LEADER: '${{ roles.primary.host }}',
      STEP: '${{ steps.a.stdout }}',
      MADE: '${{ env.LEADER }}/x',
      SECRET: '${{ secrets.PW }}',
    },
    envOverrides: {},
    cluster: 'c',
    defaults: { timeoutMs: 60_000, retry: { max: 3, delayMs: 1, backoff: 1, maxDelayMs: 1, when: [] }, shell: 'sh', sudo: false },
    faults: { nodes: 'all', maxNodes: 1 },
  } as const;
  const source = { context, definitions: { commands: {}, chaos: {}, probes: {}, roles: {} } };

  it('asks without retries, within a limit of its own, and without variables that a question cannot know', () => {
    const spec = roleSpec(source, role('primary', { withinMs: 30_000 }));
    expect(spec).toMatchObject({ nodes: 'all', retry: { max: 0 }, timeoutMs: 10_000, title: 'role primary' });
    expect(Object.keys(spec.env).toSorted()).toEqual(['HOST', 'PLAIN', 'SECRET']);
    expect(roleSpec(source, role('p', { withinMs: 2_000 })).timeoutMs).toBe(2_000);
    expect(roleSpec(source, role('p', { withinMs: 30_000, timeoutMs: 25_000 })).timeoutMs).toBe(25_000);
  });
});

describe('expect', () => {
  it('holds for exactly the counts that its words say', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), fc.nat(20), (some, other, count) => {
        const [matching, total] = [Math.min(some, other), Math.max(some, other)];
        expect(roleHolds('one', matching, total)).toBe(matching === 1);
        expect(roleHolds('any', matching, total)).toBe(matching > 0);
        expect(roleHolds('all', matching, total)).toBe(matching === total);
        expect(roleHolds(count, matching, total)).toBe(matching === count);
      }),
    );
    expect([roleExpectText('one', 3), roleExpectText('all', 3), roleExpectText(2, 3), roleExpectText(0, 3)]).toEqual([
      'exactly one node',
      'all 3 nodes',
      'exactly 2 nodes',
      'no node',
    ]);
  });
});

describe('selectors with answers', () => {
  const nodes = ['a', 'b', 'c', 'd'].map(node);
  const context = { nodes, groups: { others: 'all:!primary' } };
  const options = { scope: { values: {} }, seed: 1, draw: [] };

  it('mean what the roles answered: brute force over every answer', () => {
    const subsets = fc.subarray(nodes.map((each) => each.name));
    fc.assert(
      fc.property(subsets, subsets, (primary, standby) => {
        const scope = { ...context, roles: { primary, standby } };
        const found = (selector: string): string[] => selectNodes(selector, scope).map((each) => each.name);
        const all = nodes.map((each) => each.name);
        expect(found('primary')).toEqual(all.filter((name) => primary.includes(name)));
        expect(found('others')).toEqual(all.filter((name) => !primary.includes(name)));
        expect(found('standby:!primary')).toEqual(all.filter((name) => standby.includes(name) && !primary.includes(name)));
        expect(found('standby:&primary,a')).toEqual(
          all.filter((name) => (standby.includes(name) && primary.includes(name)) || name === 'a'),
        );
        expect(found('standby[0]')).toEqual(all.filter((name) => standby.includes(name)).slice(0, 1));
        expect(found('standby[1:]')).toEqual(all.filter((name) => standby.includes(name)).slice(1));
      }),
    );
  });

  it('that match nothing name what exists and what was asked', () => {
    const asked = { ...options, roles: { primary: ['a', 'b', 'c', 'd'] }, roleNames: ['primary', 'standby'] };
    const plan = context as unknown as Parameters<typeof resolveNodes>[1];
    expect(() => resolveNodes('others', plan, asked)).toThrow(
      'no node matches "others" (nodes: a, b, c, d; groups: others; roles: primary, standby; role primary = a, b, c, d)',
    );
    expect(() => resolveNodes('primary:!primary', plan, { ...asked, roles: { primary: [] } })).toThrow('role primary = no node');
  });

  it('come out of marks as texts, lists of texts, or nodes', () => {
    const values = { params: { target: 'standby' }, bind: { old: { name: 'b' } } };
    const texts = (selector: string, inputs = {}) => selectorTextsIn({ nodes: selector, inputs }, { values });
    expect(texts('${{ params.target }}')).toEqual(['standby']);
    expect(texts('${{ ["a", bind.old] }}')).toEqual(['a']);
    expect(texts('${{ inputs.where }}', { where: '${{ params.target }}' })).toEqual(['standby']);
    expect(texts('primary')).toEqual([]);
  });
});

it('a role reads as its first node, and as all of them', () => {
  expect(roleValue([node('a'), node('b')])).toMatchObject({ name: 'a', host: 'localhost', all: [{ name: 'a' }, { name: 'b' }] });
  expect(roleValue([])).toEqual({ all: [] });
});
