import { ApplicationFailureCategory } from '@temporalio/common';
import { ApplicationFailure, CancellationScope, defineSignal, setHandler, sleep, upsertSearchAttributes } from '@temporalio/workflow';
import { rolesInExpression } from '../../dsl/expand/roles.ts';
import { stepGraph } from '../../dsl/expand/step-graph.ts';
import { evaluateCondition, namesIn } from '../../dsl/expression/cel.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { TestcaseResult } from '../../dsl/model/result.ts';
import { isBad, worstVerdict } from '../../dsl/model/verdict.ts';
import type { Verdict } from '../../dsl/model/verdict.ts';
import { FAILURE, SIGNAL } from '../../dsl/model/workflow-io.ts';
import type { FaultSignal, TestcaseInput } from '../../dsl/model/workflow-io.ts';
import { createDeferred } from '../base/deferred.ts';
import { engineBug, isSuiteError } from '../base/engine-bug.ts';
import { createJournal } from '../base/journal.ts';
import { verdictAttribute } from '../base/search-attributes.ts';
import { hookReason, runHookList } from '../step/hooks.ts';
import { checkRequirements } from '../step/requirements.ts';
import { cancelReason, stageScope } from '../step/stage.ts';
import { askRoles, roleNames } from '../step/roles.ts';
import type { LiveRoles, Stop } from '../step/stage.ts';
import { runAsserts } from './asserts.ts';
import { pinNodes } from './bind.ts';
import { releaseFault } from './live-fault.ts';
import { runSteps } from './run-steps.ts';
import type { TestcaseStage } from './testcase-stage.ts';

const faultStateSignal = defineSignal<[FaultSignal]>(SIGNAL.faultState);
const cancelSignal = defineSignal<[{ readonly reason?: string }?]>(SIGNAL.cancelTestcase);
const HOOKS = { prefix: 'testcase.' };

/**
 * One attempt of one testcase: requires · before · bind · steps · asserts · on_fail · recovery · after · verdict.
 *
 * If the worker dies at any line, another one continues here: what was scheduled is in history, commands are found again by their
 * activities. If this workflow is cancelled, cleanup runs in a scope that cannot be cancelled. If it is terminated, its faults notice and
 * undo themselves (they are workflows of their own, started before anything was injected); hooks are then not run.
 *
 * A bad verdict is a failed workflow (`TestFailed`, benign, details = the result), so that lists of workflows show it.
 */
export async function testcase(input: TestcaseInput): Promise<TestcaseResult> {
  const root = CancellationScope.current();
  return CancellationScope.nonCancellable(async () => {
    const stage = createStage(input, root);
    const startedAt = Date.now();
    stage.marks.set('testcase.started', startedAt);
    let skipped: string | undefined;
    let bug: unknown;
    try {
      skipped = await runPhases(stage, input.broken);
    } catch (error) {
      bug = error;
    }
    try {
      await recoverAll(stage);
    } catch (error) {
      bug ??= error;
    }
    if (bug !== undefined) throw engineBug(bug);
    return conclude(stage, startedAt, skipped);
  });
}

function createStage(input: TestcaseInput, root: CancellationScope): TestcaseStage {
  const stopped = createDeferred<Stop>();
  const work = new CancellationScope();
  const stage: TestcaseStage = {
    run: input.run,
    slice: input.slice,
    cell: input.cell,
    attempt: input.attempt,
    journal: createJournal(),
    incarnations: new Map(Object.entries(input.incarnations)),
    bind: new Map(),
    outcomes: new Map(),
    work,
    cleanup: CancellationScope.current(),
    stopped,
    graph: stepGraph(input.slice.testcase.steps),
    steps: new Map(),
    faults: [],
    faultSignals: new Map(),
    marks: new Map(),
    causes: [],
    owed: [],
    watchers: new Set(),
    stop(stop) {
      if (stopped.settled) return;
      stopped.resolve(stop);
      work.cancel();
    },
  };
  setHandler(faultStateSignal, (signal) => {
    const fault = stage.faultSignals.get(signal.id);
    if (signal.state === 'owed')
      fault?.ended.resolve({ owed: signal.owed ?? [], at: signal.at, ...(signal.reason !== undefined && { reason: signal.reason }) });
    else fault?.effect.resolve(signal);
  });
  setHandler(cancelSignal, (payload) => stage.stop({ kind: 'cancel', reason: payload?.reason ?? 'cancelled' }));
  root.cancelRequested.catch(() => stage.stop({ kind: 'cancel', reason: 'cancelled' }));
  return stage;
}

/** Everything up to `after`. Resolves with the reason when the testcase is skipped. */
async function runPhases(stage: TestcaseStage, broken: string | undefined): Promise<string | undefined> {
  if (broken !== undefined) {
    stage.causes.push({ verdict: 'broken', reason: broken });
    return undefined;
  }
  // Without anything live the condition is decided at once, in the very moment as ever.
  const condition = stage.slice.testcase.if;
  const isLive = condition !== undefined && readsLive(stage, condition);
  const skip = (isLive ? await liveIfIsFalse(stage, condition) : ifIsFalse(stage)) ?? (await unmetRequirement(stage));
  if (skip !== undefined) return skip;
  const { hooks } = stage.slice.testcase;
  try {
    if (!isBad(verdictOf(stage))) await runBeforeAndSteps(stage);
    if (stage.stopped.value?.kind === 'cancel') stage.causes.push({ verdict: 'broken', reason: cancelReason(stage) });
    if (isBad(verdictOf(stage))) await runHookList(stage, HOOKS, 'on_fail', hooks.onFail, 'on_fail');
  } finally {
    // Faults are in effect while on_fail looks, and gone when after runs.
    await recoverAll(stage);
    const after = await runHookList(stage, HOOKS, 'after', hooks.after, 'after');
    if (after && !isBad(verdictOf(stage))) stage.causes.push({ verdict: 'broken', reason: hookReason('after', after), step: after.step });
  }
  return undefined;
}

async function runBeforeAndSteps(stage: TestcaseStage): Promise<void> {
  const { testcase: planned } = stage.slice;
  const before = await stage.work.run(() => runHookList(stage, HOOKS, 'before', planned.hooks.before, 'before'));
  if (before) {
    stage.causes.push({ verdict: 'broken', reason: hookReason('before', before), step: before.step });
    return;
  }
  if (hasBind(stage) && !(await pinned(stage))) return;
  const timer = startTimeout(stage, planned.timeoutMs);
  try {
    await runSteps(stage);
    if (stage.causes.length === 0 && !stage.stopped.settled) {
      for (const bad of await stage.work.run(() => runAsserts(stage))) {
        stage.causes.push({ verdict: bad.verdict as 'failed', reason: bad.reason ?? bad.verdict, step: bad.step });
      }
    }
  } finally {
    timer?.cancel();
  }
}

/** The testcase's own timeout: a scope, never a timeout of the workflow, which would run no cleanup. */
function startTimeout(stage: TestcaseStage, timeoutMs: number | undefined): CancellationScope | undefined {
  if (timeoutMs === undefined) return undefined;
  const scope = new CancellationScope();
  const reason = `testcase timeout after ${formatDuration(timeoutMs)}`;
  void scope
    .run(() => sleep(timeoutMs, { summary: 'testcase timeout' }))
    .then(
      () => {
        if (stage.stopped.settled) return;
        stage.causes.push({ verdict: 'failed', reason });
        stage.stop({ kind: 'timeout', reason });
      },
      () => undefined, // ended in time
    );
  return scope;
}

function hasBind(stage: TestcaseStage): boolean {
  return Object.keys(stage.slice.testcase.bind).length > 0;
}

/** Pins the nodes of `bind` unless that is done already; false when one could not be pinned. */
async function pinned(stage: TestcaseStage): Promise<boolean> {
  if (stage.bind.size > 0) return true;
  if (stage.stopped.settled) return false;
  const bad = await stage.work.run(() => pinNodes(stage));
  if (bad) stage.causes.push({ verdict: bad.verdict as 'failed', reason: bad.reason ?? bad.verdict, step: bad.step });
  return bad === undefined;
}

function readsLive(stage: TestcaseStage, condition: string): boolean {
  return rolesInExpression(condition, roleNames(stage)).length > 0 || (hasBind(stage) && namesIn(condition).has('bind'));
}

/** An `if` over roles or `bind`: what it names is asked now, and what is bound now stays bound. */
async function liveIfIsFalse(stage: TestcaseStage, condition: string): Promise<string | undefined> {
  if (namesIn(condition).has('bind') && !(await pinned(stage))) return undefined;
  const needed = rolesInExpression(condition, roleNames(stage));
  if (needed.length === 0) return ifIsFalse(stage);
  const { location } = stage.slice.testcase;
  const label = {
    step: 'testcase.if',
    kind: 'hook',
    phase: 'before',
    name: 'if',
    title: `if ${condition}`,
    continueOnError: false,
    location,
  } as const;
  const asked = await stage.work.run(() => askRoles(stage, { label, isStep: false }, needed));
  if (asked.kind === 'asked') return ifIsFalse(stage, asked.roles);
  stage.causes.push({ verdict: asked.body.verdict as 'failed', reason: `if: ${asked.body.reason ?? asked.body.verdict}` });
  return undefined;
}

function ifIsFalse(stage: TestcaseStage, roles?: LiveRoles): string | undefined {
  const condition = stage.slice.testcase.if;
  if (condition === undefined) return undefined;
  try {
    return evaluateCondition(condition, { values: stageScope(stage, undefined, roles) }) ? undefined : `if: ${condition} is false`;
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    stage.causes.push({ verdict: 'broken', reason: error.message });
    return undefined;
  }
}

async function unmetRequirement(stage: TestcaseStage): Promise<string | undefined> {
  if (isBad(verdictOf(stage))) return undefined;
  const bad = await stage.work.run(() => checkRequirements(stage, 'testcase.', stage.slice.testcase.requires));
  if (bad?.kind === 'unknown') stage.causes.push({ verdict: 'broken', reason: bad.reason, step: bad.step });
  return bad?.kind === 'unmet' ? bad.reason : undefined;
}

/** Undoes what is left, newest first, one after another: an older fault may have to be in place for a newer one to be undone. */
async function recoverAll(stage: TestcaseStage): Promise<void> {
  for (const fault of stage.faults.toReversed()) {
    await releaseFault(fault, 'end of the testcase');
    await fault.ended.promise;
  }
}

function verdictOf(stage: TestcaseStage): Verdict {
  return stage.causes.length === 0 ? 'passed' : worstVerdict(stage.causes.map((cause) => cause.verdict));
}

function conclude(stage: TestcaseStage, startedAt: number, skipped: string | undefined): TestcaseResult {
  const verdict = skipped === undefined ? verdictOf(stage) : 'skipped';
  const cause = stage.causes.find((candidate) => candidate.verdict === verdict);
  const reason = skipped ?? cause?.reason;
  const again = [...stage.outcomes.values()].some(
    (outcome) => outcome.kind === 'command' && outcome.verdict === 'passed' && outcome.tries > 1,
  );
  if (stage.run.searchAttributes) upsertSearchAttributes([verdictAttribute(verdict)]);
  const result: TestcaseResult = {
    id: stage.cell.id,
    attempt: stage.attempt,
    verdict,
    ...(reason !== undefined && { reason }),
    flaky: verdict === 'passed' && (again || stage.attempt > 1),
    ...(cause?.step !== undefined && { step: cause.step }),
    recovery: stage.owed.length > 0 ? 'owed' : 'clean',
    owed: stage.owed,
    startedAt,
    finishedAt: Date.now(),
    cancelled: stage.stopped.value?.kind === 'cancel',
    journal: stage.journal.take(),
  };
  if (!isBad(verdict)) return result;
  throw ApplicationFailure.create({
    message: `${verdict}: ${reason ?? verdict}`,
    type: FAILURE.testFailed,
    nonRetryable: true,
    category: ApplicationFailureCategory.BENIGN,
    details: [result],
  });
}
