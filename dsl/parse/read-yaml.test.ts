import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import type { Value } from '../model/value.ts';
import { composeText } from './compose-region.ts';
import { readDocument } from './read-block.ts';
import { readYaml } from './read-yaml.ts';
import type { Reader } from './reader.ts';
import { createReader, isGiveUp, isYamlStop } from './reader.ts';
import { toValue } from './shape.ts';
import type { YamlNode } from './yaml-node.ts';

/** What one reader makes of a text, or `gave up`. */
function outcome(text: string, read: (r: Reader) => YamlNode | undefined): unknown {
  const r = createReader(text);
  try {
    const root = read(r);
    return { value: root ? toValue(root) : null, places: root ? places(root) : null, problems: r.problems };
  } catch (error) {
    if (isGiveUp(error)) return 'gave up';
    if (isYamlStop(error)) return { stop: error.problem.code };
    throw error;
  }
}

function places(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.start;
  return [node.start, node.kind === 'map' ? node.keyStarts : [], (node.kind === 'map' ? node.values : node.items).map(places)];
}

/** Both outcomes of a text, to be compared. The fast reader may give up, but never read a text in another way than the yaml parser. */
function bothReaders(text: string): readonly [unknown, unknown] {
  const fast = outcome(text, readDocument);
  if (fast === 'gave up') return [fast, fast];
  const slow = outcome(text, (r) => composeText(r, text, 0));
  // An empty document has a place in one and none in the other.
  const isEmpty = (found: unknown): boolean => (found as { value: unknown }).value === null;
  return isEmpty(slow) && isEmpty(fast) ? [slow, slow] : [fast, slow];
}

const PIECES =
  'a|b|key|x y|1|-1|0x1f|1.5|true|null|~|.inf|- |-|  |    | |\n|\n|\n|\n  |\n    |\n- |\n  - |: |:|#| # c|"|\'|"a b"|\'it\'\'s\'|"\\n\\u0041"|[|]|{|}|, |,|>|>-|&a |*a|!t |? |---|...|%|@|`|\t|\\|é|${{ x }}|<<|__proto__|a: b|- a: b|k: [a, b]|k: {a: b}'
    .split('|')
    .concat(
      '|',
      '|-',
      '>+',
      '|+',
      'k: |\n    text\n    more\n',
      'k: >\n    text\n    more\n\n    x\n',
      '"multi\n    line"',
      'plain\n    cont',
      '\\\n',
    );

test('random pieces of YAML mean the same to both readers', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 14 }), (pieces) => {
      const [fast, slow] = bothReaders(pieces.join(''));
      expect(fast).toEqual(slow);
    }),
    { numRuns: 8000 },
  );
});

const SCALARS = [
  'a',
  'some text',
  '1',
  '-5',
  '1e3',
  'null',
  'true',
  '"q \\" x"',
  "'it''s'",
  '""',
  'x#y',
  'a:b',
  'http://x:80/y',
  '012',
  '5.',
  'é 主',
  '[a, b]',
  '{ k: v, "q": 1 }',
  '[ a, {b: c}, [d] ]',
  '"multi\n        line"',
  'plain\n        more\n\n        end',
  "'s\n\n        t'",
  '"a\\\n        b"',
  '[a,\n        b, # c\n        c ]',
  '&x v',
  '*x',
];

function block(indent: number): fc.Arbitrary<string> {
  const lines = fc.array(fc.constantFrom('t', 't u', '', ' t', '  more', '# no', '\tt', '- a', 'k: v', ' '), {
    minLength: 1,
    maxLength: 5,
  });
  const pad = ' '.repeat(indent + 2);
  return fc
    .tuple(fc.constantFrom('|', '>', '|-', '>-', '|+', '>+'), lines)
    .map(([head, body]) => `${head}\n${body.map((line) => (line === '' ? '' : pad + line)).join('\n')}`);
}

function tree(indent: number, depth: number): fc.Arbitrary<string> {
  const leaf = fc.oneof(fc.constantFrom(...SCALARS), block(indent));
  if (depth === 0) return leaf;
  const inner = tree(indent + 2, depth - 1);
  const pad = ' '.repeat(indent + 2);
  const put = (head: string, value: string): string => (value.startsWith('\n') ? head + value : `${head} ${value}`);
  const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '"d e"', "'f'", 'g h', '1', 'x-y'), { minLength: 1, maxLength: 3 });
  const map = keys.chain((names) => fc.tuple(...names.map((key) => inner.map((value) => put(`${pad}${key}:`, value)))));
  const list = fc.array(
    inner.map((value) => (value.startsWith('\n') && value.length % 2 === 1 ? `${pad}- ${value.trimStart()}` : put(`${pad}-`, value))),
    { minLength: 1, maxLength: 3 },
  );
  return fc.oneof(
    leaf,
    map.map((lines) => `\n${lines.join('\n')}`),
    list.map((lines) => `\n${lines.join('\n')}`),
  );
}

const documents = tree(-2, 3).map((text) => text.replace(/^\n/, ''));
const edits = fc.array(
  fc.tuple(fc.nat(400), fc.constantFrom('', '', ' ', '\n', ':', '#', '-', '"', "'", '[', '}', ',', '\n  ', '&a ', '*a', '|')),
  { maxLength: 2 },
);

test('whole documents, good and damaged, mean the same to both readers', () => {
  fc.assert(
    fc.property(documents, edits, (text, changes) => {
      let damaged = text;
      for (const [at, piece] of changes) {
        const place = at % (damaged.length + 1);
        damaged = damaged.slice(0, place) + piece + damaged.slice(place + (piece === '' ? 1 : 0));
      }
      const [fast, slow] = bothReaders(damaged);
      expect(fast).toEqual(slow);
    }),
    { numRuns: 4000 },
  );
});

test('the fast reader reads what suites are written in by itself', () => {
  const text = `# comment
name: "x" # c
context: { nodes: [a, b], env: {} }
commands:
- name: a
  cmd: |
    one
      two

    three
- name: b
  cmd: >-
    folded
    text
  expect: { contains: ['it''s', "q\\n"] }
testcases:
  - steps:
      - a
      - { use: b,
          with: { n: 1 } }
    description: a long
      text
`;
  expect(outcome(text, readDocument)).toEqual(outcome(text, (r) => composeText(r, text, 0)));
});

/** A document too large for the slow parser as a whole, with one unusual place in its middle. */
function large(middle: string): string {
  const row = (i: number): string => `  - name: c${i}\n    cmd: echo ${i}\n    expect: { contains: [a, b] }\n`;
  const rows = (from: number): string => Array.from({ length: 4000 }, (_, i) => row(from + i)).join('');
  return `commands:\n${rows(0)}${middle}${rows(4000)}`;
}

test.each([
  ['a tag', '  - name: !!str 5\n    cmd: x\n'],
  ['an explicit key', '  - ? name\n    : odd\n    cmd: x\n'],
  ['an explicit indentation', '  - name: odd\n    cmd: |2\n        x\n'],
  ['plain text over lines in a list', '  - name: odd\n    tags: [a\n      b, c]\n'],
  ['a pair in a list', '  - name: odd\n    tags: [a: b]\n'],
])('a large document hands over only the part with %s', (_, middle) => {
  const text = large(middle);
  const { root, problems } = readYaml(text);
  expect(problems).toEqual([]);
  const value = toValue(root as YamlNode) as { commands: Value[] };
  expect(value.commands).toHaveLength(8001);
  expect(value.commands[4000]).toEqual((parseDocument(`commands:\n${middle}`).toJS() as { commands: Value[] }).commands[0]);
  expect(value.commands[4001]).toEqual({ name: 'c4000', cmd: 'echo 4000', expect: { contains: ['a', 'b'] } });
});

test('a syntax error in a large document has its place', () => {
  const text = large('  - name: odd\n    cmd: ${{ a: b }}\n');
  const [found] = readYaml(text).problems;
  expect(found).toMatchObject({ code: 'SUITE_YAML', offset: text.indexOf('${{ a') });
  const indentation = large('  - name: odd\n   cmd: x\n');
  expect(readYaml(indentation).problems[0]).toMatchObject({ code: 'SUITE_YAML', offset: indentation.indexOf('cmd: x\n  - name: c4000') });
});
