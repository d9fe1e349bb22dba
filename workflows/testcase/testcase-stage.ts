import type { Verdict } from '../../dsl/model/verdict.ts';
import type { StepGraph, StepProgress } from '../../dsl/expand/step-graph.ts';
import type { OwedFault } from '../../dsl/model/result.ts';
import type { Deferred } from '../base/deferred.ts';
import { createDeferred } from '../base/deferred.ts';
import type { Target } from '../step/render.ts';
import type { Stage, Stop } from '../step/stage.ts';
import type { LiveFault } from './live-fault.ts';

/** A stage with what only testcases have: steps that depend on each other, faults, marks. */
export interface TestcaseStage extends Stage {
  readonly graph: StepGraph;
  readonly steps: Map<string, StepState>;
  /** In the order they were started. */
  readonly faults: LiveFault[];
  /** Fault id → where its signals go; from before its start, because the first may come with the news of it. */
  readonly faultSignals: Map<string, Pick<LiveFault, 'effect' | 'ended'>>;
  /** `testcase.started`, `<id>.started`, `<id>.verified`, `<id>.finished`, `<id>.recovered` → epoch ms. */
  readonly marks: Map<string, number>;
  readonly causes: Cause[];
  readonly owed: OwedFault[];
  /** Called whenever a step ends or a fault changes: conditions over workflow state are looked at again. */
  readonly watchers: Set<() => void>;
  /** Cancels what runs; the first call counts. */
  stop(stop: Stop): void;
}

/** Something that makes the testcase not passed. */
export interface Cause {
  readonly verdict: Exclude<Verdict, 'passed' | 'skipped'>;
  readonly reason: string;
  readonly step?: string;
}

export interface StepState {
  readonly finished: Deferred<void>;
  readonly started: Deferred<void>;
  readonly verified: Deferred<void>;
  readonly recovered: Deferred<void>;
  /** What the step graph sees. */
  progress: StepProgress;
  /** Moments of a chaos step that have come. */
  readonly moments: Set<'started' | 'verified' | 'recovered'>;
  /** What a command step ran where: the default subject of asserts runs it again. */
  targets?: readonly Target[];
}

export function createStepState(): StepState {
  const moments = new Set<'started' | 'verified' | 'recovered'>();
  return {
    finished: createDeferred(),
    started: createDeferred(),
    verified: createDeferred(),
    recovered: createDeferred(),
    progress: { state: 'running', moments },
    moments,
  };
}

/** A moment of a chaos step has come. */
export function reach(stage: TestcaseStage, step: string, moment: 'started' | 'verified' | 'recovered', at: number): void {
  stage.marks.set(`${step}.${moment}`, at);
  const state = stage.steps.get(step);
  state?.moments.add(moment);
  state?.[moment].resolve();
  changed(stage);
}

export function changed(stage: TestcaseStage): void {
  for (const watcher of stage.watchers) watcher();
}
