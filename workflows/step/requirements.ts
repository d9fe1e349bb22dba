import { requirementSpec } from '../../dsl/expand/command-spec.ts';
import type { RequirementDefinition } from '../../dsl/model/suite.ts';
import { isBad } from '../../dsl/model/verdict.ts';
import { runCommandStep } from './run-command-step.ts';
import type { BodyOutcome, Stage, StepLabel } from './stage.ts';

/** `unmet` = skipped with the message; `unknown` = it could not be asked, so what depends on it is broken. */
export type BadRequirement = { readonly kind: 'unmet' | 'unknown'; readonly reason: string; readonly step: string };

/** Asks one requirement after another; resolves with the first that is not met. */
export async function checkRequirements(
  stage: Stage,
  prefix: string,
  requirements: readonly RequirementDefinition[],
): Promise<BadRequirement | undefined> {
  for (const [index, requirement] of requirements.entries()) {
    const label: StepLabel = {
      step: `${prefix}requires#${index + 1}`,
      kind: 'hook',
      phase: 'before',
      name: 'requires',
      title: `requires: ${requirement.msg}`,
      continueOnError: false,
      location: requirement.location,
    };
    const makeSpec = () => requirementSpec(stage.slice, requirement, { testcaseEnv: stage.slice.testcase.env });
    // An unmet requirement is no failure of anything: it is reported as the reason of a skip.
    const judge = (body: BodyOutcome): BodyOutcome =>
      body.verdict === 'failed' ? { ...body, verdict: 'skipped', reason: requirement.msg } : body;
    const outcome = await runCommandStep(stage, label, makeSpec, { keepStdout: false, judge });
    if (outcome.verdict === 'skipped') return { kind: 'unmet', reason: requirement.msg, step: label.step };
    if (isBad(outcome.verdict)) return { kind: 'unknown', reason: `requires: ${outcome.reason ?? outcome.verdict}`, step: label.step };
  }
  return undefined;
}
