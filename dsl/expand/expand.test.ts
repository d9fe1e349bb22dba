import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at, chaos, command, inline, noHooks, retry, suite, testcase, use } from '../../tests/goldens/suite-builder.ts';
import { compileSuite } from '../compile/compile-suite.ts';
import type { NodeResult, StepResult } from '../model/result.ts';
import { chaosSpec, recoverSpec, verifySpec } from './chaos-spec.ts';
import { commandSpec, hookSpec, requirementSpec, sampleSpec } from './command-spec.ts';
import { engineEnv, renderCommand, renderCommandIn, renderMatchers } from './render-command.ts';
import { activityScope, buildScope, scopeFor, scopeForExpressions, stepValue } from './scope.ts';
import { resolveNodes, resolveSpecNodes } from './select-nodes.ts';
import { slicePlan } from './slice-plan.ts';
import { slug } from './slug.ts';

describe('slug', () => {
  it('keeps what is safe and encodes the rest as UTF-8', () => {
    expect(slug('crash[sync-SIGKILL]')).toBe('crash[sync-SIGKILL]');
    expect(slug('a/b c')).toBe('a%2Fb%20c');
    expect(slug('主🍵é')).toBe(encodeURIComponent('主🍵é'));
    expect(slug('..')).toBe('%2E.');
    expect(slug('')).toBe('%00');
    expect(slug('\ud800')).toBe('%ED%A0%80');
  });

  it('cuts what is over 200 bytes and keeps it apart by a hash', () => {
    const long = `${'主'.repeat(100)}a`;
    const other = `${'主'.repeat(100)}b`;
    expect(slug(long).length).toBeLessThanOrEqual(200);
    expect(slug(long)).toMatch(/^(?:%E4%B8%BB)+~[0-9a-f]{14}$/);
    expect(slug(long)).not.toBe(slug(other));
  });

  it('is safe in ids, files and URLs, and different for different names', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 300 }), (a, b) => {
        expect(slug(a)).toMatch(/^[A-Za-z0-9_\-[\]%~][A-Za-z0-9._\-[\]%~]{0,199}$/);
        expect(slug(a) === slug(b)).toBe(a === b);
      }),
    );
  });
});

const noteHook = command('hook', 'echo hook', { hooks: { ...noHooks, before: [{ use: 'deep', location: at() }] } });
const plan = compileSuite(
  suite({
    context: {
      nodes: ['n1', 'n2', 'n3'].map((name) => ({
        name,
        connection: 'local' as const,
        labels: { role: name === 'n3' ? 'w' : 'db' },
        location: at(),
      })),
      groups: { db: 'role=db' },
      params: { axes: [], constants: { p: 'x y' } },
      env: { A: 'context', B: 'context', C: 'context', D: 'context', E: 'context', N: 5, WHO: '${{ node.name }}' },
      defaults: { timeoutMs: 7_000, shell: 'bash', retry: retry(1) },
    },
    commands: [
      noteHook,
      command('deep', 'echo deep'),
      command('unused', 'echo unused'),
      command('note', 'echo ${{ inputs.text }} ${{ params.p }} ${{ env.B }}', {
        description: 'write a note',
        inputs: { text: null, times: 2 },
        env: { B: 'command', C: 'command', D: 'command', E: 'command' },
        hooks: { ...noHooks, before: [{ use: 'hook', location: at() }] },
        outputs: { n: 'int(stdout) + inputs.times' },
        nodes: '${{ inputs.times > 1 ? "db" : "n3" }}',
      }),
    ],
    chaos: [
      chaos('cut', 'touch ${{ inputs.f }}', {
        inputs: { f: 'a b' },
        user: 'root',
        verify: { cmd: 'test -e x', withinMs: 10_000, everyMs: 500, match: {} },
        recover: { run: 'shell', cmd: 'rm ${{ inputs.f }}', withinMs: 1, timeoutMs: 3_000 },
        nodes: 'n2',
      }),
    ],
    testcases: [
      testcase(
        't',
        [
          use('note', { with: { text: "it's" }, overrides: { env: { D: 'step', E: 'step' }, retry: retry(3) } }),
          use('cut'),
          inline('true'),
        ],
        {
          env: { C: 'testcase', D: 'testcase', E: 'testcase' },
        },
      ),
      testcase('other', [inline('true')]),
    ],
  }),
  { seed: 3, digest: 'd', execute: false, envOverrides: { E: 'flag' } },
).plan!;

const slice = slicePlan(plan, 't');
const [noteStep, cutStep, inlineStep] = slice.testcase.steps;
const options = { testcaseEnv: slice.testcase.env };
const note = () =>
  noteStep!.kind === 'command'
    ? commandSpec(slice, noteStep!.command, { ...options, with: noteStep!.with, overrides: noteStep!.overrides })
    : undefined!;
const values = buildScope({
  run: { run: 'r1', suite: 'suite', seed: 3 },
  context: plan.context,
  testcase: slice.testcase,
  cell: plan.cells[0]!,
  attempt: 2,
  steps: [],
  node: plan.context.nodes[1]!,
});

describe('slicePlan', () => {
  it('takes what the testcase names, and what its commands name', () => {
    expect(Object.keys(slice.definitions.commands)).toEqual(['hook', 'note']);
    expect(Object.keys(slice.definitions.chaos)).toEqual(['cut']);
    expect(slicePlan(plan, 'other').definitions).toEqual({ commands: {}, chaos: {}, probes: {}, roles: {} });
    expect(() => slicePlan(plan, 'nope')).toThrow(expect.objectContaining({ code: 'UNKNOWN_TESTCASE' }));
  });
});

describe('commandSpec', () => {
  it('merges levels: context < command < testcase < step < --env', () => {
    expect(note().env).toEqual({ A: 'context', B: 'command', C: 'testcase', D: 'step', E: 'flag', N: 5, WHO: '${{ node.name }}' });
    expect(note()).toMatchObject({
      name: 'note',
      title: 'write a note',
      timeoutMs: 7_000,
      shell: 'bash',
      retry: { max: 3 },
      maxParallel: 16,
      inputs: { text: "it's", times: 2 },
    });
  });

  it('gives inline commands and requirements the defaults', () => {
    expect(inlineStep!.kind === 'command' && commandSpec(slice, inlineStep!.command)).toMatchObject({
      name: 'shell',
      title: 'true',
      retry: { max: 1 },
      timeoutMs: 7_000,
    });
    expect(requirementSpec(slice, { cmd: 'test -e x', msg: 'no x', location: at() })).toMatchObject({ title: 'no x', retry: { max: 0 } });
  });

  it('runs hooks without their hooks, and samples without expect, outputs and retry', () => {
    expect(hookSpec(slice, { use: 'hook', location: at() }).hooks).toEqual(noHooks);
    expect(sampleSpec(note())).toMatchObject({ expect: {}, outputs: {}, retry: { max: 0 }, inputs: { text: "it's" } });
  });

  it('refuses missing and unknown inputs and names', () => {
    expect(() => commandSpec(slice, 'note')).toThrow(expect.objectContaining({ code: 'MISSING_INPUT' }));
    expect(() => commandSpec(slice, 'hook', { with: { x: 1 } })).toThrow(expect.objectContaining({ code: 'UNKNOWN_INPUT' }));
    expect(() => commandSpec(slice, 'nope')).toThrow(expect.objectContaining({ code: 'UNKNOWN_COMMAND' }));
  });
});

describe('chaosSpec', () => {
  const spec = chaosSpec(slice, 'cut', { ...options, with: { f: 'q' }, overrides: { durationMs: 5 } });

  it('injects once, and undoes with the values of the injection', () => {
    expect(cutStep!.kind).toBe('chaos');
    expect(spec).toMatchObject({
      name: 'cut',
      durationMs: 5,
      background: false,
      inject: { retry: { max: 0 }, inputs: { f: 'q' }, user: 'root', nodes: 'n2' },
    });
    const undo = recoverSpec(slice, spec)!;
    expect(undo).toMatchObject({ cmd: 'rm ${{ inputs.f }}', inputs: { f: 'q' }, user: 'root', timeoutMs: 3_000 });
    expect(renderCommand(undo, { values }).cmd).toBe("rm 'q'");
    const verify = verifySpec(slice, spec, spec.verify!);
    expect(verify).toMatchObject({ cmd: 'test -e x', user: 'root', timeoutMs: 7_000 });
    expect(verify.nodes).toBeUndefined();
  });
});

describe('renderCommand', () => {
  it('renders inputs first, then env, then the rest; the engine wins', () => {
    const extra = engineEnv({ run: 'r1', testcase: 't', step: 'note', node: 'n2' });
    const { command: rendered, scope } = renderCommandIn({ ...note(), env: { ...note().env, ONETEAR_RUN: 'mine' } }, { values }, extra);
    expect(rendered.cmd).toBe(`echo 'it'\\''s' 'x y' 'command'`);
    expect(rendered.env).toMatchObject({
      N: '5',
      WHO: 'n2',
      E: 'flag',
      ONETEAR_RUN: 'r1',
      ONETEAR_NODE: 'n2',
      ONETEAR_STEP: 'note',
      ONETEAR_TESTCASE: 't',
    });
    expect(scope.values['inputs']).toEqual({ text: "it's", times: 2 });
  });

  it('renders the list form as plain texts and refuses secrets there', () => {
    const spec = { ...note(), cmd: ['echo', '${{ inputs.times }}', "${{ params.p }}'s"] };
    expect(renderCommand(spec, { values }).cmd).toEqual(['echo', '2', "x y's"]);
    expect(() => renderCommand({ ...note(), cmd: ['echo', '${{ secrets.PW }}'] }, { values })).toThrow(
      expect.objectContaining({ code: 'SECRET_IN_LIST' }),
    );
    expect(renderCommand({ ...note(), cmd: 'echo "${{ secrets.PW }}"' }, { values }).secrets).toEqual(['PW']);
  });

  it('throws errors with a code for what cannot be rendered', () => {
    expect(() => renderCommand({ ...note(), cmd: 'echo ${{ params.nope }}' }, { values })).toThrow(
      expect.objectContaining({ code: 'no_such_key' }),
    );
    expect(() => renderCommand({ ...note(), env: { L: [1] } }, { values })).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }));
  });
});

describe('renderMatchers', () => {
  it('fills in marks but leaves expr alone', () => {
    const scope = { values: { params: { t: 'x', n: 3, limit: '2s' } } };
    expect(
      renderMatchers(
        {
          contains: ['${{ params.t }}', 5],
          matches: ['^${{ params.t }}$'],
          equals: '${{ params.n }}',
          gt: '${{ params.n }}',
          json: { 'a.b': { lt: '${{ params.n + 1 }}' } },
          stderr: { contains: ['${{ params.t }}'] },
          duration: { lt: '${{ params.limit }}', between: [1, 2] },
          expr: ['${{ params.t }} == stdout'],
        },
        scope,
      ),
    ).toEqual({
      contains: ['x', 5],
      matches: ['^x$'],
      equals: '3',
      gt: 3,
      json: { 'a.b': { lt: 4 } },
      stderr: { contains: ['x'] },
      duration: { lt: 2, between: [1, 2] },
      expr: ['${{ params.t }} == stdout'],
    });
  });
});

function nodeResult(node: string, more: Partial<NodeResult> = {}): NodeResult {
  const stream = { text: `out of ${node}`, bytes: 8, truncated: false };
  return {
    node,
    verdict: 'passed',
    exitCode: 0,
    timedOut: false,
    stdout: stream,
    stderr: { ...stream, text: '' },
    checks: [],
    outputs: { n: 1 },
    durationMs: 1_500,
    startedAt: 1_000,
    finishedAt: 2_500,
    tries: 1,
    earlierTries: [],
    cached: false,
    ...more,
  };
}

function stepResult(step: string, results: readonly NodeResult[]): StepResult {
  return {
    step,
    kind: 'command',
    name: step,
    title: step,
    phase: 'steps',
    verdict: 'passed',
    tries: 1,
    cached: false,
    startedAt: 1_000,
    finishedAt: 3_000,
    nodes: results.map((each) => each.node),
    results,
    outputs: { n: 1 },
    continueOnError: false,
  };
}

describe('scopes', () => {
  it('gives a step of one node its texts, one of several only per node', () => {
    expect(stepValue(stepResult('a', [nodeResult('n1')]))).toEqual({
      verdict: 'passed',
      exit_code: 0,
      stdout: 'out of n1',
      stderr: '',
      duration: 2,
      started: 1,
      finished: 3,
      outputs: { n: 1 },
      nodes: { n1: { verdict: 'passed', exit_code: 0, stdout: 'out of n1', stderr: '', duration: 1.5, outputs: { n: 1 } } },
    });
    const both = stepValue(stepResult('a', [nodeResult('n1'), nodeResult('n2')]));
    expect(both).not.toHaveProperty('stdout');
    expect(Object.keys(both['nodes'] as object)).toEqual(['n1', 'n2']);
  });

  it('never shows half of an output', () => {
    const cut = { text: 'head … tail', bytes: 90_000, truncated: true };
    expect(stepValue(stepResult('a', [nodeResult('n1', { stdout: cut, stderr: cut })]))).not.toHaveProperty('stdout');
    expect(stepValue(stepResult('a', [nodeResult('n1', { stdout: cut, fullStdout: 'whole' })]))).toMatchObject({ stdout: 'whole' });
  });

  it('holds the node, its peers and the env that can be rendered', () => {
    expect(values['node']).toMatchObject({ name: 'n2', labels: { role: 'db' } });
    expect((values['peers'] as { name: string }[]).map((peer) => peer.name)).toEqual(['n1', 'n3']);
    expect(values['env']).toMatchObject({ A: 'context', C: 'testcase', E: 'flag', WHO: 'n2', N: '5' });
    expect(values['testcase']).toMatchObject({ id: 't', name: 't', attempt: 2 });
    const without = buildScope({
      run: { run: 'r1', suite: 's', seed: 1 },
      context: plan.context,
      testcase: slice.testcase,
      cell: plan.cells[0]!,
      attempt: 1,
      steps: [],
    });
    expect(without['env']).not.toHaveProperty('WHO');
    expect(without).not.toHaveProperty('node');
  });

  it('sends along only the names and steps that are used', () => {
    const full = { params: { p: 1 }, env: {}, steps: { a: { verdict: 'passed' }, b: { verdict: 'failed' } } };
    expect(scopeFor(['params', 'nope'], full)).toEqual({ params: { p: 1 } });
    expect(scopeForExpressions(['steps.a.verdict == stdout', 'params.p'], full)).toEqual({
      params: { p: 1 },
      steps: { a: { verdict: 'passed' } },
    });
    expect(scopeForExpressions(['steps.exists(s, true)'], full)).toEqual({ steps: full.steps });
    const { scope } = renderCommandIn(note(), { values });
    expect(activityScope(note(), scope)).toEqual({ inputs: { text: "it's", times: 2 } });
    expect(Object.keys(activityScope({ ...note(), run: 'module' }, scope)).sort()).toEqual(
      ['bind', 'env', 'inputs', 'node', 'nodes', 'params', 'peers', 'run', 'steps', 'testcase'].sort(),
    );
  });
});

describe('resolveNodes', () => {
  const base = { scope: { values }, seed: 3, draw: ['t', '1', 'note'] };
  const names = (selector: string | undefined, more = {}) =>
    resolveNodes(selector, plan.context, { ...base, ...more }).map((node) => node.name);

  it('takes the first node, selectors, nodes and lists of them', () => {
    expect(names(undefined)).toEqual(['n1']);
    expect(names('db')).toEqual(['n1', 'n2']);
    expect(names('${{ node }}')).toEqual(['n2']);
    expect(names('${{ peers }}')).toEqual(['n1', 'n3']);
    expect(names('${{ [node, "n1"] }}')).toEqual(['n1', 'n2']);
    expect(names('db:!${{ node.name }}')).toEqual(['n1']);
    expect(names('all', { pick: 'majority' })).toHaveLength(2);
    expect(names('all', { pick: 'random' })).toEqual(names('all', { pick: 'random' }));
  });

  it('says what is known when nothing matches', () => {
    expect(() => names('db:!n1:!n2')).toThrow(expect.objectContaining({ code: 'NO_NODE', message: expect.stringContaining('n1, n2, n3') }));
    expect(() => names('${{ 5 }}')).toThrow(expect.objectContaining({ code: 'NOT_A_NODE' }));
  });

  it('renders the inputs that a selector names', () => {
    expect(resolveSpecNodes(note(), plan.context, base).map((node) => node.name)).toEqual(['n1', 'n2']);
    expect(resolveSpecNodes({ ...note(), inputs: { ...note().inputs, times: 1 } }, plan.context, base).map((node) => node.name)).toEqual([
      'n3',
    ]);
  });
});
