import { commandSpec, sampleSpec } from '../../dsl/expand/command-spec.ts';
import { ExpandError } from '../../dsl/expand/expand-error.ts';
import { rolesInExpression } from '../../dsl/expand/roles.ts';
import { evaluateCondition } from '../../dsl/expression/cel.ts';
import { formatDuration } from '../../dsl/expression/duration.ts';
import type { Location } from '../../dsl/model/location.ts';
import type { Check } from '../../dsl/model/matcher.ts';
import type { AssertDefinition, SampledAssert, WithinAssert } from '../../dsl/model/suite.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import { askRoles, roleNames } from '../step/roles.ts';
import { prepareSeries, takeSamples } from '../step/sample.ts';
import type { Series } from '../step/sample.ts';
import { endPrepared, endUnrendered } from '../step/run-command-step.ts';
import type { BodyOutcome, LiveRoles, StepLabel, StepOutcome } from '../step/stage.ts';
import { noteFinished, noteStarted, NO_OUTPUTS, stageScope } from '../step/stage.ts';
import type { TestcaseStage } from './testcase-stage.ts';

type Kind = keyof AssertDefinition;

/**
 * The asserts of a testcase in the order of suite-language §10: eventually, then always and never (which watch the same time, so
 * together), within, expr. Ends with the first group in which one is bad; resolves with the bad ones.
 */
export async function runAsserts(stage: TestcaseStage): Promise<StepOutcome[]> {
  const { assert } = stage.slice.testcase;
  for (const [index, each] of assert.eventually.entries()) {
    const outcome = await runSampled(stage, 'eventually', index, each);
    if (isBad(outcome.verdict)) return [outcome];
  }
  const watching = [
    ...assert.always.map((each, index) => runSampled(stage, 'always', index, each)),
    ...assert.never.map((each, index) => runSampled(stage, 'never', index, each)),
  ];
  const bad = (await Promise.all(watching)).filter((outcome) => isBad(outcome.verdict));
  if (bad.length > 0) return bad;
  const later = assert.within.map((each, index) => runWithin(stage, index, each));
  for (const [index, each] of assert.expr.entries()) {
    const label = labelOf('expr', index, each.expr, each.location);
    const roles = rolesInExpression(each.expr, roleNames(stage));
    later.push(roles.length > 0 ? await runLiveExpression(stage, label, each.expr, roles) : runExpression(stage, label, each.expr));
  }
  return later.filter((outcome) => isBad(outcome.verdict));
}

async function runSampled(
  stage: TestcaseStage,
  kind: 'eventually' | 'always' | 'never',
  index: number,
  assert: SampledAssert,
): Promise<StepOutcome> {
  let startedAt = Date.now();
  let label = labelOf(kind, index, kind, assert.location);
  let started = false;
  try {
    const subject = subjectOf(stage, assert);
    label = { ...label, title: `${kind} ${subject.spec.title}` };
    const asked = prepareSeries(stage, label, { ...subject, match: assert.match });
    const prepared = asked instanceof Promise ? await asked : asked;
    if (asked instanceof Promise) startedAt = Date.now();
    if (prepared.kind === 'bad') return endPrepared(stage, label, startedAt, prepared.body);
    const { nodes, roles = {} } = prepared;
    const names = nodes.map((node) => node.name);
    noteStarted(stage, label, names, startedAt);
    started = true;
    const body = await takeSamples(stage, label, {
      ...subject,
      nodes,
      roles,
      match: assert.match,
      mode: kind === 'eventually' ? 'until' : kind,
      windowMs: assert.windowMs,
      everyMs: assert.everyMs,
      path: '',
    });
    return noteFinished(stage, label, names, startedAt, body);
  } catch (error) {
    if (!started || !isSuiteError(error)) return endUnrendered(stage, label, startedAt, error);
    return noteFinished(stage, label, [], startedAt, { ...NOTHING, verdict: 'broken', reason: error.message });
  }
}

/** The named command, or the last command step of the list with its node and inputs. */
function subjectOf(stage: TestcaseStage, assert: SampledAssert): Pick<Series, 'spec' | 'nodes'> {
  const { testcase } = stage.slice;
  const testcaseEnv = testcase.env;
  if (assert.subject) {
    if (!('command' in assert.subject)) throw new ExpandError('NOT_SUPPORTED', 'not supported yet: probe in assert');
    return { spec: sampleSpec(commandSpec(stage.slice, assert.subject.command, { testcaseEnv })) };
  }
  const step = testcase.steps.find((candidate) => candidate.id === testcase.lastCommandStep);
  if (step?.kind !== 'command') throw new ExpandError('UNKNOWN_COMMAND', 'assert: there is no command step to run again; name a command');
  const targets = stage.steps.get(step.id)?.targets;
  return {
    spec: sampleSpec(commandSpec(stage.slice, step.command, { with: step.with, overrides: step.overrides, testcaseEnv })),
    ...(targets && { nodes: targets.map((target) => target.node) }),
  };
}

function runWithin(stage: TestcaseStage, index: number, assert: WithinAssert): StepOutcome {
  const { from, until } = assert;
  if (typeof until !== 'string') throw new ExpandError('NOT_SUPPORTED', 'not supported yet: probe in assert.within');
  const label = labelOf('within', index, `from ${from} to ${until} within ${formatDuration(assert.maxMs)}`, assert.location);
  const start = stage.marks.get(from);
  const end = stage.marks.get(until);
  const missing = start === undefined ? from : end === undefined ? until : undefined;
  const tookMs = (end ?? 0) - (start ?? 0);
  const ok = missing === undefined && tookMs >= 0 && tookMs <= assert.maxMs;
  const actual = missing !== undefined ? `${missing} never came` : tookMs < 0 ? `${until} came before ${from}` : formatDuration(tookMs);
  const check: Check = { matcher: 'within', expected: `${from} to ${until} at most ${formatDuration(assert.maxMs)}`, actual, ok };
  return record(stage, label, check, ok ? undefined : `within: ${check.expected}, ${tookMs < 0 ? 'but' : 'was'} ${actual}`);
}

/** An expression over roles: they are asked now. */
async function runLiveExpression(
  stage: TestcaseStage,
  label: StepLabel,
  expression: string,
  roles: readonly string[],
): Promise<StepOutcome> {
  const asked = await askRoles(stage, { label }, roles);
  return asked.kind === 'bad' ? endPrepared(stage, label, Date.now(), asked.body) : runExpression(stage, label, expression, asked.roles);
}

function runExpression(stage: TestcaseStage, label: StepLabel, expression: string, roles?: LiveRoles): StepOutcome {
  try {
    const ok = evaluateCondition(expression, { values: stageScope(stage, undefined, roles) });
    return record(
      stage,
      label,
      { matcher: 'expr', expected: expression, actual: String(ok), ok },
      ok ? undefined : `${expression} is false`,
    );
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    return record(
      stage,
      label,
      { matcher: 'expr', expected: expression, actual: error.message.slice(0, 500), ok: 'undecidable' },
      error.message,
    );
  }
}

const NOTHING: Omit<BodyOutcome, 'verdict'> = { results: [], activities: [], checks: [], outputs: NO_OUTPUTS };

/** An assert that is decided in the workflow, at once. */
function record(stage: TestcaseStage, label: StepLabel, check: Check, reason: string | undefined): StepOutcome {
  const at = Date.now();
  noteStarted(stage, label, [], at);
  const verdict = check.ok === true ? 'passed' : check.ok === false ? 'failed' : 'broken';
  return noteFinished(stage, label, [], at, { ...NOTHING, verdict, ...(reason !== undefined && { reason }), checks: [check] });
}

function labelOf(kind: Kind, index: number, title: string, location: Location): StepLabel {
  return { step: `assert.${kind}#${index + 1}`, kind: 'assert', phase: 'assert', name: kind, title, continueOnError: false, location };
}
