import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  at,
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
} from '../../tests/goldens/suite-builder.ts';
import { stepGraph } from '../expand/step-graph.ts';
import type { StepProgress } from '../expand/step-graph.ts';
import type { PlannedStep } from '../model/plan.ts';
import type { StepDefinition, Suite } from '../model/suite.ts';
import type { Value } from '../model/value.ts';
import { compileSuite } from './compile-suite.ts';
import { describePlan, planText } from './describe-plan.ts';
import { explainName } from './explain-name.ts';
import { listPlan, listText } from './list-plan.ts';

const defined = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Suites of words that refer to each other. `hostile` adds what is wrong in every way; without it many suites are valid. */
function suites(hostile: boolean): fc.Arbitrary<Suite> {
  const pool = <T>(good: readonly T[], bad: readonly T[]) => fc.constantFrom(...good, ...(hostile ? bad : []));
  const id = pool(['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8'], ['a', 'cut', 'a#2', 'constructor', '__proto__']);
  const name = pool(['a', 'a', 'b', 'cut'], ['nope', '__proto__', 'constructor']);
  const need = fc.tuple(id, pool(['', '', ''], ['.started', '.recovered', '.finished', '.x'])).map(([step, moment]) => step + moment);
  const expression = pool(
    ['true', 'success() || failure()', 'params.q == 1', 'has(env.X) ? env.X == "" : true', 'run.seed > 0'],
    [
      'steps.a.verdict == "passed"',
      'steps["b"].outputs.n > 1',
      'params.nope',
      'roles.r.name',
      'probes.x.p50 < 1',
      '1 +',
      '${{ params.p }}',
      'a b',
      'secrets.X',
      'steps.exists(s, s == "a")',
      'bind.old.name',
      '__proto__.x',
      'constructor',
      '',
    ],
  );
  const text = fc.oneof(
    expression.map((each) => `echo \${{ ${each} }}`),
    pool(
      ['true', "echo '${{ inputs.i }}'", '${{ node.name }}\0', 'echo "${{ params.q }}"'],
      ['${{', 'echo `${{ params.p }}`', '$(( ${{ steps.a.outputs.n }} ))'],
    ),
  );
  const selector = pool(
    ['all', 'n1', 'n2', 'db', 'db[1:]', 'n[1:2]', 'role=db', 'db:!n1:,all', '${{ inputs.i }}'],
    ['nope', '', ':', '!', '${{ bind.old }}', 'loop', 'r'],
  );
  const common = fc
    .record({
      id: hostile ? optional(id) : fc.constant(undefined),
      needs: optional(fc.array(need, { maxLength: 2 })),
      if: optional(expression),
      continueOnError: fc.boolean(),
    })
    .map(defined);
  const leaf: fc.Arbitrary<StepDefinition> = fc.oneof(
    fc
      .tuple(name, common, optional(selector))
      .map(([used, more, nodes]) => use(used, { ...more, overrides: defined({ nodes: used === 'cut' ? undefined : nodes }) })),
    fc.tuple(pool(['true', 'echo ${{ params.q }}'], ['echo ${{']), common).map(([cmd, more]) => inline(cmd, more)),
    common.map((more) => sleep(1, more)),
    fc.tuple(expression, common).map(([expr, more]): StepDefinition => ({
      kind: 'wait',
      condition: {
        kind: 'any',
        of: [
          { kind: 'expr', expr: hostile ? expr : 'true' },
          { kind: 'sample', subject: { command: 'a' }, match: { matches: [hostile ? '(' : 'x'] } },
        ],
      },
      withinMs: 1,
      everyMs: 1,
      location: at(),
      ...more,
    })),
    ...(hostile ? [fc.tuple(id, common).map(([step, more]) => recover(step, more))] : []),
  );
  const step = fc.oneof(
    { weight: 5, arbitrary: leaf },
    { weight: 1, arbitrary: fc.tuple(fc.array(leaf, { minLength: 1, maxLength: 3 }), common).map(([list, more]) => parallel(list, more)) },
  );
  /** Without hostility: ids in order, and needs of earlier ones only. */
  const orderly = (list: readonly StepDefinition[]): StepDefinition[] =>
    list.map((each, index) => ({
      ...each,
      id: `s${index + 1}`,
      ...(each.needs && { needs: each.needs.filter((other) => Number(other.slice(1)) <= index) }),
    }));
  return fc
    .record({
      steps: fc.array(step, { maxLength: 6 }),
      cmd: text,
      nodes: optional(selector),
      expr: expression,
      group: selector,
      // As the parser gives them: a suite text cannot hold -0.
      values: fc.uniqueArray(
        fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
        { maxLength: 3 },
      ),
      hook: name,
    })
    .map(({ steps, cmd, nodes, expr, group, values, hook }) =>
      suite({
        context: {
          nodes: [
            { name: 'n1', connection: 'local', labels: { role: 'db' }, location: at() },
            { name: 'n2', connection: 'local', labels: { role: 'db' }, location: at() },
          ],
          groups: { db: 'role=db', ...(hostile && { loop: 'loop', other: group }) },
          params: {
            axes: values.length > 0 ? [{ name: 'p', values: values as readonly Value[] }] : [],
            constants: { q: 1 },
            ...(values.length > 0 && { include: [{ p: 1, z: 2 }] }),
          },
        },
        commands: [
          command(
            'a',
            cmd,
            defined({
              nodes,
              inputs: { i: 1 },
              hooks: { ...noHooks, before: [{ use: hostile ? hook : 'b', location: at() }] },
              outputs: { n: 'int(stdout)' },
            }),
          ),
          command('b', 'true', { ...(hostile && { retry: retry(1) }), expect: { all_equal: true } }),
        ],
        chaos: [chaos('cut', 'touch x', { recover: { run: 'shell', cmd: 'rm x', withinMs: 1 } })],
        testcases: [
          testcase('t', hostile ? steps : orderly(steps), {
            ...(hostile && { if: expr }),
            assert: hostile
              ? {
                  ...noAssert,
                  expr: [{ expr, location: at() }],
                  within: [{ from: `${hook}.started`, until: 'a.finished', maxMs: 1, location: at() }],
                }
              : noAssert,
          }),
        ],
      }),
    );
}

describe('compileSuite', () => {
  it.each([true, false])('never throws; its plans are plain data whose steps can all be reached (hostile: %s)', (hostile) => {
    let plans = 0;
    fc.assert(
      fc.property(suites(hostile), fc.boolean(), (any, execute) => {
        const { plan, diagnostics } = compileSuite(any, { seed: 1, digest: 'd', execute });
        expect(plan === undefined).toBe(diagnostics.some((each) => each.severity === 'error'));
        if (!plan) return;
        plans += 1;
        expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
        expect(planText(describePlan(plan))).toContain('suite suite');
        expect(listText(listPlan(plan))).toMatch(/\d+ testcases?$/);
        expect(explainName(plan, any, 'q').explanations.length).toBeGreaterThan(0);
        for (const each of plan.testcases) walkThrough(each.steps);
      }),
      { numRuns: 400 },
    );
    // Otherwise the property would hold for want of plans.
    expect(plans >= (hostile ? 0 : 40)).toBe(true);
  });
});

/** With every step passing as soon as it may, all steps are reached: no plan can hang by its own graph. */
function walkThrough(steps: readonly PlannedStep[]): void {
  const graph = stepGraph(steps);
  const progress = new Map<string, StepProgress>();
  const readySteps = (): readonly PlannedStep[] =>
    graph.steps.filter(
      (step) =>
        !progress.has(step.id) &&
        step.needs.every(({ step: needed, moment }) => {
          const known = progress.get(needed);
          return known && (moment !== 'recovered' || !known.moments?.has('started') || known.moments.has('recovered'));
        }),
    );
  for (let ready = readySteps(); ready.length > 0; ready = readySteps()) {
    for (const each of ready) {
      const recovers = each.kind === 'recover' ? progress.get(each.step) : undefined;
      progress.set(each.id, {
        state: 'finished',
        verdict: 'passed',
        moments: each.kind === 'chaos' ? new Set(['started', 'verified']) : new Set(),
      });
      if (each.kind === 'recover' && recovers)
        progress.set(each.step, { ...recovers, moments: new Set(['started', 'verified', 'recovered']) });
    }
  }
  expect([...progress.keys()].sort()).toEqual(steps.map((each) => each.id).sort());
}
