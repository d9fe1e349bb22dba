import { describe, expect, it } from 'vitest';
import { chaos, command, inline, parallel, suite, testcase, use } from '../../tests/goldens/suite-builder.ts';
import { compileSuite } from '../compile/compile-suite.ts';
import type { StepDefinition } from '../model/suite.ts';
import type { Verdict } from '../model/verdict.ts';
import { joinVerdict, stepGraph, stepStatus } from './step-graph.ts';
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

describe('a moment of a fault', () => {
  it('that never came keeps a step from running; started means a verified effect', () => {
    const graph = graphOf([use('cut', { id: 'cut' }), x('during', { needs: ['cut.started'] })]);
    const during = (moments: readonly ('started' | 'verified')[]) =>
      stepStatus(graph, 'during', progress({ cut: { state: 'finished', verdict: 'skipped', moments: new Set(moments) } }));
    expect(during(['started']).blockedBy).toBe('"cut.started" never came');
    expect(during(['started', 'verified'])).toEqual({ success: true, failure: false });
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
