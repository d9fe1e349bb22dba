import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { commandSpec, sampleSpec } from '../../dsl/expand/command-spec.ts';
import { ExpandError } from '../../dsl/expand/expand-error.ts';
import { rolesInExpression } from '../../dsl/expand/roles.ts';
import { evaluateCondition } from '../../dsl/expression/cel.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { WaitCondition } from '../../dsl/model/suite.ts';
import { worstVerdict } from '../../dsl/model/verdict.ts';
import { createDeferred } from '../base/deferred.ts';
import { impossible, isSuiteError } from '../base/engine-bug.ts';
import { askRoles, roleNames } from '../step/roles.ts';
import { takeSamples } from '../step/sample.ts';
import type { BodyOutcome, StepLabel } from '../step/stage.ts';
import { bodyWithoutRun, cancelReason, NO_OUTPUTS, stageScope } from '../step/stage.ts';
import type { TestcaseStage } from './testcase-stage.ts';

/** Waits until the condition holds, at most `withinMs`. Samples run in activities; expressions over workflow state cost nothing. */
export async function waitFor(
  stage: TestcaseStage,
  label: StepLabel,
  condition: WaitCondition,
  times: { readonly withinMs: number; readonly everyMs: number },
  path = '',
): Promise<BodyOutcome> {
  switch (condition.kind) {
    case 'sample': {
      if (!('command' in condition.subject)) throw new ExpandError('NOT_SUPPORTED', 'not supported yet: probe in wait');
      const spec = commandSpec(stage.slice, condition.subject.command, { testcaseEnv: stage.slice.testcase.env });
      return takeSamples(stage, label, {
        spec: sampleSpec(spec),
        match: condition.match,
        mode: 'until',
        windowMs: times.withinMs,
        everyMs: times.everyMs,
        path,
      });
    }
    case 'expr': {
      const roles = rolesInExpression(condition.expr, roleNames(stage));
      if (roles.length > 0) return waitForRoles(stage, label, condition.expr, times, path, roles);
      return waitForExpression(stage, condition.expr, times.withinMs);
    }
    case 'all': {
      const parts = await settleAll(condition.of.map((part, index) => waitFor(stage, label, part, times, childPath(path, index))));
      return combine(parts, worstVerdict(parts.map((part) => part.verdict)));
    }
    case 'any':
      return waitForAny(stage, label, condition.of, times, path);
    default:
      return impossible(condition);
  }
}

/** The first that holds wins; the others are cancelled. */
async function waitForAny(
  stage: TestcaseStage,
  label: StepLabel,
  conditions: readonly WaitCondition[],
  times: { readonly withinMs: number; readonly everyMs: number },
  path: string,
): Promise<BodyOutcome> {
  const scope = new CancellationScope();
  let won: BodyOutcome | undefined;
  const parts = await settleAll(
    conditions.map(async (part, index) => {
      const outcome = await scope.run(() => waitFor(stage, label, part, times, childPath(path, index)));
      if (outcome.verdict === 'passed' && !won) {
        won = outcome;
        scope.cancel();
      }
      return outcome;
    }),
  );
  if (won) return won;
  const combined = combine(parts, worstVerdict(parts.map((part) => part.verdict)));
  return { ...combined, reason: `none of ${parts.length} conditions held: ${parts.map((part) => part.reason ?? part.verdict).join('; ')}` };
}

/** An expression over roles: they are asked round after round, in one activity, until it is true. */
async function waitForRoles(
  stage: TestcaseStage,
  label: StepLabel,
  expr: string,
  times: { readonly withinMs: number; readonly everyMs: number },
  path: string,
  roles: readonly string[],
): Promise<BodyOutcome> {
  const id = path === '' ? label.step : `${label.step}/${path.slice(0, -1)}`;
  const asked = await askRoles(stage, { label, id, condition: { expr, windowMs: times.withinMs, everyMs: times.everyMs } }, roles);
  if (asked.kind === 'bad') return asked.body;
  return { verdict: 'passed', results: [], activities: [], checks: [], outputs: NO_OUTPUTS };
}

async function waitForExpression(stage: TestcaseStage, expression: string, withinMs: number): Promise<BodyOutcome> {
  let problem: string | undefined;
  const holds = (): boolean => {
    try {
      problem = undefined;
      return evaluateCondition(expression, { values: stageScope(stage) });
    } catch (error) {
      // It may name a step that has not ended yet, so an error now is not an error for ever.
      if (!isSuiteError(error)) throw error;
      problem = error.message;
      return false;
    }
  };
  const passed: BodyOutcome = { verdict: 'passed', results: [], activities: [], checks: [], outputs: NO_OUTPUTS };
  if (holds()) return passed;
  const scope = new CancellationScope();
  const held = createDeferred<'held'>();
  const watcher = (): void => {
    if (holds()) held.resolve('held');
  };
  stage.watchers.add(watcher);
  try {
    const timer = scope.run(() => sleep(withinMs, { summary: `wait at most ${formatDuration(withinMs)}` }));
    const first = await Promise.race([held.promise, timer.then(() => 'late' as const)]);
    if (first === 'held') {
      scope.cancel();
      await timer.catch(ignoreCancellation);
      return passed;
    }
    const found = problem === undefined ? 'it is false' : problem;
    const check = {
      matcher: 'expr',
      expected: expression,
      actual: found.slice(0, 500),
      ok: problem === undefined ? false : ('undecidable' as const),
    };
    const verdict = problem === undefined ? 'failed' : 'broken';
    return { ...passed, verdict, reason: `not within ${formatDuration(withinMs)}: ${expression}: ${found}`, checks: [check] };
  } catch (error) {
    if (isCancellation(error)) return bodyWithoutRun('broken', cancelReason(stage));
    throw error;
  } finally {
    stage.watchers.delete(watcher);
  }
}

function combine(parts: readonly BodyOutcome[], verdict: BodyOutcome['verdict']): BodyOutcome {
  const first = parts.find((part) => part.verdict === verdict);
  return {
    verdict,
    ...(first?.reason !== undefined && { reason: first.reason }),
    results: parts.flatMap((part) => part.results),
    activities: parts.flatMap((part) => part.activities),
    checks: parts.flatMap((part) => part.checks),
    outputs: NO_OUTPUTS,
  };
}

/** All of them end before an error of one passes on: none may go on unseen. */
async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

function childPath(path: string, index: number): string {
  return path === '' ? `${index + 1}/` : `${path.slice(0, -1)}.${index + 1}/`;
}

function ignoreCancellation(error: unknown): void {
  if (!isCancellation(error)) throw error;
}
