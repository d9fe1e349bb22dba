import { evaluateCondition, ExpressionError, namesIn } from '../expression/cel.ts';
import type { Cell, Plan, PlannedTestcase } from '../model/plan.ts';
import type { ValueMap } from '../model/value.ts';

/** `list --json` of suite-language §14. */
export interface ListDocument {
  readonly v: 1;
  readonly suite: string;
  readonly file: string;
  readonly testcases: readonly ListedTestcase[];
}

export interface ListedTestcase {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly params: ValueMap;
  readonly tags: readonly string[];
  readonly locks: readonly { readonly name: string; readonly mode: 'shared' | 'exclusive' }[];
  readonly chaos: boolean;
  /** Steps as written; a `parallel` block counts its steps. */
  readonly steps: number;
  /** Why it will be skipped, as far as that is known before the run. */
  readonly skip: string | null;
}

/** Selected testcases, one entry per cell, in written order. */
export function listPlan(plan: Plan): ListDocument {
  const byName = new Map(plan.testcases.map((testcase) => [testcase.name, testcase]));
  return {
    v: 1,
    suite: plan.suite.name,
    file: plan.suite.file,
    testcases: plan.cells.map((cell) => {
      const testcase = byName.get(cell.testcase) as PlannedTestcase;
      return {
        id: cell.id,
        name: testcase.name,
        file: testcase.location.file,
        line: testcase.location.line,
        params: cell.params,
        tags: testcase.tags,
        locks: testcase.locks,
        chaos: testcase.hasChaos,
        steps: testcase.steps.filter((step) => step.kind !== 'parallel').length,
        skip: skipReason(plan, testcase, cell),
      };
    }),
  };
}

/** One line per cell: id, tags, what it does. */
export function listText(document: ListDocument): string {
  const width = Math.min(60, Math.max(0, ...document.testcases.map((testcase) => testcase.id.length)));
  const lines = document.testcases.map((testcase) => {
    const notes = [
      `${testcase.steps} ${testcase.steps === 1 ? 'step' : 'steps'}`,
      ...(testcase.chaos ? ['chaos'] : []),
      ...(testcase.tags.length > 0 ? [`tags: ${testcase.tags.join(', ')}`] : []),
      ...(testcase.skip === null ? [] : [`skipped: ${testcase.skip}`]),
    ];
    return `${testcase.id.padEnd(width)}  ${notes.join(' · ')}`;
  });
  return [...lines, `${document.testcases.length} ${document.testcases.length === 1 ? 'testcase' : 'testcases'}`].join('\n');
}

/** An `if` over params alone is settled before the run. */
function skipReason(plan: Plan, testcase: PlannedTestcase, cell: Cell): string | null {
  if (testcase.if === undefined) return null;
  const env = plainEnv(plan, testcase);
  for (const name of namesIn(testcase.if)) if (name !== 'params' && !(name === 'env' && env)) return null;
  try {
    return evaluateCondition(testcase.if, { values: { params: cell.params, ...(env && { env }) } })
      ? null
      : `if: ${testcase.if.trim()} is false`;
  } catch (error) {
    // It will fail in the run as well, which then says so; a list is not the place.
    if (error instanceof ExpressionError) return null;
    throw error;
  }
}

/** The variables of a testcase when none of them holds a mark. */
function plainEnv(plan: Plan, testcase: PlannedTestcase): ValueMap | undefined {
  const merged = { ...plan.context.env, ...testcase.env, ...plan.context.envOverrides };
  const values = Object.values(merged);
  if (values.some((value) => typeof value === 'string' && value.includes('${{'))) return undefined;
  return Object.fromEntries(
    Object.entries(merged).map(([name, value]) => [name, value === null ? '' : String(value as string | number | boolean)]),
  );
}
