import { describe, expect, it } from 'vitest';
import { chaos, command, inline, parallel, suite, testcase, use } from '../../tests/goldens/suite-builder.ts';
import { compileSuite } from '../compile/compile-suite.ts';
import type { StepDefinition } from '../model/suite.ts';
import type { Verdict } from '../model/verdict.ts';
import { joinVerdict, readySteps, stepGraph, stepStatus } from './step-graph.ts';
import type { StepProgress } from './step-graph.ts';

function graphOf(steps: readonly StepDefinition[]) {
  const { plan } = compileSuite(
    suite({ commands: [command('x', 'true')], chaos: [chaos('cut', 'true')], testcases: [testcase('t', steps)] }),
    { seed: 1, digest: 'd', execute: false },
  );
  return stepGraph(plan!.testcases[0]!.steps);
}

function progress(states: { [id: string]: Verdict | 'running' | StepProgress }): Map<string, StepProgress> {
  return new Map(
    Object.entries(states).map(([id, state]) => [
      id,
      typeof state !== 'string' ? state : state === 'running' ? { state: 'running' } : { state: 'finished', verdict: state },
    ]),
  );
}

const x = (id: string, more = {}) => use('x', { id, ...more });

describe('readySteps', () => {
  const ids = (graph: ReturnType<typeof graphOf>, states: Parameters<typeof progress>[0]) =>
    readySteps(graph, progress(states)).map((step) => step.id);

  it('starts what needs nothing, then what is settled, whatever the verdicts', () => {
    const graph = graphOf([x('a'), x('b', { needs: [] }), x('c', { needs: ['a', 'b'] })]);
    expect(ids(graph, {})).toEqual(['a', 'b']);
    expect(ids(graph, { a: 'passed', b: 'running' })).toEqual([]);
    expect(ids(graph, { a: 'failed', b: 'skipped' })).toEqual(['c']);
    expect(ids(graph, { a: 'failed', b: 'skipped', c: 'skipped' })).toEqual([]);
  });

  it('waits for moments of a fault while it runs, and for its recovery after it has finished', () => {
    const graph = graphOf([
      use('cut', { id: 'cut' }),
      x('during', { needs: ['cut.started'] }),
      { ...x('back'), kind: 'recover', step: 'cut', needs: ['cut'] },
      x('after', { needs: ['cut.recovered'] }),
    ]);
    const moments = (...list: ('started' | 'verified' | 'recovered')[]) => new Set(list);
    expect(ids(graph, { cut: 'running' })).toEqual([]);
    expect(ids(graph, { cut: { state: 'running', moments: moments('started', 'verified') } })).toEqual(['during']);
    expect(
      ids(graph, { during: 'passed', cut: { state: 'finished', verdict: 'passed', moments: moments('started', 'verified') } }),
    ).toEqual(['back']);
    expect(
      ids(graph, {
        during: 'passed',
        back: 'running',
        cut: { state: 'finished', verdict: 'passed', moments: moments('started', 'verified', 'recovered') },
      }),
    ).toEqual(['after']);
    // Never injected: nothing to wait for.
    expect(ids(graph, { during: 'skipped', back: 'skipped', cut: 'skipped' })).toEqual(['after']);
  });
});

describe('stepStatus', () => {
  it('looks at all steps before, not only at the needed ones', () => {
    const graph = graphOf([x('a'), x('b'), x('c')]);
    expect(stepStatus(graph, 'c', progress({ a: 'failed', b: 'skipped' }))).toEqual({
      success: false,
      failure: true,
      blockedBy: 'after "a", which failed',
    });
    expect(stepStatus(graph, 'c', progress({ a: 'passed', b: 'broken' })).blockedBy).toBe('after "b", which was broken');
    expect(stepStatus(graph, 'c', progress({ a: 'passed', b: 'skipped' }))).toEqual({ success: true, failure: false });
  });

  it('leaves unrelated branches and excused failures alone', () => {
    const graph = graphOf([x('a', { continueOnError: true }), x('b'), x('other', { needs: [] })]);
    expect(stepStatus(graph, 'b', progress({ a: 'failed' }))).toEqual({ success: true, failure: false });
    expect(stepStatus(graph, 'other', progress({ a: 'failed', b: 'void' }))).toEqual({ success: true, failure: false });
  });

  it('does not run what relies on a fault that never was', () => {
    const graph = graphOf([use('cut'), x('during', { needs: ['cut.started'] })]);
    expect(stepStatus(graph, 'during', progress({ cut: 'skipped' }))).toEqual({
      success: false,
      failure: false,
      blockedBy: '"cut.started" never came',
    });
  });

  it('handles thousands of serial steps', () => {
    const graph = graphOf(Array.from({ length: 500 }, (_, index) => x(`s${index}`)));
    expect(graph.ancestors('s499')).toHaveLength(499);
    expect(graph.ancestors('s499')[0]).toBe('s0');
  });
});

describe('joinVerdict', () => {
  it('is the worst of the block that is not excused', () => {
    const graph = graphOf([parallel([x('a'), x('b', { continueOnError: true }), inline('true', { id: 'c' })], { id: 'all' })]);
    expect(joinVerdict(graph, 'all', progress({ a: 'passed', b: 'failed', c: 'passed' }))).toBe('passed');
    expect(joinVerdict(graph, 'all', progress({ a: 'void', b: 'failed', c: 'broken' }))).toBe('broken');
    expect(joinVerdict(graph, 'all', progress({ a: 'skipped', b: 'skipped', c: 'skipped' }))).toBe('skipped');
  });
});
