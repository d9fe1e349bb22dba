import type { RunEvent } from '../../dsl/model/events.ts';
import type { Counts } from '../../dsl/model/result.ts';

/** What a person wants to know of a run at this moment: a fold over its events. */
export interface RunView {
  readonly run: string;
  suite: string;
  file: string;
  seed: number;
  url: string | null;
  results: string;
  total: number;
  /** Epoch ms of `run_started`. */
  startedAt: number;
  readonly counts: { -readonly [K in keyof Counts]: Counts[K] };
  /** Testcases that run now, by id, in order of start. */
  readonly running: Map<string, RunningTestcase>;
  /** Faults in effect or not yet undone, by fault id and node. */
  readonly faults: Map<string, { readonly name: string; readonly node: string; readonly state: string; readonly since: number }>;
  finished: Extract<RunEvent, { type: 'run_finished' }> | undefined;
}

export interface RunningTestcase {
  readonly startedAt: number;
  readonly attempt: number;
  /** Steps that run now, in order of start. */
  readonly steps: Map<string, { readonly title: string; readonly nodes: readonly string[]; readonly startedAt: number }>;
}

export function emptyView(run: string): RunView {
  return {
    run,
    suite: '',
    file: '',
    seed: 0,
    url: null,
    results: '',
    total: 0,
    startedAt: Date.now(),
    counts: { passed: 0, failed: 0, broken: 0, void: 0, skipped: 0, flaky: 0 },
    running: new Map(),
    faults: new Map(),
    finished: undefined,
  };
}

/** Folds one event into the view. */
export function foldEvent(view: RunView, event: RunEvent): void {
  const at = Date.parse(event.ts);
  switch (event.type) {
    case 'run_started':
      view.suite = event.suite;
      view.file = event.file;
      view.seed = event.seed;
      view.url = event.url;
      view.results = event.results;
      view.total = event.total;
      view.startedAt = at;
      return;
    case 'testcase_started':
      view.running.set(event.testcase, { startedAt: at, attempt: event.attempt, steps: new Map() });
      return;
    case 'step_started':
      view.running.get(event.testcase)?.steps.set(event.step, { title: event.title, nodes: event.nodes, startedAt: at });
      return;
    case 'step_finished':
      view.running.get(event.testcase)?.steps.delete(event.step);
      return;
    case 'fault': {
      const key = `${event.id} ${event.node}`;
      // A planned fault has touched nothing yet, a void one has nothing to undo that we know to be in effect.
      const over = event.state === 'recovered' || event.state === 'void' || event.state === 'planned';
      if (over) view.faults.delete(key);
      else view.faults.set(key, { name: event.name, node: event.node, state: event.state, since: view.faults.get(key)?.since ?? at });
      return;
    }
    case 'testcase_finished':
      view.running.delete(event.testcase);
      view.counts[event.verdict] += 1;
      if (event.flaky) view.counts.flaky += 1;
      return;
    case 'run_finished':
      view.finished = event;
      return;
    case 'error':
      return;
    default:
      event satisfies never;
  }
}

/** Finished testcases so far; attempts that are tried again count once more, which the end corrects. */
export function finishedCount({ counts }: RunView): number {
  return counts.passed + counts.failed + counts.broken + counts.void + counts.skipped;
}
