import { describe, expect, it } from 'vitest';
import {
  chaos,
  command,
  inline,
  noAssert,
  noHooks,
  parallel,
  recover,
  retry,
  sleep,
  suite,
  testcase,
  use,
  at,
} from '../../tests/goldens/suite-builder.ts';
import type { Suite } from '../model/suite.ts';
import { compileSuite } from './compile-suite.ts';
import type { CompileOptions } from './compile-suite.ts';

function compile(parts: Parameters<typeof suite>[0], options: Partial<CompileOptions> = {}) {
  return compileSuite(suite(parts), { seed: 1, digest: 'd', execute: false, ...options });
}

function problems(parts: Parameters<typeof suite>[0], options: Partial<CompileOptions> = {}): string[] {
  const { diagnostics, plan } = compile(parts, options);
  // A plan and errors exclude each other.
  expect(plan === undefined).toBe(diagnostics.some((each) => each.severity === 'error'));
  return diagnostics.map((each) => `${each.code}: ${each.message}${each.hint === undefined ? '' : ` (${each.hint})`}`);
}

function steps(parts: Parameters<typeof suite>[0]) {
  const { plan, diagnostics } = compile(parts);
  expect(diagnostics).toEqual([]);
  return plan!.testcases[0]!.steps;
}

const order = (list: ReturnType<typeof steps>) =>
  Object.fromEntries(
    list.map((step) => [step.id, step.needs.map((need) => (need.moment === 'finished' ? need.step : `${need.step}.${need.moment}`))]),
  );

const x = command('x', 'true');

describe('defaults', () => {
  it('fills in nodes, cluster, limits and the lock of the seed suite', () => {
    const { plan } = compile({
      commands: [command('show_cluster', 'repmgr cluster show')],
      chaos: [chaos('kill', 'pkill -9 postgres', { durationMs: 10_000 })],
      testcases: [testcase('failover', [use('show_cluster'), use('kill'), use('show_cluster')]), testcase('calm', [use('show_cluster')])],
    });
    expect(plan!.context.nodes).toEqual([
      { name: 'local', connection: 'local', host: 'localhost', labels: {}, vars: {}, connectWithinMs: 30_000 },
    ]);
    expect(plan!.context.defaults).toMatchObject({ timeoutMs: 60_000, shell: 'sh', sudo: false, retry: { max: 0 } });
    expect(plan!.context.faults).toEqual({ nodes: 'all', maxNodes: 1 });
    const [failover, calm] = plan!.testcases;
    expect(failover!.steps.map((step) => [step.id, step.kind])).toEqual([
      ['show_cluster', 'command'],
      ['kill', 'chaos'],
      ['show_cluster#2', 'command'],
    ]);
    expect(failover!.lastCommandStep).toBe('show_cluster#2');
    expect(failover!.locks).toEqual([{ name: plan!.context.cluster, mode: 'exclusive' }]);
    expect(calm!.locks).toEqual([{ name: plan!.context.cluster, mode: 'shared' }]);
    expect(plan!.cells.map((cell) => cell.id)).toEqual(['failover', 'calm']);
  });

  it('names the same machines the same cluster, in whatever order', () => {
    const nodes = [
      { name: 'a', host: '10.0.0.1', location: at() },
      { name: 'b', host: '10.0.0.2', location: at() },
    ];
    const one = compile({ context: { nodes }, testcases: [] }).plan!.context.cluster;
    const other = compile({ context: { nodes: nodes.toReversed() }, testcases: [] }).plan!.context.cluster;
    const different = compile({ context: { nodes: nodes.slice(1) }, testcases: [] }).plan!.context.cluster;
    expect(other).toBe(one);
    expect(different).not.toBe(one);
  });
});

describe('steps', () => {
  it('runs a list in sequence and starts what needs nothing at once', () => {
    const commands = [x, command('y', 'true')];
    const list = steps({
      commands,
      testcases: [testcase('t', [use('x'), use('y'), use('x', { needs: [] }), use('y', { needs: ['x', 'x#2'] })])],
    });
    expect(order(list)).toEqual({ x: [], y: ['x'], 'x#2': [], 'y#2': ['x', 'x#2'] });
  });

  it('flattens parallel blocks with a join behind them', () => {
    const list = steps({
      commands: [x],
      testcases: [
        testcase('t', [
          use('x', { id: 'a' }),
          parallel([use('x', { id: 'b' }), parallel([inline('true'), sleep(5)])], { id: 'both' }),
          use('x', { id: 'c' }),
        ]),
      ],
    });
    expect(order(list)).toEqual({
      a: [],
      b: ['a'],
      shell: ['a'],
      sleep: ['a'],
      parallel: ['shell', 'sleep'],
      both: ['b', 'parallel'],
      c: ['both'],
    });
    expect(list.filter((step) => step.kind === 'parallel').every((step) => step.if === 'always()')).toBe(true);
  });

  it('gives the steps of a block the needs of the block, moments and all', () => {
    const list = steps({
      commands: [x],
      chaos: [chaos('cut', 'true')],
      testcases: [
        testcase('t', [use('cut'), parallel([use('x', { id: 'a' }), parallel([use('x', { id: 'b' })])], { needs: ['cut.started'] })]),
      ],
    });
    expect(order(list)).toEqual({ cut: [], a: ['cut.started'], b: ['cut.started'], parallel: ['b'], 'parallel#2': ['a', 'parallel'] });
    expect(problems({ commands: [x], testcases: [testcase('t', [parallel([use('x')], { needs: ['nope'] })])] })[0]).toContain('"nope"');
  });

  it('lets the if and continue_on_error of a block guard each of its steps', () => {
    const list = steps({
      context: { params: { axes: [], constants: { p: 1 } } },
      commands: [x],
      testcases: [
        testcase('t', [
          parallel([use('x', { id: 'a' }), use('x', { id: 'b', if: '${{ params.p > 0 }}' })], {
            if: 'params.p == 1',
            continueOnError: true,
          }),
        ]),
      ],
    });
    expect(list.map((step) => [step.id, step.if, step.continueOnError])).toEqual([
      ['a', 'params.p == 1', true],
      ['b', '(params.p == 1) && (params.p > 0)', true],
      ['parallel', 'always()', true],
    ]);
  });

  it('refuses unknown references with the nearest name at the exact place', () => {
    const step = use('show_clutser');
    const { diagnostics } = compile({ commands: [command('show_cluster', 'x')], testcases: [testcase('t', [step])] });
    expect(diagnostics).toEqual([
      {
        code: 'SUITE_UNKNOWN_REFERENCE',
        severity: 'error',
        message: 'no command or chaos is named "show_clutser", did you mean "show_cluster"?',
        hint: 'known: show_cluster',
        length: 12,
        location: step.location,
      },
    ]);
  });

  it('reports several mistakes at once, in the order of the text', () => {
    const found = problems({
      commands: [x, command('h', 'true', { hooks: { ...noHooks, before: [{ use: 'nope', location: at() }] } })],
      testcases: [
        testcase('t', [
          use('x', { id: 'a' }),
          use('x', { id: 'a' }),
          use('x', { needs: ['b'] }),
          recover('zz'),
          use('x', { needs: ['a.recoverd'] }),
        ]),
        testcase('u', [use('x', { needs: ['x#9'] })], { needs: ['tt'] }),
      ],
    });
    expect(found.map((text) => text.split(':')[0])).toEqual([
      'SUITE_UNKNOWN_REFERENCE',
      'SUITE_DUPLICATE_ID',
      'SUITE_UNKNOWN_REFERENCE',
      'SUITE_UNKNOWN_REFERENCE',
      'SUITE_MOMENT',
      'SUITE_UNKNOWN_REFERENCE',
      'SUITE_UNKNOWN_REFERENCE',
    ]);
  });

  it('refuses a written id that is also a default id', () => {
    expect(problems({ commands: [x, command('y', 'true')], testcases: [testcase('t', [use('x'), use('y', { id: 'x' })])] })).toEqual([
      expect.stringContaining('SUITE_DUPLICATE_ID: the id "x" is also the default id of the step'),
    ]);
  });

  it('prints a cycle with its path', () => {
    expect(
      problems({
        commands: [x],
        testcases: [
          testcase('t', [use('x', { id: 'a', needs: ['c'] }), use('x', { id: 'b', needs: ['a'] }), use('x', { id: 'c', needs: ['b'] })]),
        ],
      })[0],
    ).toContain('a → c → b → a');
    expect(
      problems({ commands: [x], testcases: [testcase('t', [use('x')], { needs: ['u'] }), testcase('u', [use('x')], { needs: ['t'] })] })[0],
    ).toContain('t → u → t');
  });

  it('knows moments only of chaos steps, and when a moment can never come', () => {
    const cut = chaos('cut', 'true');
    const timed = chaos('timed', 'true', { durationMs: 100 });
    const base = { commands: [x], chaos: [cut, timed] };
    expect(problems({ ...base, testcases: [testcase('t', [use('x'), use('x', { id: 'b', needs: ['x.started'] })])] })[0]).toContain(
      'only a chaos step has that moment',
    );
    expect(problems({ ...base, testcases: [testcase('t', [use('cut'), use('x', { needs: ['cut.recovered'] })])] })[0]).toContain(
      'SUITE_NEVER_STARTS',
    );
    // The recover step is behind the step that waits for it.
    expect(
      problems({
        ...base,
        testcases: [testcase('t', [use('cut'), use('x', { needs: ['cut.recovered'] }), recover('cut', { needs: ['cut', 'x'] })])],
      })[0],
    ).toContain('SUITE_NEVER_STARTS');
    expect(problems({ ...base, testcases: [testcase('t', [use('cut'), recover('cut'), use('x', { needs: ['cut.recovered'] })])] })).toEqual(
      [],
    );
    expect(problems({ ...base, testcases: [testcase('t', [use('timed'), use('x', { needs: ['timed.recovered'] })])] })).toEqual([]);
  });

  it('recovers only a chaos that is before and can be undone', () => {
    const base = {
      commands: [x],
      chaos: [chaos('cut', 'true'), { ...chaos('once', 'true', { irreversible: true }), recover: undefined } as never],
    };
    expect(problems({ ...base, testcases: [testcase('t', [use('x'), recover('x')])] })[0]).toContain('only a chaos step can be recovered');
    expect(problems({ ...base, testcases: [testcase('t', [use('cut', { needs: [] }), recover('cut', { needs: [] })])] })[0]).toContain(
      'not before this step',
    );
    expect(problems({ ...base, testcases: [testcase('t', [use('once'), recover('once')])] })[0]).toContain('irreversible');
  });

  it('refuses a chaos without recover unless it is irreversible', () => {
    expect(problems({ chaos: [{ ...chaos('cut', 'true'), recover: undefined }] })[0]).toContain('SUITE_UNDO_MISSING');
  });

  it('refuses keys of commands on a chaos and the other way round', () => {
    const base = { commands: [x], chaos: [chaos('cut', 'true')] };
    expect(problems({ ...base, testcases: [testcase('t', [use('cut', { overrides: { retry: retry(2) } })])] })[0]).toContain(
      'injected once',
    );
    expect(problems({ ...base, testcases: [testcase('t', [use('x', { overrides: { durationMs: 2 } })])] })[0]).toContain(
      'no meaning for a command',
    );
  });

  it('refuses faults on more nodes at once than allowed', () => {
    const nodes = ['n1', 'n2', 'n3'].map((name) => ({ name, connection: 'local' as const, location: at() }));
    const cut = chaos('cut', 'true');
    const on = (node: string, id: string) => use('cut', { id, overrides: { nodes: node } });
    const run = (list: Parameters<typeof testcase>[1], maxNodes?: number) =>
      problems({
        context: { nodes, ...(maxNodes && { faults: { max_nodes: maxNodes } }) },
        chaos: [cut],
        testcases: [testcase('t', list)],
      });
    expect(run([on('all', 'a')])[0]).toContain('would fault 3 nodes at once');
    expect(run([on('n1', 'a'), on('n2', 'b')])[0]).toContain('would fault 2 nodes at once');
    expect(run([on('n1', 'a'), recover('a'), on('n2', 'b')])).toEqual([]);
    expect(run([on('n1', 'a'), on('n2', 'b')], 2)).toEqual([]);
  });
});

describe('names in texts', () => {
  it('checks params, inputs, steps, outputs and fields where they are used', () => {
    const produce = command('produce', 'echo 1', { outputs: { n: 'int(stdout.trim())' } });
    const consume = (cmd: string, more = {}) => command('consume', cmd, more);
    const run = (cmd: string, more = {}, list = [use('produce'), use('consume')]) =>
      problems({
        context: { params: { axes: [], constants: { mode: 'a' } } },
        commands: [produce, consume(cmd, more)],
        testcases: [testcase('t', list)],
      });
    expect(run('echo ${{ params.mode }} ${{ steps.produce.outputs.n + 1 }} ${{ steps["produce"].exit_code }}')).toEqual([]);
    expect(run('echo ${{ params.mod }}')[0]).toContain('did you mean "mode"?');
    expect(run('echo ${{ inputs.n }}', { inputs: { m: 1 } })[0]).toContain('command "consume": cmd: no input is named "n"');
    expect(run('echo ${{ steps.prduce.outputs.n }}')[0]).toContain('did you mean "produce"?');
    expect(run('echo ${{ steps.produce.outputs.m }}')[0]).toContain('output of step "produce"');
    expect(run('echo ${{ steps.produce.stdot }}')[0]).toContain('did you mean "stdout"?');
    expect(run('echo ${{ steps.produce.outputs.n }}', {}, [use('consume'), use('produce')])[0]).toContain('not certain to be over');
    expect(run('echo ${{ steps.consume.stdout }}')[0]).toContain('not certain to be over');
    expect(run('echo ${{ nosuch.x }}')[0]).toContain('SUITE_UNKNOWN_NAME');
    expect(run('echo ${{ 1 + }}')[0]).toContain('SUITE_EXPRESSION');
    expect(run('echo `${{ params.mode }}`')[0]).toContain('SUITE_SHELL_PLACE');
    expect(run('x', { env: { A: '${{ env.NOPE }}' } })[0]).toContain('no variable is named "NOPE"');
    expect(run('echo ${{ env.A }} ${{ env.ONETEAR_STEP }}', { env: { A: 'x' } })).toEqual([]);
  });

  it('refuses env, which is always text, as a condition by itself', () => {
    const conditions = (text: string): string[] =>
      problems({
        commands: [x],
        context: { env: { X: 'true' } },
        testcases: [testcase('t', [use('x', { id: 'a', if: text })], { if: text })],
      });
    for (const text of ['env.X', '!env.X', 'params.a == 1 || env["X"]', '${{ env.X }}', 'env.X ? true : false']) {
      const found = conditions(text).filter((line) => line.startsWith('SUITE_EXPRESSION'));
      expect(found, text).toHaveLength(2);
      expect(found[0], text).toMatch(/: if: a condition must be true or false, and this is always text; write env.* != ""/);
    }
    for (const text of ['env.X == "true"', 'env.X != "" && true', 'bool(env.X)'])
      expect(
        conditions(text).filter((line) => line.includes('always text')),
        text,
      ).toEqual([]);
  });

  it('gives the place of a definition for what is wrong with it, once however often it is used', () => {
    const bad = command('bad', 'echo ${{ 1 + }}', { expect: { matches: ['('], expr: ['stdout =='] } });
    const { diagnostics } = compile({ commands: [bad], testcases: [testcase('t', [use('bad'), use('bad')]), testcase('u', [use('bad')])] });
    expect(diagnostics.map((each) => [each.code, each.location])).toEqual([
      ['SUITE_EXPRESSION', bad.location],
      ['SUITE_MATCHER', bad.location],
      ['SUITE_EXPRESSION', bad.location],
    ]);
    expect(diagnostics[1]!.message).toMatch(/expect\.matches\.0: bad regular expression: .*Unterminated group/);
  });

  it('refuses a condition that can be neither true nor false, and a block behind not', () => {
    const codes = (expect: object): readonly string[] =>
      compile({ commands: [command('c', 'echo 1', { expect })], testcases: [testcase('t', [use('c')])] }).diagnostics.map(
        ({ code, message }) => `${code} ${message}`,
      );
    expect(codes({ expr: ['1 + 1'] })[0]).toMatch(/SUITE_EXPRESSION .*must be true or false, and this is a calculation/);
    expect(codes({ expr: ['stdout'] })[0]).toMatch(/SUITE_EXPRESSION .*this is text/);
    expect(codes({ not: { expr: 'true' } })[0]).toMatch(/SUITE_MATCHER .*not takes conditions on a value/);
    expect(codes({ expr: ['json.ok', 'size(stdout) > 0'], not: { eq: 'x' } })).toEqual([]);
  });

  it('keeps the stdout only of steps whose stdout a later text names', () => {
    const list = steps({
      commands: [x, command('y', 'echo ${{ steps.a.stdout }}')],
      testcases: [
        testcase(
          't',
          [
            use('x', { id: 'a' }),
            use('x', { id: 'b' }),
            use('x', { id: 'c' }),
            use('y'),
            use('x', { id: 'd', if: 'steps.b.exit_code == 0' }),
          ],
          {
            assert: { ...noAssert, expr: [{ expr: 'steps.c.nodes["local"].stdout == ""', location: at() }] },
          },
        ),
      ],
    });
    expect(list.filter((step) => step.keepStdout).map((step) => step.id)).toEqual(['a', 'c']);
  });

  it('refuses secrets in conditions and in the list form', () => {
    const run = (parts: Partial<Suite>) => problems({ secrets: ['PW'], ...parts, context: {} });
    expect(run({ commands: [x], testcases: [testcase('t', [use('x', { if: 'secrets.PW == "x"' })])] })[0]).toContain('SUITE_SECRET');
    expect(run({ commands: [command('y', ['echo', '${{ secrets.PW }}'])] })[0]).toContain('SUITE_SECRET');
    expect(run({ commands: [command('y', 'echo "${{ secrets.PW }}"')] })).toEqual([]);
    expect(run({ commands: [command('y', 'echo "${{ secrets.PV }}"')] })[0]).toContain('did you mean "PW"?');
  });

  it('checks inputs of steps, hooks and subjects', () => {
    const log = command('log', 'echo ${{ inputs.t }}', { inputs: { t: null } });
    expect(problems({ commands: [log], testcases: [testcase('t', [use('log')])] })[0]).toContain('needs the input "t"');
    expect(problems({ commands: [log], testcases: [testcase('t', [use('log', { with: { t: 1, tt: 2 } })])] })[0]).toContain(
      'did you mean "t"?',
    );
    expect(
      problems({
        commands: [log, x],
        testcases: [testcase('t', [use('x')], { hooks: { ...noHooks, after: [{ use: 'log', location: at() }] } })],
      })[0],
    ).toContain('hooks.after: command "log" needs the input "t"');
  });

  it('knows that a hook of the suite sees no testcase', () => {
    const after = (cmd: string) => ({ hooks: { ...noHooks, after: [{ inline: command(undefined, cmd) }] } });
    expect(problems(after('echo ${{ testcase.id }}'))[0]).toContain('the suite has no testcase');
    expect(problems(after('echo ${{ run.id }}'))).toEqual([]);
  });
});

describe('selectors', () => {
  const nodes = [
    { name: 'n1', connection: 'local' as const, labels: { role: 'db' }, location: at() },
    { name: 'n2', connection: 'local' as const, labels: { role: 'db' }, location: at() },
  ];
  const run = (selector: string, more = {}) =>
    problems({
      context: { nodes, groups: { db: 'role=db' } },
      commands: [command('c', 'true', { nodes: selector, ...more })],
      testcases: [testcase('t', [use('c')])],
    });

  it('refuses what can never match, listing the known names', () => {
    expect(run('db')).toEqual([]);
    expect(run('n3')[0]).toMatch(/SUITE_SELECTOR: command "c": nodes: .*n3.*nodes: n1, n2.*groups: db/);
    expect(run('db:!n1:!n2')[0]).toContain('can never match');
    expect(run('db', { pick: 3 })[0]).toContain('pick: 3');
    expect(run('${{ params.nope }}')[0]).toContain('params.nope');
  });

  it('refuses all_equal together with retry', () => {
    expect(run('db', { expect: { all_equal: true }, retry: retry(1) })[0]).toContain('SUITE_ALL_EQUAL_RETRY');
  });
});

describe('limits', () => {
  it('refuses a testcase whose history would grow too large, naming the largest steps', () => {
    const list = Array.from({ length: 700 }, () => use('x'));
    const [found] = problems({ commands: [x], testcases: [testcase('long', list)] });
    expect(found).toMatch(/SUITE_TOO_LARGE: testcase "long" would write about 4,2\d\d history events in 700 steps.*largest steps: "x" 6/);
  });

  it('compiles 10,000 testcases of four steps', () => {
    const commands = [
      x,
      command('y', 'echo ${{ params.p }}', { outputs: { a: 'stdout.trim()' } }),
      command('z', 'echo ${{ inputs.i }}', { inputs: { i: 1 } }),
    ];
    const cases = Array.from({ length: 10_000 }, (_, index) =>
      testcase(`t${index}`, [use('x'), use('y'), use('z', { with: { i: index } }), use('x', { if: 'steps.y.outputs.a != ""' })]),
    );
    const large = suite({ context: { params: { axes: [], constants: { p: 1 } } }, commands, testcases: cases });
    const started = performance.now();
    const { plan } = compileSuite(large, { seed: 1, digest: 'd', execute: true });
    expect(plan!.cells).toHaveLength(10_000);
    // bench/scenarios/plan.mjs measures the budget; this only notices a cost that grows with the square.
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe('execute', () => {
  it('refuses what the engine cannot do yet, at its place, and only for what is selected', () => {
    const cached = command('cached', 'true', { cache: { files: [], ttlMs: 1, scope: 'run' } });
    const parts = { commands: [x, cached], testcases: [testcase('plain', [use('x')]), testcase('other', [use('cached')])] };
    expect(problems(parts)).toEqual([]);
    const { diagnostics } = compile(parts, { execute: true });
    expect(diagnostics).toEqual([
      {
        code: 'SUITE_NOT_SUPPORTED',
        severity: 'error',
        message: 'not supported yet: cache, see docs/roadmap.md',
        location: cached.location,
      },
    ]);
    expect(problems(parts, { execute: true, selection: { keyword: 'plain' } })).toEqual([]);
  });

  it('refuses needs between testcases, also in suites that run in shards', () => {
    const many = Array.from({ length: 101 }, (_, index) => testcase(`t${index}`, [use('x')], index === 100 ? { needs: ['t0'] } : {}));
    expect(problems({ commands: [x], testcases: many }, { execute: true })).toEqual([
      'SUITE_NOT_SUPPORTED: not supported yet: needs of a testcase ("t100" needs t0), see docs/roadmap.md',
    ]);
  });

  it('refuses soaks; takes roles and bind', () => {
    const found = problems(
      {
        context: { nodes: [{ name: 'pg1', location: at() }] },
        secrets: ['PW'],
        soak: { pauseMs: 0, shuffle: false, iterations: 3 },
        roles: [{ name: 'primary', run: 'shell', cmd: 'x', match: {}, expect: 'one', withinMs: 1, location: at() }],
        commands: [command('x', 'true', { nodes: 'primary' })],
        testcases: [testcase('t', [use('x')], { bind: { old: 'primary' } })],
      },
      { execute: true },
    ).join('\n');
    expect(found).toContain('not supported yet: soak');
    for (const feature of ['roles', 'bind']) expect(found).not.toContain(`not supported yet: ${feature}`);
    expect(problems({ soak: { pauseMs: 0, shuffle: false, iterations: 3 } }, { execute: true, soak: false })).toEqual([]);
  });
});
