import { describe, expect, it } from 'vitest';
import {
  at,
  chaos,
  command,
  inline,
  noAssert,
  noHooks,
  recover,
  retry,
  sleep,
  suite,
  testcase,
  use,
} from '../../tests/goldens/suite-builder.ts';
import { compileSuite } from './compile-suite.ts';
import { describePlan, planText } from './describe-plan.ts';
import { explainName, explainText } from './explain-name.ts';
import { listPlan, listText } from './list-plan.ts';

const sample = suite({
  name: 'demo',
  tags: ['all'],
  secrets: ['PW'],
  context: {
    env: { A: 'context', B: 'x' },
    params: { axes: [{ name: 'mode', values: ['sync', "it's"] }], constants: { n: 3 } },
  },
  commands: [
    command(
      'note',
      'echo ${{ params.mode }} "${{ inputs.f }}" ${{ steps.cut.started }} "${{ secrets.PW }}" ${{ env.A }} ${{ node.name }}',
      {
        inputs: { f: null },
        env: { A: 'command' },
        retry: retry(2),
        timeoutMs: 5_000,
      },
    ),
  ],
  chaos: [
    chaos('cut', 'touch ${{ inputs.file }}', {
      inputs: { file: 'a b' },
      durationMs: 2_000,
      recover: { run: 'shell', cmd: 'rm ${{ inputs.file }}', withinMs: 1 },
    }),
    { ...chaos('boom', 'true', { irreversible: true }), recover: undefined },
  ],
  testcases: [
    testcase(
      't',
      [use('cut'), use('note', { with: { f: '${{ params.n }}' } }), sleep(50), use('boom'), inline('true', { id: 'last', if: 'always()' })],
      {
        env: { A: 'testcase' },
        assert: {
          ...noAssert,
          eventually: [{ match: { contains: ['${{ params.mode }}'] }, windowMs: 60_000, everyMs: 1_000, location: at() }],
        },
        hooks: { ...noHooks, after: [{ inline: command(undefined, 'echo bye') }] },
      },
    ),
    testcase('skipped', [recover('cut', { needs: ['cut'] }), use('cut', { needs: [] })], {
      if: 'params.n > 5',
      params: { axes: [], constants: { mode: 'fix' } },
    }),
  ],
});
const compiled = compileSuite(sample, { seed: 7, digest: 'd', execute: false, envOverrides: { B: 'flag' } });
const plan = compiled.plan!;

describe('describePlan', () => {
  const document = describePlan(plan, compiled.diagnostics);

  it('fills in the marks that are known before the run, quoted as they will be, and never a secret', () => {
    const [first, second] = document.testcases;
    expect(first!.steps.find((step) => step.id === 'note')!.cmd).toBe(
      `echo 'sync' "3" \${{ steps.cut.started }} "\${{ secrets.PW }}" 'testcase' 'local'`,
    );
    const text = second!.steps.find((step) => step.id === 'note')!.cmd as string;
    expect(text).not.toContain('params.mode');
    expect(text).toContain('\\');
    expect(document.testcases.map((each) => each.id)).toEqual(['t[sync]', expect.stringMatching(/^t\[it_s~/), 'skipped']);
  });

  it('has the fields of the language reference', () => {
    const steps = document.testcases[0]!.steps;
    expect(steps[0]).toEqual({
      id: 'cut',
      kind: 'chaos',
      name: 'cut',
      needs: [],
      if: null,
      nodes: ['local'],
      pick: null,
      cmd: "touch 'a b'",
      timeout_ms: 60_000,
      retry: 0,
      duration_ms: 2_000,
      undo: "rm 'a b'",
    });
    expect(steps[1]).toMatchObject({ kind: 'command', needs: ['cut'], retry: 2, timeout_ms: 5_000, undo: null });
    expect(document).toMatchObject({ v: 1, suite: 'demo', seed: 7, nodes: [{ name: 'local', connection: 'local' }] });
    expect(document.testcases[0]!.assert).toEqual([
      { kind: 'eventually', subject: 'last', condition: { contains: ['sync'] }, window_ms: 60_000 },
    ]);
    expect(document.testcases[0]!.hooks).toEqual({ before: [], after: ['echo bye'], on_fail: [] });
    expect(document.warnings).toEqual(['chaos "boom" is irreversible: nothing undoes it']);
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  it('reads well', () => {
    const text = planText(document);
    expect(text).toContain('t[sync]\n  cut  [chaos] on local · for 2s · timeout 1m');
    expect(text).toContain("      undo: rm 'a b'");
    expect(text).toContain('last  [command] on local · if always()');
    expect(text).toContain('  assert eventually (1m): last {"contains":["sync"]}');
  });
});

describe('listPlan', () => {
  it('lists cells with what is known of them', () => {
    const document = listPlan(plan);
    expect(document).toMatchObject({ v: 1, suite: 'demo', file: 'suite.yaml' });
    expect(document.testcases[2]).toEqual({
      id: 'skipped',
      name: 'skipped',
      file: 'suite.yaml',
      line: expect.any(Number),
      params: { n: 3, mode: 'fix' },
      tags: ['all'],
      locks: [{ name: plan.context.cluster, mode: 'exclusive' }],
      chaos: true,
      steps: 2,
      skip: 'if: params.n > 5 is false',
    });
    expect(document.testcases[0]!.skip).toBeNull();
    expect(listText(document)).toMatch(/^t\[sync\] +5 steps · chaos · tags: all\n/);
    expect(listText(document)).toMatch(/\n3 testcases$/);
  });
});

describe('explainName', () => {
  it('names the level that won for a variable, place by place', () => {
    const { explanations } = explainName(plan, sample, 'A');
    expect(explanations.map(({ value, winner, places }) => [value, winner, places])).toEqual([
      ['testcase', 'testcase "t"', ['t/cut', 't/boom', 't/last']],
      ['testcase', 'testcase "t"', ['t/note']],
      ['context', 'context.env', ['skipped/cut']],
    ]);
    expect(explanations[1]!.levels.map((each) => each.level)).toEqual(['context.env', 'command "note"', 'testcase "t"']);
    expect(explainName(plan, sample, 'B').explanations).toMatchObject([{ value: 'flag', winner: '--env' }]);
  });

  it('names the level that won for a param', () => {
    const { explanations } = explainName(plan, sample, 'mode');
    expect(explanations.map(({ value, winner, places }) => [value, winner, places.length])).toEqual([
      ['sync', 'matrix cell', 1],
      ["it's", 'matrix cell', 1],
      ['fix', 'testcase "skipped" params', 1],
    ]);
    expect(explainText(explainName(plan, sample, 'n'))).toContain('param n = 3 (from context.params)');
    expect(explainText(explainName(plan, sample, 'nope'))).toBe('nothing sets nope');
    const fixed = compileSuite(sample, { seed: 1, digest: 'd', execute: false, paramOverrides: { mode: '5' } }).plan!;
    expect(explainName(fixed, sample, 'mode', { mode: '5' }).explanations).toMatchObject([
      { value: 5, winner: '--param' },
      { value: 5, winner: '--param' },
    ]);
  });
});
