import { CancellationScope, sleep, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { NO_RETRY } from '../../dsl/expand/command-spec.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { Plan, PlannedTestcase } from '../../dsl/model/plan.ts';
import type { Counts, SuiteResult, TestcaseSummary } from '../../dsl/model/result.ts';
import { isBad, worstVerdict } from '../../dsl/model/verdict.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';
import type { SuiteInput } from '../../dsl/model/workflow-io.ts';
import { finalizeRun } from '../base/activity-calls.ts';
import { createDeferred } from '../base/deferred.ts';
import { engineBug, findEngineBug } from '../base/engine-bug.ts';
import { createJournal } from '../base/journal.ts';
import { childAttributes, verdictAttribute } from '../base/search-attributes.ts';
import { hookReason, runHookList } from '../step/hooks.ts';
import { checkRequirements } from '../step/requirements.ts';
import type { Stage, Stop } from '../step/stage.ts';
import { createFinalizer } from './finalizer.ts';
import { greetNodes } from './greet-nodes.ts';
import { createProgress } from './progress.ts';
import { runCells } from './run-cells.ts';
import type { CellsContext } from './run-cells.ts';
import { runShards, SHARD_SIZE } from './run-shards.ts';

const HOOKS = { prefix: 'suite.' };

/**
 * One run: hello · requires · before · testcases · on_fail · after · records · reports.
 *
 * If the worker dies at any line, another one continues here. A cancel reaches the running testcases, waits for them (they recover their
 * faults), skips the rest, and runs `after` and the reports. The workflow always completes with its result, whatever the verdict; it
 * fails only with `EngineBug`. If it is terminated, its testcases are asked to cancel and clean up by themselves; reports are then not written.
 */
export async function suite(input: SuiteInput): Promise<SuiteResult> {
  const root = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    try {
      return await runSuite(input, root);
    } catch (error) {
      throw engineBug(error);
    }
  });
}

async function runSuite(input: SuiteInput, root: CancellationScope): Promise<SuiteResult> {
  const { run, plan } = input;
  const startedAt = Date.now();
  const stage = createStage(input, root);
  if (run.searchAttributes) upsertSearchAttributes(childAttributes(run, undefined, plan.suite.tags));
  const timer = startTimeout(stage, plan.timeoutMs);
  const finalizer = createFinalizer(run);
  const progress = createProgress(plan.cells.length);
  /** Broken by the suite's own hooks, whatever the testcases say. */
  let hookVerdict: Verdict = 'skipped';

  await greetNodes(stage, plan);
  const requirement = await stage.work.run(() => checkRequirements(stage, 'suite.', plan.requires));
  let broken = requirement?.kind === 'unknown' ? requirement.reason : undefined;
  const skipped = requirement?.kind === 'unmet' ? requirement.reason : undefined;
  /** Hooks belong to a run that began: not to one that was skipped or stopped before. */
  const began = skipped === undefined && broken === undefined && !stage.stopped.settled;
  if (began) {
    const before = await stage.work.run(() => runHookList(stage, HOOKS, 'before', plan.hooks.before, 'before'));
    if (before) broken = `suite ${hookReason('before', before)}`;
  }

  // What it was to do before the testcases was cut off: not a run in which nothing applied.
  if (stage.stopped.settled && skipped === undefined) hookVerdict = 'broken';

  const context: CellsContext = {
    run,
    plan,
    journal: stage.journal,
    finalizer,
    progress,
    incarnations: Object.fromEntries(stage.incarnations),
    work: stage.work,
    children: stage.children,
    stopped: stage.stopped,
    ...(broken !== undefined && !stage.stopped.settled && { broken }),
    ...(skipped !== undefined && { skipped }),
  };
  const outcome =
    plan.cells.length > SHARD_SIZE ? await runShards(context) : await runCells(context, plan.cells, { stopped: false, ended: {} });
  timer?.cancel();

  const verdicts = outcome.testcases.map((testcase) => testcase.verdict);
  if (began) {
    if (isBad(worstVerdict(verdicts))) await runHookList(stage, HOOKS, 'on_fail', plan.hooks.onFail, 'on_fail');
    const after = await runHookList(stage, HOOKS, 'after', plan.hooks.after, 'after');
    if (after) hookVerdict = 'broken';
  }
  const cancelled = stage.stopped.value?.kind === 'cancel';
  const verdict = worstVerdict([...verdicts, hookVerdict]);
  const result: Omit<SuiteResult, 'journal'> = {
    verdict,
    recovery: outcome.owed.length > 0 ? 'owed' : 'clean',
    cancelled,
    counts: count(outcome.testcases),
    testcases: outcome.testcases,
    owed: outcome.owed,
    startedAt,
    finishedAt: Date.now(),
  };
  if (run.searchAttributes) upsertSearchAttributes([verdictAttribute(verdict)]);
  const lost = await finalizer.drained();
  const { workflowId, runId } = workflowInfo();
  await finalizeRun(
    { run, suiteWorkflow: { workflowId, runId }, nodes: plan.context.nodes, result, journal: stage.journal.take() },
    run.queues.host,
  );
  // Only now: the reports of what could be found out are written.
  const [bug] = lost === undefined ? outcome.bugs : [...outcome.bugs, lost];
  if (bug !== undefined) throw findEngineBug(bug) ?? bug;
  return { ...result, journal: stage.journal.take() };
}

interface SuiteStage extends Stage {
  /** Children are started in it. A timeout does not cancel it: they are told by a signal, with the reason. */
  readonly children: CancellationScope;
  stop(stop: Stop): void;
}

/** The suite runs its hooks like a testcase without steps. */
function createStage(input: SuiteInput, root: CancellationScope): SuiteStage {
  const { run, plan } = input;
  const stopped = createDeferred<Stop>();
  const work = new CancellationScope();
  const children = new CancellationScope();
  const stage: SuiteStage = {
    run,
    slice: { context: plan.context, definitions: plan.definitions, testcase: suiteAsTestcase(plan) },
    cell: { id: '', testcase: '', params: {} },
    attempt: 1,
    journal: createJournal(),
    incarnations: new Map(),
    bind: new Map(),
    outcomes: new Map(),
    work,
    children,
    cleanup: CancellationScope.current(),
    stopped,
    stop(stop) {
      if (stopped.settled) return;
      stopped.resolve(stop);
      work.cancel();
      if (stop.kind === 'cancel') children.cancel();
    },
  };
  root.cancelRequested.catch(() => {
    stage.stop({ kind: 'cancel', reason: 'cancelled' });
    // After a timeout a cancel still hurries those that are left.
    children.cancel();
  });
  return stage;
}

function suiteAsTestcase(plan: Plan): PlannedTestcase {
  return {
    name: '',
    tags: plan.suite.tags,
    steps: [],
    assert: { eventually: [], always: [], never: [], within: [], expr: [] },
    hooks: plan.hooks,
    requires: plan.requires,
    env: {},
    bind: {},
    probes: [],
    retry: NO_RETRY,
    needs: [],
    locks: [],
    hasChaos: false,
    location: { file: plan.suite.file, line: 1, column: 1 },
  };
}

function startTimeout(stage: SuiteStage, timeoutMs: number | undefined): CancellationScope | undefined {
  if (timeoutMs === undefined) return undefined;
  const scope = new CancellationScope();
  void scope
    .run(() => sleep(timeoutMs, { summary: 'suite timeout' }))
    .then(
      () => stage.stop({ kind: 'timeout', reason: `suite timeout after ${formatDuration(timeoutMs)}` }),
      () => undefined, // ended in time
    );
  return scope;
}

function count(testcases: readonly TestcaseSummary[]): Counts {
  const of = (verdict: Verdict): number => testcases.filter((testcase) => testcase.verdict === verdict).length;
  return {
    passed: of('passed'),
    failed: of('failed'),
    broken: of('broken'),
    void: of('void'),
    skipped: of('skipped'),
    flaky: testcases.filter((testcase) => testcase.flaky).length,
  };
}
