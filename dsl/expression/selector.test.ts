import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Node } from '../model/node.ts';
import { drawIndex } from './random.ts';
import {
  SelectorError,
  checkSelector,
  namesInSelector,
  noMatchMessage,
  parseSelector,
  pickNodes,
  possibleNodes,
  selectNodes,
} from './selector.ts';

function node(name: string, labels: { readonly [key: string]: string } = {}): Node {
  return { name, connection: 'ssh', host: name, labels, vars: {}, connectWithinMs: 30_000 };
}

const nodes = [
  node('pg1', { role: 'db', az: 'a' }),
  node('pg2', { role: 'db', az: 'b' }),
  node('pg3', { role: 'db', az: 'c' }),
  node('wit', { role: 'witness', az: 'c' }),
  node('主-1'),
];
const groups = { db: 'role=db', dc_c: 'az=c', both: 'db:&dc_c', loop: 'pg1:loop2', loop2: 'loop' };
const roles = { primary: ['pg2'], standby: ['pg3', 'pg1'] };
const scope = { nodes, groups, roles };

const names = (selector: string): string =>
  selectNodes(selector, scope)
    .map(({ name }) => name)
    .join(' ');

function failure(run: () => unknown): string {
  try {
    return `no error: ${JSON.stringify(run())}`;
  } catch (error) {
    if (error instanceof SelectorError) return error.message;
    throw error;
  }
}

describe('selectNodes', () => {
  it.each([
    ['all', 'pg1 pg2 pg3 wit 主-1'],
    ['pg2', 'pg2'],
    ['主-1', '主-1'],
    ['wit,pg1', 'pg1 wit'],
    ['wit:pg1', 'pg1 wit'],
    ['role=db', 'pg1 pg2 pg3'],
    ['db', 'pg1 pg2 pg3'],
    ['db:&az=c', 'pg3'],
    ['db:!az=c', 'pg1 pg2'],
    ['both', 'pg3'],
    ['primary', 'pg2'],
    ['db:!primary', 'pg1 pg3'],
    ['standby[0]', 'pg1'],
    ['standby[1]', 'pg3'],
    ['standby[9]', ''],
    ['db[1:]', 'pg2 pg3'],
    ['db[0:1]', 'pg1 pg2'],
    ['pg[1:2]', 'pg1 pg2'],
    ['pg[2]', 'pg2'],
    ['pg[2:2]:wit', 'pg2 wit'],
    ['db:&az=c:wit', 'pg3 wit'],
    ['wit:db:&az=c', 'pg3 wit'],
    ['!primary', 'pg1 pg3 wit 主-1'],
    ['all:!all', ''],
    [' db : & az=c ', 'pg3'],
    ['db,:!primary'.replace(',:', ',').replace(',!', ':!'), 'pg1 pg3'],
  ])('%s', (selector, wanted) => {
    expect(names(selector)).toBe(wanted);
  });

  it.each([
    ['', 'the selector is empty'],
    ['pg1:', 'a term is missing'],
    ['pg1::pg2', 'a term is missing'],
    [':!pg1', 'a term is missing'],
    ['&pg1', 'a selector cannot start with &'],
    ['pg9', 'no node, group or role is named "pg9", did you mean "pg1"?'],
    ['pg9', 'nodes: pg1, pg2, pg3, wit, 主-1; groups: db, dc_c, both, loop, loop2; roles: primary, standby'],
    ['pg[1:9]', 'no node, group or role is named "pg4"'],
    ['pg[1:]', '"pg" is neither a group nor a role, so "pg[1:]" needs an end'],
    ['pg[3:1]', 'the range [3:1] is empty'],
    ['pg[0:99999]', 'has more than 10000 names'],
    ['pg[a]', 'is not a range or slice'],
    ['pg[1', 'is not a range or slice'],
    ['db[1:]x', 'is not a range or slice'],
    ['role=dbb', 'no node has the label role=dbb, did you mean role=db?'],
    ['role=dbb', 'known labels: az=a, az=b, az=c, role=db, role=witness'],
    ['a=b=c', 'is not a label term'],
    ['=x', 'is not a label term'],
    ['pg 1', 'is not a name'],
    ['$(x)', 'is not a name'],
    ['loop', 'groups refer to each other: loop → loop2 → loop'],
    ['constructor', 'no node, group or role is named "constructor"'],
    ['__proto__', 'is not a name'],
    ['x'.repeat(5_000), 'at most 4096 characters'],
  ])('refuses %s', (selector, wanted) => {
    expect(failure(() => selectNodes(selector, scope))).toContain(wanted);
  });

  it('keeps the width of a range', () => {
    const many = Array.from({ length: 12 }, (_, index) => node(`db${String(index + 1).padStart(2, '0')}`));
    expect(selectNodes('db[09:11]', { nodes: many, groups: {} }).map(({ name }) => name)).toEqual(['db09', 'db10', 'db11']);
  });

  it('agrees with a brute-force model of the algebra', () => {
    const atoms: { readonly [text: string]: (node: Node) => boolean } = {
      all: () => true,
      pg1: ({ name }) => name === 'pg1',
      'pg[2:3]': ({ name }) => name === 'pg2' || name === 'pg3',
      'az=c': ({ labels }) => labels['az'] === 'c',
      db: ({ labels }) => labels['role'] === 'db',
      both: ({ name }) => name === 'pg3',
      primary: ({ name }) => name === 'pg2',
      'standby[1]': ({ name }) => name === 'pg3',
      'db[1:]': ({ name }) => name === 'pg2' || name === 'pg3',
    };
    const term = fc.constantFrom(...Object.keys(atoms));
    const rest = fc.array(fc.tuple(fc.constantFrom(':', ',', ':&', ':!', ',&', ',!'), term), { maxLength: 6 });
    fc.assert(
      fc.property(fc.boolean(), term, rest, (negated, first, more) => {
        const selector = (negated ? '!' : '') + first + more.map(([joint, atom]) => joint + atom).join('');
        const wanted = nodes.filter((candidate) => {
          const holds = (atom: string): boolean => atoms[atom]?.(candidate) ?? false;
          return more.reduce(
            (inside, [joint, atom]) =>
              joint.endsWith('&') ? inside && holds(atom) : joint.endsWith('!') ? inside && !holds(atom) : inside || holds(atom),
            negated ? !holds(first) : holds(first),
          );
        });
        expect(selectNodes(selector, scope)).toEqual(wanted);
        // Whatever the roles answer, the answer lies inside what was thought possible before the run.
        const possible = possibleNodes(selector, { nodes, groups, roles: new Set(['primary', 'standby']) });
        for (const chosen of wanted) expect(possible).toContain(chosen);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never throws anything but a SelectorError', () => {
    const piece = fc.constantFrom('pg', '1', '[', ']', ':', ',', '&', '!', '=', 'db', ' ', 'all', '-', '.', '主', '\n', '\0');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 15 }).map((parts) => parts.join('')),
        (selector) => {
          expect(failure(() => selectNodes(selector, scope))).toBeTypeOf('string');
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('checkSelector', () => {
  const before = { nodes, groups, roles: new Set(['primary', 'standby']) };

  it('refuses what can never match, and nothing that a role may make match', () => {
    expect(checkSelector('pg1:&az=b', before)).toMatchObject({
      message: 'the selector "pg1:&az=b" can never match a node',
      hint: expect.stringContaining('nodes: pg1'),
    });
    expect(checkSelector('all:!all', before)).toBeDefined();
    expect(checkSelector('primary:&az=c', before)).toBeUndefined();
    expect(checkSelector('pg1:!primary', before)).toBeUndefined();
    expect(checkSelector('standby[3]', before)).toBeUndefined();
    expect(checkSelector('primary:!all', before)).toBeDefined();
  });

  it('gives the place of an unknown name', () => {
    expect(checkSelector('db:!wiit', before)).toMatchObject({
      message: 'no node, group or role is named "wiit", did you mean "wit"?',
      offset: 4,
      length: 4,
    });
  });
});

describe('namesInSelector', () => {
  it('gives names, also those inside groups', () => {
    expect([...namesInSelector('db:&az=c:!primary[0]:all')]).toEqual(['db', 'primary']);
    expect([...namesInSelector('both', groups)]).toEqual(['both', 'db', 'dc_c']);
    expect([...namesInSelector('loop', groups)]).toEqual(['loop', 'pg1', 'loop2']);
    expect([...namesInSelector(parseSelector('pg1'))]).toEqual(['pg1']);
  });
});

describe('noMatchMessage', () => {
  it('names what there is', () => {
    expect(noMatchMessage('db:&az=z', scope)).toBe(
      'no node matches "db:&az=z" (nodes: pg1, pg2, pg3, wit, 主-1; groups: db, dc_c, both, loop, loop2; roles: primary, standby)',
    );
  });
});

describe('pickNodes', () => {
  const draw =
    (seed: number) =>
    (count: number, part: string): number =>
      drawIndex(seed, count, 'case', part);
  const count = (total: number, pick: Parameters<typeof pickNodes>[1]): number =>
    pickNodes(
      Array.from({ length: total }, (_, index) => node(`n${index}`)),
      pick,
      draw(1),
    ).length;

  it('takes as many as the word says', () => {
    expect([1, 2, 3, 4, 5, 6].map((total) => count(total, 'minority'))).toEqual([1, 1, 1, 1, 2, 2]);
    expect([1, 2, 3, 4, 5, 6].map((total) => count(total, 'majority'))).toEqual([1, 2, 2, 3, 3, 4]);
    expect(count(5, 'all')).toBe(5);
    expect(count(5, 'random')).toBe(1);
    expect(count(5, 3)).toBe(3);
    expect(count(0, 'majority')).toBe(0);
    expect(pickNodes(nodes, 'first', draw(1))).toEqual([nodes[0]]);
    expect(pickNodes(nodes, 'one', draw(1))).toEqual([nodes[0]]);
    expect(failure(() => pickNodes(nodes, 6, draw(1)))).toContain('pick: 6 of only 5 nodes');
  });

  it('depends on the seed alone, keeps the given order and takes every subset alike', () => {
    const four = nodes.slice(0, 4);
    expect(pickNodes(four, 2, draw(42))).toEqual(pickNodes(four, 2, draw(42)));
    const seen = new Map<string, number>();
    for (let seed = 0; seed < 6_000; seed++) {
      const taken = pickNodes(four, 2, draw(seed));
      const indices = taken.map((chosen) => four.indexOf(chosen));
      expect(indices).toEqual([...indices].sort((a, b) => a - b));
      seen.set(String(indices), (seen.get(String(indices)) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const times of seen.values()) expect(Math.abs(times - 1_000)).toBeLessThan(150);
  });
});
