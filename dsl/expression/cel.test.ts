import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../model/value.ts';
import {
  ExpressionError,
  bareExpression,
  checkExpression,
  evaluateCondition,
  evaluateExpression,
  namesIn,
  runsAfterCancel,
  stepReferences,
  usesStatus,
} from './cel.ts';

const values = {
  params: { n: 4, x: 1.5, pg: 16, name: "it's", list: [3, 1, 2], mixed: [1, 'a', null, 2.5], big: 2 ** 60, 名字: 'v', 'a-b': 1, empty: '' },
  env: { HOME: '/root', EMPTY: '' },
  steps: {
    produce: { stdout: ' out\n', outputs: { n: 41 }, nodes: { pg1: { stdout: 'x' } }, verdict: 'passed' },
    'my-id': { outputs: { x: 'q' } },
  },
  nodes: [
    { name: 'pg1', host: 'h1', labels: { az: 'a' } },
    { name: 'pg2', host: 'h2', labels: { az: 'b' } },
  ],
  json: {
    members: [
      { name: 'a', up: true },
      { name: 'b', up: false },
    ],
  },
  stdout: ' hello world \n',
};
const status = { success: true, failure: false, always: true, cancelled: false };

const evaluate = (text: string, more: { readonly [name: string]: Value } = {}): Value =>
  evaluateExpression(text, { values: { ...values, ...more }, status });

function failure(text: string, more: { readonly [name: string]: Value } = {}): string {
  try {
    return `no error: ${JSON.stringify(evaluate(text, more))}`;
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe('evaluateExpression', () => {
  it.each<[string, Value]>([
    ['1 + 2 * 3', 7],
    ['10 / 4', 2],
    ['-7 / 2', -3],
    ['-7 % 3', -1],
    ['10.0 / 4', 2.5],
    ['params.n + 1', 5],
    ['params.n * 1.5', 6],
    ['1.5 * params.n', 6],
    ['params.n - 0.5', 3.5],
    ['params.x + params.n', 5.5],
    ['params.n > 3.5 && 3.5 < params.n', true],
    ['params.n == 4.0', true],
    ['2 == 2.0', true],
    ['params.n in [1, 2.0, 4]', true],
    ['"a" in {"a": 1}', true],
    ['params.mixed', [1, 'a', null, 2.5]],
    ['"a" in params.mixed', true],
    ['2.5 in params.mixed', true],
    ['[1, "a", null] == [1.0, "a", null]', true],
    ['{"a": [1]} == {"a": [1]}', true],
    ['[1] + ["a"]', [1, 'a']],
    ['"a" + "b"', 'ab'],
    ['params["名字"]', 'v'],
    ['params["a-b"]', 1],
    ['steps["my-id"].outputs.x', 'q'],
    ['steps.produce.outputs.n + 1', 42],
    ['steps.produce.nodes["pg1"].stdout', 'x'],
    ['stdout.trim()', 'hello world'],
    ['trim(stdout)', 'hello world'],
    ['"A".lower() + upper("b")', 'aB'],
    ['"a,b,,c".split(",")', ['a', 'b', '', 'c']],
    ['"a,b,c".split(",", 2)', ['a', 'b,c']],
    ['["a", "b"].join("-")', 'a-b'],
    ['join([1, true, 2.5], ",")', '1,true,2.5'],
    ['"aXbX".replace("X", "yy")', 'ayybyy'],
    ['"hello".substring(1, 3)', 'el'],
    ['"hello".indexOf("l")', 2],
    ['"hello".startsWith("he") && "hello".endsWith("lo") && "hello".contains("ell")', true],
    ['"line1\\nline2".matches("^line2$")', true],
    ['matches("abc", "^b")', false],
    ['size("🍵é") + size([1, 2]) + "ab".size() + size({"a": 1})', 7],
    ['int("42") + int(3.9) + int(" 7 ")', 52],
    ['double("1e3")', 1000],
    ['string(params.n) + string(1.5) + string(true)', '41.5true'],
    ['string([1, "a"])', '[1,"a"]'],
    ['bool("true") && !bool("0")', true],
    ['type(1) + type(1.5) + type("") + type(null) + type([]) + type({}) + type(true)', 'intdoublestringnulllistmapbool'],
    ['case(params.n > 3, "big", "small")', 'big'],
    ['case(true, 1, unknown_name_is_not_evaluated)', 1],
    ['toJSON({"a": [1, 2.5, null]})', '{"a":[1,2.5,null]}'],
    ['fromJSON("{\\"a\\": [1, 2]}").a[1] + 1', 3],
    ['node("pg2").labels.az', 'b'],
    ['nodes.map(n, n.host).join(",")', 'h1,h2'],
    ['json.members.filter(m, m.up).map(m, m.name)', ['a']],
    ['json.members.map(m, m.up, m.name)', ['a']],
    ['json.members.exists(m, m.name == "b") && json.members.exists_one(m, m.up) && !json.members.all(m, m.up)', true],
    ['env.all(k, k == upper(k))', true],
    ['params.list.map(x, x * 2)', [6, 2, 4]],
    [
      'nodes.map(n, params.list.map(x, n.name + string(x)))',
      [
        ['pg13', 'pg11', 'pg12'],
        ['pg23', 'pg21', 'pg22'],
      ],
    ],
    ['max(params.list) + min(4, 2.5)', 5.5],
    ['has(params.n) && !has(params.zzz) && !has(params.zzz.y) && has(params["a-b"])', true],
    ['true ? 1 : 2', 1],
    ['params.zzz == 1 || true', true],
    ['false && params.zzz == 1', false],
    ['params.zzz == 1 && false', false],
    ['success() && !failure() && always() && !cancelled()', true],
    ['null == params.mixed[2] && params.n != null', true],
    ['"b" > "a" && !("10" > "9")', true],
    ['duration("1m30s") > duration("12.5s")', true],
    ['duration("1m30s")', 90],
    ['timestamp("2024-01-01T00:00:10Z") - timestamp("2024-01-01T00:00:00+00:00")', 10],
    ['9007199254740991', 9_007_199_254_740_991],
    ['raw("x y")', 'x y'],
    ['r"a\\d" + \'q\' + """tri"ple"""', 'a\\dqtri"ple'],
    ['// note\n 1', 1],
    ['-params.n', -4],
    ['!(1 > 2)', true],
    ['[].size() == 0 && {}.size() == 0', true],
  ])('%s', (text, wanted) => {
    expect(evaluate(text)).toEqual(wanted);
  });

  it.each([
    ['params.n + 1 == "5"', 'type: cannot compare int 5 with string "5"; convert one side'],
    ['params.pg == "16"', 'type: cannot compare int 16 with string "16"'],
    ['params.pg in ["15", "16"]', 'type: cannot compare int 16 with string "15"'],
    ['"16" in [15, 16]', 'type: cannot compare'],
    ['true == "true"', 'type: cannot compare bool true'],
    ['"a" + 1', 'type: cannot add string "a" and int 1; convert'],
    ['1 < "2"', 'type: cannot order int 1 and string "2"; convert text with int(…) or double(…)'],
    ['[1] < [2]', 'type: cannot order list'],
    ['!params.name', `not_boolean: a condition must be true or false, not string "it's"; write params.name != ""`],
    ['params.n || true', 'not_boolean: a condition must be true or false, not int 4; write params.n != 0'],
    ['params.list ? 1 : 2', 'not_boolean: a condition must be true or false, not list a list of 3; write size(params.list) > 0'],
    ['stepz.x', 'unknown_name: unknown name "stepz", did you mean "steps"? (known names: env, json, nodes, params, stdout, steps)'],
    ['stepz.x || true', 'unknown_name'],
    ['params.nn', 'no_such_key: there is no "nn", did you mean "n"?'],
    ['params.list[3]', 'no_such_key: there is no element 3 in a list of 3'],
    ['params.list[-1]', 'no_such_key'],
    ['params.list["length"]', 'type: a list is indexed by an integer'],
    ['params.list.length', 'type: a list is indexed by an integer'],
    ['stdout.length', 'type: string " hello world \\n" has no field "length"'],
    ['params["__proto__"]', 'no_such_key'],
    ['params.constructor', 'no_such_key'],
    ['constructor', 'unknown_name'],
    ['__proto__', 'syntax'],
    ['toString()', 'unknown_name: there is no function toString()'],
    ['"a".constructor()', 'unknown_name'],
    ['hasOwnProperty("a")', 'unknown_name'],
    ['secrets.PW', 'secret: secrets cannot be used in an expression'],
    ['1 / 0', 'value: division by zero'],
    ['1.0 / 0', 'value: division by zero'],
    ['1 % 0', 'value: division by zero'],
    ['9223372036854775807 + 1', 'value: integer overflow'],
    ['-9223372036854775807 - 2', 'value: integer overflow'],
    ['9223372036854775808', 'value: the integer is too large'],
    ['9007199254740993', 'result: the integer 9007199254740993 is larger than JSON can hold exactly; make it text with string(…)'],
    ['int("x")', 'value: int(): "x" is not a whole number'],
    ['int("1.5")', 'value: int(): "1.5" is not a whole number; write int(double(…))'],
    ['double("")', 'value: double(): "" is not a number'],
    ['double("0x10")', 'value'],
    ['fromJSON("{")', 'value: fromJSON(): "{" is not JSON'],
    ['string(null)', 'value: the value is null'],
    ['"a".matches("(")', 'value: bad regular expression'],
    ['"a".matches("(?=x)")', 'value: bad regular expression'],
    ['node("pg9")', 'no_such_key: there is no node "pg9"; nodes: pg1, pg2'],
    ['"x".trim', 'type'],
    ['nodes.hosts', 'type: a list is indexed by an integer, not string "hosts"; every element: list.map(x, x.field)'],
    ['trimm("x")', 'unknown_name: there is no function trimm(), did you mean trim()?'],
    ['"x".case(1, 2)', 'type'],
    ['trim()', 'type: trim() takes 1 argument, not 0'],
    ['"a".split()', 'type: .split() takes 1 to 2 arguments, not 0'],
    ['a.map(x, x.map(y, y.map(z, z)))', 'limit: at most 2 nested'],
    ['params.n = 4', 'syntax: unexpected character: =; equality is written =='],
    ['params.n == 4 and true', 'syntax: unexpected character'],
    ['', 'syntax: the expression is empty'],
    ['   ', 'syntax: the expression is empty'],
    ['(1', 'syntax: the expression ends too early'],
    ['1 +', 'syntax: the expression ends too early'],
    ['"a', 'syntax: unterminated string'],
    ['params.名字', 'syntax'],
    ['b"x"', 'syntax: byte strings are not supported'],
    ['1u', 'syntax: unsigned literals are not supported; leave the u out'],
    ['params.?x', 'syntax'],
    ['{1: 2}', 'type: a key of a map is text'],
    ['params.list.map(1, 2)', 'syntax'],
    ['cel.bind(x, 1, x)', 'unknown_name'],
  ])('refuses %s', (text, wanted) => {
    expect(failure(text)).toContain(wanted);
  });

  it('shows the expression and the place', () => {
    expect(failure('1 +\n  params.nn')).toMatch(/\(in `1 \+ params\.nn`, line 2, column 3\)$/u);
    const long = failure(`${'1 + '.repeat(100)}nope`);
    expect(long).toContain('column 401');
    expect(long.length).toBeLessThan(400);
    expect(failure('nope\n')).not.toContain('\n');
  });

  it('leaves the whole mark around an expression out', () => {
    expect(evaluate('${{ params.n == 4 }}')).toBe(true);
    expect(bareExpression('  ${{ a }}  ')).toBe(' a ');
    expect(failure('${{ params.n }} && ${{ params.x }}')).toContain('syntax');
    expect(evaluate('${{ "}}" + "${{" }}')).toBe('}}${{');
  });

  it('keeps integers of any size exact inside and refuses to hand out inexact ones', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        expect(evaluate('a == b', { a, b })).toBe(a === b);
        expect(evaluate('string(a + b)', { a, b })).toBe(String(BigInt(a) + BigInt(b)));
        expect(evaluate('a < b', { a, b })).toBe(a < b);
      }),
    );
    expect(evaluate('int("9007199254740993") > 9007199254740992')).toBe(true);
  });

  it('gives JSON values back as they were', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const value = JSON.parse(
          JSON.stringify(json, (_key, item: unknown) =>
            typeof item === 'number' && Number.isInteger(item) && !Number.isSafeInteger(item) ? 0 : item,
          ),
        ) as Value;
        expect(evaluate('v', { v: value })).toEqual(value);
        expect(evaluate('fromJSON(toJSON(v)) == v', { v: value })).toBe(true);
      }),
    );
  });

  it('keeps a key __proto__ a key', () => {
    const v = JSON.parse('{"__proto__": {"polluted": true}}') as Value;
    expect(Object.keys(evaluate('v', { v }) as object)).toEqual(['__proto__']);
    expect((evaluate('{"__proto__": 1}') as { readonly [key: string]: Value })['__proto__']).toBe(1);
    expect(({} as { readonly [key: string]: unknown })['polluted']).toBeUndefined();
  });

  it('evaluates 100,000 conditions well below a second', () => {
    const scope = { values, status };
    // The best of five, because other work shares the machine.
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      for (let round = 0; round < 20_000; round++) evaluateExpression('steps.produce.outputs.n + 1 > params.n && success()', scope);
      return performance.now() - started;
    });
    expect(Math.min(...times) * 5).toBeLessThan(4_000);
  });
});

describe('limits', () => {
  const within = (text: string, more: { readonly [name: string]: Value } = {}): string => {
    const started = performance.now();
    const result = failure(text, more);
    expect(performance.now() - started).toBeLessThan(20_000);
    return result;
  };
  const long = 'x'.repeat(16_384);
  const items = Array.from({ length: 5_000 }, (_, index) => index);

  it('stops what would hang or use up the memory', () => {
    expect(within(`"${'a'.repeat(17_000)}"`)).toContain('limit: an expression may have at most 16384 characters');
    expect(within('l.map(x, l.map(y, x + y))', { l: items })).toContain('limit: ');
    expect(within('l.all(x, l.all(y, l.size() > 0))', { l: items })).toContain('limit: the expression takes too many steps');
    expect(within('l.map(x, s.split(""))', { l: items, s: long })).toContain('limit: ');
    expect(within('l.map(x, s.replace("x", s))', { l: items, s: long })).toContain('limit: ');
    expect(within('l.map(x, s.matches("(x+x+)+y"))', { l: items, s: long })).toContain('limit: ');
    expect(within('l.map(x, s + s + s + s)', { l: items, s: long })).toContain('limit: ');
    expect(within('s.matches("(x+x+)+y")', { s: long })).toBe('no error: false');
    expect(within(`${'!'.repeat(16_000)}true`)).toContain('limit: ');
    expect(within(`${'('.repeat(8_000)}1${')'.repeat(8_000)}`)).toContain('limit: ');
    expect(within(`${'['.repeat(8_000)}${']'.repeat(8_000)}`)).toContain('limit: ');
    expect(within(`1${' + 1'.repeat(4_000)}`)).toContain('limit: ');
    expect(within(`p${'.a'.repeat(5_000)}`)).toContain('limit: ');
    expect(within('fromJSON(s)', { s: `${'['.repeat(100_000)}${']'.repeat(100_000)}` })).toMatch(/^(?:limit|value): /u);
    expect(within('fromJSON(s) == fromJSON(s)', { s: `${'['.repeat(5_000)}${']'.repeat(5_000)}` })).toContain('limit: ');
    expect(within('cel'.repeat(1) + '.x')).toContain('unknown_name');
  });

  it('has a size that ordinary use does not reach', () => {
    expect(evaluate('s.split("\\n").filter(l, l.contains("a")).size()', { s: 'abc\nxyz\n'.repeat(20_000) })).toBe(20_000);
    expect(evaluate('size(s)', { s: 'x'.repeat(64 << 20) })).toBe(64 << 20);
    expect(evaluate('s.contains("y")', { s: 'x'.repeat(64 << 20) })).toBe(false);
  });

  it('never throws anything but an ExpressionError, whatever the text', () => {
    const piece = fc.constantFrom(
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '.',
      ',',
      '"',
      "'",
      '\\',
      'params',
      'n',
      '1',
      '1.5',
      ' ',
      '+',
      '-',
      '*',
      '/',
      '%',
      '<',
      '==',
      '!',
      '&&',
      '||',
      '?',
      ':',
      'map',
      'has(',
      'x',
      'in',
      'null',
      'true',
      'trim()',
      '"""',
      'r"',
      '\n',
      '//',
      'u',
      'e5',
      '0x',
      '💥',
      '\0',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 25 }).map((parts) => parts.join('')),
          fc.string({ unit: 'binary', maxLength: 50 }),
        ),
        (text) => {
          expect(failure(text)).toBeTypeOf('string');
          expect(() => checkExpression(text, new Set(['params']))).not.toThrow();
        },
      ),
      { numRuns: 20_000 },
    );
  });
});

describe('evaluateCondition', () => {
  it('takes true and false only, and says how to write the rest', () => {
    const scope = { values, status };
    expect(evaluateCondition('params.n > 3', scope)).toBe(true);
    expect(() => evaluateCondition('env.HOME', scope)).toThrow(/not string "\/root"; write env\.HOME != ""/u);
    expect(() => evaluateCondition('${{ params.n }}', scope)).toThrow(/write params\.n != 0/u);
    expect(() => evaluateCondition('params.mixed[2]', scope)).toThrow(/write params\.mixed\[2\] != null/u);
  });

  it('has no status functions outside a step', () => {
    expect(() => evaluateCondition('success()', { values })).toThrow(/only in the `if` of a step/u);
  });
});

describe('checkExpression', () => {
  const names = new Set(['params', 'steps', 'env', 'nodes']);

  it('finds names, functions and arguments that do not exist, with their place', () => {
    expect(checkExpression('params.n + 1 > 2', names)).toBeUndefined();
    expect(checkExpression('  1 + stepz.x', names)).toMatchObject({
      code: 'unknown_name',
      offset: 6,
      length: 5,
      message: expect.stringContaining('did you mean "steps"?'),
    });
    expect(checkExpression('${{ stepz.x }}', names)).toMatchObject({ offset: 4 });
    expect(checkExpression('params.l.map(x, x + y)', names)).toMatchObject({ code: 'unknown_name', offset: 20 });
    expect(checkExpression('x + params.l.map(x, x)', names)).toMatchObject({ code: 'unknown_name', offset: 0 });
    expect(checkExpression('trimm(params.a)', names)).toMatchObject({ code: 'unknown_name', offset: 0 });
    expect(checkExpression('params.a.split()', names)).toMatchObject({ code: 'type' });
    expect(checkExpression('has(params)', names)).toMatchObject({ code: 'type' });
    expect(checkExpression('secrets.PW == ""', new Set([...names, 'secrets']))).toMatchObject({ code: 'secret' });
    expect(checkExpression('node("a").host', new Set(['params']))).toMatchObject({ code: 'unknown_name' });
    expect(checkExpression('1 +', names)).toMatchObject({ code: 'syntax', offset: 3 });
  });

  it('explains a step id with a dash', () => {
    expect(checkExpression('steps.my-id.outputs.x', names)).toMatchObject({
      code: 'unknown_name',
      hint: 'a name with "-" is written in brackets: ["my-id"]',
    });
  });
});

describe('what an expression uses', () => {
  it('names', () => {
    expect([...namesIn('a.b + c["d"] + l.map(x, x + y).join(z) + node("n").host')].sort()).toEqual(['a', 'c', 'l', 'nodes', 'y', 'z']);
    expect([...namesIn('has(a.b) && size(c) > 0 && {"k": d}.k == [e][0] && -f < (g ? h : i)')].sort()).toEqual([
      'a',
      'c',
      'd',
      'e',
      'f',
      'g',
      'h',
      'i',
    ]);
    expect([...namesIn('${{ a }}')]).toEqual(['a']);
  });

  it('steps', () => {
    expect(
      stepReferences('steps.a.stdout.trim() + steps["b-1"].outputs.c + string(steps.d.nodes["x"].stdout) + steps.e["exit_code"]'),
    ).toMatchObject([
      { step: 'a', field: 'stdout' },
      { step: 'b-1', field: 'outputs', output: 'c' },
      { step: 'd', field: 'nodes', nodeField: 'stdout' },
      { step: 'e', field: 'exit_code' },
    ]);
    expect(stepReferences('steps.a').map(({ field }) => field)).toEqual([undefined]);
    expect(stepReferences('l.map(steps, steps.x)')).toEqual([]);
    expect(stepReferences('has(steps.a.outputs.x) ? steps.a.outputs["x"] : ""').map(({ output }) => output)).toEqual(['x', 'x']);
  });

  it('status functions', () => {
    expect(usesStatus('params.a == 1')).toBe(false);
    expect(usesStatus('!failure()')).toBe(true);
    expect(runsAfterCancel('always() && params.a == 1')).toBe(true);
    expect(runsAfterCancel('success()')).toBe(false);
  });
});
