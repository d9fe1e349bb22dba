import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Check, MatcherBlock } from '../model/matcher.ts';
import { parseJsonPath } from './json-path.ts';
import { conditionProblem } from './condition-problem.ts';
import { checkMatcherBlock, checkMatchers, failureReason } from './match.ts';
import type { Sample } from './match.ts';

function sample(more: Partial<Sample> = {}): Sample {
  return { exitCode: 0, stdout: '', stderr: '', durationSeconds: 1.25, ...more };
}

const out = (stdout: string, more: Partial<Sample> = {}): Sample => sample({ stdout, ...more });

function verdict(block: MatcherBlock, given: Sample): Check['ok'] | 'mixed' {
  const oks = checkMatchers(block, given, { values: { params: { n: 3 } } }).map(({ ok }) => ok);
  return oks.includes(false) ? false : oks.includes('undecidable') ? 'undecidable' : true;
}

const reason = (block: MatcherBlock, given: Sample): string =>
  failureReason(checkMatchers(block, given, { values: { params: { n: 3 } } }), given);

const json = '{"a": {"b": [{"c": 5}, {"c": "7"}], "x.y": true, "n": null}, "big": 9007199254740993, "list": [1, 2]}';

describe('checkMatchers', () => {
  it.each<[MatcherBlock, Sample, Check['ok']]>([
    [{}, sample(), true],
    [{}, sample({ exitCode: 1 }), false],
    [{}, sample({ exitCode: null }), false],
    [{ exit_code: 'any' }, sample({ exitCode: 7 }), true],
    [{ exit_code: 'any' }, sample({ exitCode: null }), true],
    [{ exit_code: 3 }, sample({ exitCode: 3 }), true],
    [{ exit_code: { in: [1, 3] } }, sample({ exitCode: 3 }), true],
    [{ exit_code: { not: 0 } }, sample({ exitCode: 3 }), true],
    [{ exit_code: { not: 0 } }, sample(), false],
    [{ contains: ['a', 'b'] }, out('xaxb'), true],
    [{ contains: ['a', 'b'] }, out('xax'), false],
    [{ contains: [42] }, out('n=42'), true],
    [{ not_contains: ['a', 'b'] }, out('xyz'), true],
    [{ not_contains: ['a', 'b'] }, out('xb'), false],
    [{ matches: ['^b$', 'a'] }, out('a\nb\n'), true],
    [{ matches: ['^\\p{L}+$'] }, out('主节点'), true],
    [{ matches: ['^b$'] }, out('ab'), false],
    [{ not_matches: ['err(or)?'] }, out('fine'), true],
    [{ not_matches: ['err(or)?'] }, out('error'), false],
    [{ equals: 'a\nb' }, out('a\nb\n\n'), true],
    [{ equals: 'a\n' }, out('a'), true],
    [{ equals: 'a' }, out(' a'), false],
    [{ equals: '' }, out('\n\n'), true],
    [{ empty: true }, out(' \n\t'), true],
    [{ empty: false }, out(' \n\t'), false],
    [{ empty: false }, out('x'), true],
    [{ lines: 0 }, out(''), true],
    [{ lines: 1 }, out('\n'), true],
    [{ lines: 2 }, out('a\nb'), true],
    [{ lines: 2 }, out('a\nb\n'), true],
    [{ lines: { gte: 1, lt: 3 } }, out('a\nb\nc\n'), false],
    [{ json: { 'a.b[0].c': 5, 'a.b[1].c': 7, 'list[1]': { gt: 1 } } }, out(json), true],
    [{ json: { 'a["x.y"]': true } }, out(json), true],
    [{ json: { 'a.b.0.c': 5 } }, out(json), true],
    [{ json: { '$.a.b[0].c': { between: [5, 5] } } }, out(json), true],
    [{ json: { 'a.n': null } }, out(json), true],
    [{ json: { list: [1, 2] } }, out(json), true],
    [{ json: { list: { eq: [1, 2] } } }, out(json), true],
    [{ json: { 'a.b[0]': { c: 5 } } }, out(json), true],
    [{ json: { 'list.length': 2 } }, out(json), false],
    [{ json: { 'a.zzz': { ne: 5 } } }, out(json), false],
    [{ json: { 'a.zzz': { not: 5 } } }, out(json), false],
    [{ json: { 'a.__proto__': { ne: 5 } } }, out(json), false],
    [{ json: { big: 9_007_199_254_740_992 } }, out(json), false],
    [{ json: { big: '9007199254740993' } }, out(json), true],
    [{ json: { $: { any: [1, 2] } } }, out('2'), true],
    [{ json: { a: 1 } }, out('not json'), false],
    [{ stderr: { contains: ['warn'], lines: 1 } }, sample({ stderr: 'warning\n' }), true],
    [{ stderr: { empty: true } }, sample({ stderr: 'x' }), false],
    [{ stderr: { json: { a: 1 } } }, sample({ stderr: '{"a":1}' }), true],
    [{ duration: { lt: 2 } }, sample(), true],
    [{ duration: { lt: 1 } }, sample(), false],
    [{ eq: 12 }, out('12\n'), true],
    [{ eq: 12 }, out('12.0\n'), true],
    [{ eq: '12' }, out('12\n'), true],
    [{ eq: '12' }, out('12.0'), false],
    [{ eq: true }, out('true\n'), true],
    [{ ne: 12 }, out('abc'), true],
    [{ ne: 12 }, out('12'), false],
    [{ lt: 10 }, out('9.5'), true],
    [{ lt: '10' }, out('9'), true],
    [{ gt: 'apple' }, out('banana'), true],
    [{ gte: 1e3 }, out('1e3'), true],
    [{ lt: 5 }, out('abc'), false],
    [{ not: { lt: 5 } }, out('abc'), false],
    [{ not: { lt: 5 } }, out('7'), true],
    [{ between: [1, 5] }, out('5'), true],
    [{ between: [1, 5] }, out('6'), false],
    [{ in: ['a', 2] }, out('2'), true],
    [{ in: ['a', 2] }, out('b'), false],
    [{ any: [{ lt: 0 }, 'x', { gt: 100 }] }, out('x'), true],
    [{ any: [{ lt: 0 }, { gt: 100 }] }, out('50'), false],
    [{ all: [{ gt: 0 }, { lt: 100 }] }, out('50'), true],
    [{ gt: 9_007_199_254_740_992 }, out('9007199254740993'), true],
    [{ lt: 0.2 }, sample({ value: 0.1, stdout: '9' }), true],
    [{ expr: ['size(stdout) == 2', 'exit_code == 0 && duration < 2', 'params.n == 3'] }, out('ab'), true],
    [{ expr: ['json.a.b[0].c == 5'] }, out(json), true],
    [{ expr: ['json.a == 1'] }, out('nope'), 'undecidable'],
    [{ expr: ['size(stdout)'] }, out('ab'), 'undecidable'],
    [{ expr: ['nope == 1'] }, out('ab'), 'undecidable'],
    [{ expr: ['stderr.contains("x")'] }, sample({ stderr: 'x' }), true],
    [
      { rows: { count: 2, each: { up: true }, any: { n: { gt: 1 }, up: true } } },
      sample({
        rows: [
          { n: 1, up: true },
          { n: 2, up: true },
        ],
      }),
      true,
    ],
    [{ rows: { count: { gt: 2 } } }, sample({ rows: [] }), false],
    [{ rows: { each: { n: 1 } } }, sample({ rows: [{ n: 1 }, { m: 1 }] }), false],
    [
      { rows: { any: { n: 1, m: 2 } } },
      sample({
        rows: [
          { n: 1, m: 1 },
          { n: 2, m: 2 },
        ],
      }),
      false,
    ],
    [{ rows: { count: 0 } }, sample(), false],
    [{ all_equal: true }, sample(), true],
  ])('%j of %j', (block, given, wanted) => {
    expect(verdict(block, given)).toBe(wanted);
  });

  it('leaves the exit code out when it is not implied', () => {
    expect(checkMatchers({ contains: ['a'] }, sample({ exitCode: 9, stdout: 'a' }), undefined, { implicitExitCode: false })).toHaveLength(
      1,
    );
    expect(checkMatchers({ exit_code: 1 }, sample({ exitCode: 9 }), undefined, { implicitExitCode: false })).toHaveLength(1);
  });

  it('shows conversions', () => {
    const [, check] = checkMatchers({ gt: 20 }, out('12\n'));
    expect(check).toEqual({ matcher: 'gt', expected: '> 20', actual: '"12" (text) → 12', ok: false });
    expect(checkMatchers({ eq: 5 }, out('abc'))[1]).toMatchObject({ actual: '"abc" (text)' });
    expect(checkMatchers({ lt: 5 }, out('abc'))[1]).toMatchObject({ actual: '"abc" (not a number)' });
    expect(checkMatchers({ json: { a: { lt: 5 } } }, out('{"a":"7"}'))[1]).toMatchObject({
      matcher: 'json',
      path: 'a',
      expected: '< 5',
      actual: '"7" (text) → 7',
    });
  });

  it('keeps actual and expected short, whatever the output', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (text) => {
        for (const check of checkMatchers(
          {
            contains: ['\0nope'],
            not_contains: [text.slice(0, 1)],
            equals: 'x',
            json: { a: 1 },
            lt: 5,
            lines: 0,
            empty: true,
            matches: ['nope'],
            not_matches: ['.'],
          },
          out(text),
        )) {
          expect(check.actual.length).toBeLessThanOrEqual(520);
        }
        expect(reason({ equals: 'x' }, out(text))).not.toMatch(/\p{Cc}/u);
      }),
    );
    expect(checkMatchers({ equals: 'x' }, out(`start${'\n'.repeat(10_000)}end`))[1]?.actual).toMatch(/^"start.*end"$/u);
  });

  it('judges 64 MiB of output in time', () => {
    const text = `${'0123456789abcde\n'.repeat(4 << 20)}last`;
    const started = performance.now();
    expect(
      verdict({ contains: ['last'], not_contains: ['nope'], lines: { gt: 4_000_000 }, empty: false, matches: ['^last$'] }, out(text)),
    ).toBe(true);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('cut output', () => {
  const cut = (text: string): Sample => out(text, { stdoutCut: true });

  it.each<[MatcherBlock, Sample, Check['ok']]>([
    [{ contains: ['a'] }, cut('xa'), true],
    [{ contains: ['b'] }, cut('xa'), 'undecidable'],
    [{ not_contains: ['a'] }, cut('xa'), false],
    [{ not_contains: ['b'] }, cut('xa'), 'undecidable'],
    [{ matches: ['^x'] }, cut('xa'), true],
    [{ matches: ['a$'] }, cut('xa'), 'undecidable'],
    [{ matches: ['x(?!.*b)'] }, cut('xa'), 'undecidable'],
    [{ not_matches: ['^x'] }, cut('xa'), false],
    [{ not_matches: ['b'] }, cut('xa'), 'undecidable'],
    [{ equals: 'ya' }, cut('xa'), false],
    [{ equals: 'xab' }, cut('xa'), 'undecidable'],
    [{ equals: 'xa' }, cut('xa\n'), 'undecidable'],
    [{ equals: 'x' }, cut('xa'), false],
    [{ empty: true }, cut('xa'), false],
    [{ empty: false }, cut('xa'), true],
    [{ empty: true }, cut('  '), 'undecidable'],
    [{ lines: 1 }, cut('a\nb\n'), false],
    [{ lines: 2 }, cut('a\nb\n'), 'undecidable'],
    [{ lines: { gte: 2 } }, cut('a\nb\n'), true],
    [{ lines: { lt: 2 } }, cut('a\nb\n'), false],
    [{ lines: { lt: 3 } }, cut('a\nb\n'), 'undecidable'],
    [{ json: { a: 1 } }, cut('{}'), 'undecidable'],
    [{ eq: 'xa' }, cut('xa'), 'undecidable'],
    [{ expr: ['stdout == ""'] }, cut('xa'), 'undecidable'],
    [{ expr: ['exit_code == 0'] }, cut('xa'), true],
    [{ exit_code: 1, contains: ['b'] }, cut('xa'), false],
    [{ stderr: { contains: ['b'] } }, sample({ stderr: 'a', stderrCut: true }), 'undecidable'],
  ])('%j of %j', (block, given, wanted) => {
    expect(verdict(block, given)).toBe(wanted);
  });

  it('never decides what the rest of the output could turn over', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' '), maxLength: 8 });
    const blocks: MatcherBlock[] = [
      { contains: ['ab'] },
      { not_contains: ['ab'] },
      { matches: ['^ab$'] },
      { matches: ['a$'] },
      { not_matches: ['b\\b'] },
      { matches: ['a(?!b)'] },
      { equals: 'ab' },
      { equals: '' },
      { empty: true },
      { empty: false },
      { lines: 1 },
      { lines: { gt: 1 } },
      { lines: { lte: 1 } },
      { lines: { between: [1, 2] } },
      { eq: 'ab' },
      { lines: { not: 1 } },
    ];
    fc.assert(
      fc.property(
        text,
        fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' '), minLength: 1, maxLength: 8 }),
        fc.constantFrom(...blocks),
        (head, rest, block) => {
          const known = verdict(block, cut(head));
          expect([known === 'undecidable' ? known : verdict(block, out(head + rest)), head, rest]).toEqual([known, head, rest]);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('failureReason', () => {
  it.each<[MatcherBlock, Sample, string]>([
    [{ contains: ['green'] }, out('the light is red'), 'stdout does not contain "green": "the light is red"'],
    [{}, sample({ exitCode: 127, stderr: 'sh: 1: no_such: not found\n' }), 'exit code 127, expected 0: sh: 1: no_such: not found'],
    [
      {},
      sample({ exitCode: 127, stderr: '/var/tmp/onetear-0/r1/t.a1.s/s.0a1b2c: 1: exec: no_such: not found\n' }),
      'exit code 127, expected 0: line 1: no_such: not found',
    ],
    [{}, sample({ exitCode: 1, stdout: 'a\nlast words\n\n' }), 'exit code 1, expected 0: last words'],
    [{}, sample({ exitCode: 1 }), 'exit code 1, expected 0'],
    [{ exit_code: { in: [3, 4] } }, sample(), 'exit code 0, expected one of [3,4]'],
    [{}, sample({ exitCode: null }), 'no exit code, expected 0'],
    [{ contains: ['a'], lines: 3 }, sample({ exitCode: 2, stderr: 'x' }), 'exit code 2, expected 0: x (and 2 more)'],
    [{ not_contains: ['red'] }, out('the light is red'), 'stdout contains "red": "the light is red"'],
    [{ matches: ['^x'] }, out('a'), 'stdout does not match /^x/: "a"'],
    [{ equals: 'a\nb' }, out('a\nc\n'), 'stdout is "a\\nc", expected "a\\nb"'],
    [{ empty: true }, out('x'), 'stdout is not empty: "x"'],
    [{ empty: false }, out(''), 'stdout is empty'],
    [{ lines: { gt: 2 } }, out('a'), 'stdout has 1 line, expected > 2'],
    [{ json: { 'a.b': 6 } }, out('{"a":{"b":5}}'), 'json a.b is 5, expected 6'],
    [{ json: { 'a.c': 6 } }, out('{"a":{"b":5}}'), 'json a.c is nothing there, expected 6'],
    [{ gt: 20 }, out('12'), 'stdout is "12" (text) → 12, expected > 20'],
    [{ duration: { lt: 1 } }, sample(), 'took 1.25 s, expected < 1 s'],
    [{ expr: ['size(stdout) > 5'] }, out('abc'), 'not true: size(stdout) > 5'],
    [{ stderr: { empty: true } }, sample({ stderr: 'oops' }), 'stderr is not empty: "oops"'],
    [{ contains: ['a'] }, out('x', { stdoutCut: true }), 'cannot decide contains "a": the output is over the limit'],
    [{}, sample({ exitCode: 1, stderr: '\u001b[31mred\u0007\r' }), 'exit code 1, expected 0: [31mred'],
    [{}, sample(), ''],
  ])('%j of %j', (block, given, wanted) => {
    expect(reason(block, given)).toBe(wanted);
  });
});

describe('checkMatcherBlock', () => {
  it('finds mistakes before anything runs', () => {
    const block: MatcherBlock = {
      matches: ['ok', '('],
      not_matches: ['[', '${{ params.pattern }}'],
      json: { 'a..b': 1, 'a.b': { between: [5, 1] } },
      stderr: { matches: ['*'] },
      in: [],
      lines: { gt: true },
      expr: ['stdout == "" && nope', 'json.a == 1'],
      contains: ['${{ params.x }}', '${{ nope2 }}'],
    };
    expect(checkMatcherBlock(block, new Set(['params'])).map(({ path, message }) => `${path.join('/')}: ${message}`)).toEqual([
      expect.stringContaining('matches/1: bad regular expression: '),
      expect.stringContaining('not_matches/0: bad regular expression: '),
      'json/a..b: "a..b" is not a path',
      'lines/gt: gt needs a number or a text, not true',
      'json/a.b/between: between: 5 is more than 1',
      'in: in: an empty list allows nothing',
      expect.stringContaining('stderr/matches/0: bad regular expression: '),
      expect.stringContaining('expr/0: unknown name "nope"'),
      expect.stringContaining('contains/1: unknown name "nope2"'),
    ]);
    expect(checkMatcherBlock({ matches: ['^a$'], json: { 'a[0]': 1 } })).toEqual([]);
  });
});

describe('parseJsonPath', () => {
  it.each([
    ['a', ['a']],
    ['a.b[0].c', ['a', 'b', 0, 'c']],
    ['[0].a', [0, 'a']],
    ['a["x.y"][\'z\']', ['a', 'x.y', 'z']],
    ['$', []],
    ['$.a', ['a']],
    ['$[1]', [1]],
    ['a-b.c d', ['a-b', 'c d']],
  ])('%s', (text, path) => {
    expect(parseJsonPath(text)).toEqual(path);
  });

  it.each(['', 'a..b', '.a', 'a.', 'a[', 'a[x]', 'a[-1]', 'a]b', 'a[0]b', 'x'.repeat(2_000)])('refuses %j', (text) => {
    expect(parseJsonPath(text)).toBeUndefined();
  });
});

describe('expressions that decide nothing', () => {
  it.each(['1 + 1', 'size(stdout)', 'int(stdout) > 5', 'json.error == 1', 'stdout'])('%s is undecidable', (expression) => {
    const [check] = checkMatchers({ expr: [expression] }, out('hi'), undefined, { implicitExitCode: false });
    expect(check?.ok).toBe('undecidable');
    expect(verdict({ json: { error: 1 } }, out('hi'))).toBe(false);
  });

  it.each([
    ['1 + 1', 'a calculation'],
    ['stdout', 'text'],
    ['${{ size(stdout) }}', 'a number'],
    ['stdout.trim()', 'text'],
    ['[stdout]', 'a list'],
    ['null', 'null'],
  ])('%s is found before the run', (expression, kind) => {
    expect(conditionProblem(expression)?.message).toBe(`a condition must be true or false, and this is ${kind}`);
  });

  it.each(['true', 'json', 'json.ok', 'stdout == "x"', 'stdout.contains("x")', 'params.n ? true : false', '1 +'])(
    '%s is left to the run',
    (expression) => {
      expect(conditionProblem(expression)).toBeUndefined();
    },
  );

  it('refuses conditions of a block behind not', () => {
    expect(checkMatcherBlock({ not: { expr: 'true' } })).toEqual([
      { path: ['not'], message: 'not takes conditions on a value, and expr is none', hint: 'write expr: "!(…)"' },
    ]);
    expect(checkMatcherBlock({ not: { eq: 'x' }, json: { a: { not: { lines: 3 } } } })).toEqual([]);
  });
});
