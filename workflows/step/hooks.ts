import { hookSpec } from '../../dsl/expand/command-spec.ts';
import type { HookDefinition, HooksDefinition } from '../../dsl/model/suite.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { isSuiteError } from '../base/engine-bug.ts';
import { runCommandStep } from './run-command-step.ts';
import type { BodyOutcome, Stage, StepLabel, StepOutcome } from './stage.ts';
import { bodyWithoutRun } from './stage.ts';

/** Whose hooks: `<owner>/before#1` for those of a step, `testcase.before#1` and `suite.before#1` else; no step can have such an id. */
export interface HookOwner {
  readonly prefix: string;
  readonly parent?: string;
}

/**
 * The hooks of a command or chaos around its body (suite-language §9): a failing `before` = broken without the body; `on_fail` when it
 * is going to be bad, without effect on the verdict; `after` always, also after a cancel; its failure makes a pass broken.
 */
export async function runHooks(
  stage: Stage,
  label: StepLabel,
  hooks: HooksDefinition,
  body: () => Promise<BodyOutcome>,
): Promise<BodyOutcome> {
  const owner = { prefix: `${label.step}/`, parent: label.step };
  const phase = label.phase;
  const before = await runHookList(stage, owner, 'before', hooks.before, phase);
  let outcome = before ? bodyWithoutRun('broken', hookReason('before', before)) : await body();
  if (isBad(outcome.verdict)) {
    await stage.cleanup.run(() => runHookList(stage, owner, 'on_fail', hooks.onFail, phase));
  }
  const after = await stage.cleanup.run(() => runHookList(stage, owner, 'after', hooks.after, phase));
  if (after && !isBad(outcome.verdict)) outcome = { ...outcome, verdict: 'broken', reason: hookReason('after', after) };
  return outcome;
}

/**
 * Runs hooks one after another. `before` stops at the first bad one; the others all run. Resolves with the first bad outcome.
 */
export async function runHookList(
  stage: Stage,
  owner: HookOwner,
  kind: 'before' | 'after' | 'on_fail',
  hooks: readonly HookDefinition[],
  phase: StepLabel['phase'],
): Promise<StepOutcome | undefined> {
  let bad: StepOutcome | undefined;
  for (const [index, hook] of hooks.entries()) {
    const outcome = await runHook(stage, hook, `${owner.prefix}${kind}#${index + 1}`, phase, owner.parent);
    if (!isBad(outcome.verdict)) continue;
    bad ??= outcome;
    if (kind === 'before') break;
  }
  return bad;
}

export function hookReason(kind: 'before' | 'after', outcome: StepOutcome): string {
  return `${kind} hook ${outcome.name}: ${outcome.reason ?? outcome.verdict}`;
}

function runHook(
  stage: Stage,
  hook: HookDefinition,
  step: string,
  phase: StepLabel['phase'],
  parent: string | undefined,
): Promise<StepOutcome> {
  const makeSpec = () => hookSpec(stage.slice, hook, { testcaseEnv: stage.slice.testcase.env });
  const named = labelNames(hook, makeSpec);
  const location = 'use' in hook ? hook.location : hook.inline.location;
  const label: StepLabel = {
    step,
    kind: 'hook',
    phase,
    ...named,
    continueOnError: false,
    location,
    ...(parent !== undefined && { parent }),
  };
  return runCommandStep(stage, label, makeSpec, { keepStdout: false });
}

/** Name and title for the journal; a hook that cannot be made out keeps the name it was given and becomes broken when it runs. */
function labelNames(
  hook: HookDefinition,
  makeSpec: () => { readonly name: string; readonly title: string },
): { name: string; title: string } {
  try {
    const { name, title } = makeSpec();
    return { name, title };
  } catch (error) {
    if (!isSuiteError(error)) throw error;
    const name = 'use' in hook ? hook.use : (hook.inline.name ?? hook.inline.run);
    return { name, title: name };
  }
}
