import type { StepDefinition, TestcaseDefinition } from '../model/suite.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import { NO_HOOKS, hooksField, requires } from './command-shape.ts';
import { assert } from './condition-shape.ts';
import { bind, params } from './context-shape.ts';
import { locate, placeAt, problem } from './context.ts';
import { field, fieldTo, object, required } from './object-shape.ts';
import { retryPolicy, testcaseRetry } from './run-shape.ts';
import { env, expression, name, plainText, positiveDuration, template } from './scalar-shapes.ts';
import { byKind, list, oneOf, oneOrList } from './shape.ts';
import { steps } from './step-shape.ts';

const noLocks: Shape<string[]> = {
  ...oneOf(['none']),
  decode: (node, context, label) => (oneOf(['none']).decode(node, context, label) === undefined ? undefined : []),
};

const locks = byKind('a list of names, or none', { scalar: noLocks, seq: list(plainText) });

export const tags = list(plainText, 'a list of texts');

export const testcase: Shape<TestcaseDefinition> = object({
  what: 'a testcase',
  fields: {
    name: required(name, 'Name; with the cell of the matrix it is the id.'),
    description: field(template, 'Title in reports.'),
    tags: field(tags, 'For selection with -m.'),
    steps: required(steps, 'What is done, in order unless needs says otherwise.'),
    assert: field(assert, 'What must hold when all steps passed.'),
    hooks: hooksField,
    requires: field(requires, 'Not fulfilled = skipped.'),
    env: field(env, 'Environment of its commands.'),
    params: field(params, 'Merged over context.params.'),
    bind: field(bind, 'Selectors pinned to one node before the first step.'),
    probes: field(oneOrList(name), 'Probes that run beside the steps; default those its asserts name.'),
    if: field(expression, 'False = skipped.'),
    timeout: fieldTo('timeoutMs', positiveDuration, 'Limit over steps and asserts.'),
    retry: field(testcaseRetry, 'Whole testcase again when it was failed, broken or void.'),
    needs: field(oneOrList(name), 'Testcases that must have passed.'),
    locks: field(locks, 'Names held exclusively; none = no lock.'),
  },
  build(decoded, node, context): TestcaseDefinition {
    checkSteps(decoded.steps, context);
    return {
      tags: [],
      hooks: NO_HOOKS,
      requires: [],
      env: {},
      bind: {},
      retry: retryPolicy,
      needs: [],
      ...decoded,
      location: locate(context, node.start),
    };
  },
});

function checkSteps(all: readonly StepDefinition[], context: Context): void {
  if (all.some((step) => step.id !== undefined || step.kind === 'parallel')) checkIds(all, new Map(), context);
}

function checkIds(all: readonly StepDefinition[], seen: Map<string, number>, context: Context): void {
  for (const step of all) {
    if (step.id !== undefined) {
      const first = seen.get(step.id);
      if (first === undefined) seen.set(step.id, step.location.line);
      else duplicateId(context, step, first);
    }
    if (step.kind === 'parallel') checkIds(step.steps, seen, context);
  }
}

function duplicateId(context: Context, step: StepDefinition, line: number): void {
  const message = `the step id "${step.id ?? ''}" is used twice in this testcase; first on line ${line}`;
  problem(context, 'SUITE_DUPLICATE_ID', message, placeAt(context, step.location));
}
