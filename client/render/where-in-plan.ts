import type { Location } from '../../dsl/model/location.ts';
import type { Plan } from '../../dsl/model/plan.ts';
import type { WhereOf } from './end-text.ts';

/** Places of testcases and steps in the text, for failures. A step of a hook is shown at its testcase. */
export function whereInPlan(plan: Plan): WhereOf {
  const testcaseOf = new Map(plan.cells.map((cell) => [cell.id, cell.testcase]));
  const testcases = new Map(plan.testcases.map((testcase) => [testcase.name, testcase]));
  return (id, step) => {
    const testcase = testcases.get(testcaseOf.get(id) ?? '');
    const place: Location | undefined = testcase?.steps.find((each) => each.id === step)?.location ?? testcase?.location;
    return place ? `${place.file}:${place.line}` : plan.suite.file;
  };
}
