import type { Plan, PlannedStep, PlannedTestcase } from '../model/plan.ts';
import type { Suite } from '../model/suite.ts';
import type { Value } from '../model/value.ts';
import { entry } from './world.ts';

/** Where a value of a name comes from, weakest level first; the last one wins. */
export interface ExplainedLevel {
  /** `context.env`, `command "x"`, `testcase "t"`, `step "s"`, `--env`; `context.params`, `params.include`, `--param`. */
  readonly level: string;
  readonly value: Value;
}

/** One outcome, and all places that have it. */
export interface Explanation {
  readonly kind: 'env' | 'param';
  readonly value: Value;
  readonly winner: string;
  readonly levels: readonly ExplainedLevel[];
  /** Testcase ids (params), or `testcase/step` (env); every place of the plan when it is the same everywhere. */
  readonly places: readonly string[];
}

/** `plan --explain NAME`. */
export interface ExplainDocument {
  readonly v: 1;
  readonly name: string;
  readonly explanations: readonly Explanation[];
}

/** Who won for a variable or param of this name, grouped by outcome. Empty when nothing sets it. */
export function explainName(
  plan: Plan,
  suite: Suite,
  name: string,
  paramOverrides: { readonly [name: string]: string } = {},
): ExplainDocument {
  const groups = new Map<string, { kind: Explanation['kind']; levels: readonly ExplainedLevel[]; places: string[] }>();
  const add = (kind: Explanation['kind'], levels: readonly ExplainedLevel[], place: string): void => {
    if (levels.length === 0) return;
    const key = JSON.stringify([kind, levels]);
    const group = groups.get(key);
    if (group) group.places.push(place);
    else groups.set(key, { kind, levels, places: [place] });
  };
  for (const testcase of plan.testcases) {
    for (const step of testcase.steps) {
      if (step.kind === 'command' || step.kind === 'chaos')
        add('env', envLevels(plan, testcase, step, name), `${testcase.name}/${step.id}`);
    }
  }
  const definitions = new Map(suite.testcases.map((testcase) => [testcase.name, testcase]));
  for (const cell of plan.cells) {
    if (!Object.hasOwn(cell.params, name)) continue;
    const levels: ExplainedLevel[] = [];
    const own = definitions.get(cell.testcase)?.params;
    const written = (level: string, params: Suite['context']['params'] | undefined): void => {
      const axis = params?.axes.find((each) => each.name === name);
      if (axis) levels.push({ level: `${level} (axis)`, value: axis.values });
      if (params && Object.hasOwn(params.constants, name)) levels.push({ level, value: params.constants[name] as Value });
    };
    written('context.params', suite.context.params);
    written(`testcase "${cell.testcase}" params`, own);
    const value = cell.params[name] as Value;
    if (Object.hasOwn(paramOverrides, name)) levels.push({ level: '--param', value });
    else {
      const rows = own?.include ?? suite.context.params.include ?? [];
      const isAxis = levels.at(-1)?.level.endsWith('(axis)') === true;
      if (!isAxis && rows.some((row) => Object.hasOwn(row, name) && JSON.stringify(row[name]) === JSON.stringify(value))) {
        if (JSON.stringify(levels.at(-1)?.value) !== JSON.stringify(value)) levels.push({ level: 'params.include', value });
      } else if (isAxis) levels.push({ level: 'matrix cell', value });
    }
    add('param', levels, cell.id);
  }
  return {
    v: 1,
    name,
    explanations: [...groups.values()].map(({ kind, levels, places }) => {
      const last = levels.at(-1) as ExplainedLevel;
      return { kind, value: last.value, winner: last.level, levels, places };
    }),
  };
}

function envLevels(
  plan: Plan,
  testcase: PlannedTestcase,
  step: PlannedStep & { readonly kind: 'command' | 'chaos' },
  name: string,
): readonly ExplainedLevel[] {
  const levels: ExplainedLevel[] = [];
  const add = (level: string, env: { readonly [name: string]: Value } | undefined): void => {
    if (env && Object.hasOwn(env, name)) levels.push({ level, value: env[name] as Value });
  };
  add('context.env', plan.context.env);
  if (step.kind === 'chaos') add(`chaos "${step.chaos}"`, entry(plan.definitions.chaos, step.chaos)?.env);
  else if (typeof step.command === 'string') add(`command "${step.command}"`, entry(plan.definitions.commands, step.command)?.env);
  else add(`step "${step.id}"`, step.command.env);
  add(`testcase "${testcase.name}"`, testcase.env);
  add(`step "${step.id}"`, step.overrides.env);
  add('--env', plan.context.envOverrides);
  return levels;
}

/** The explanation for people. */
export function explainText(document: ExplainDocument): string {
  if (document.explanations.length === 0) return `nothing sets ${document.name}`;
  return document.explanations
    .map((each) => {
      const places = each.places.length <= 8 ? each.places.join(', ') : `${each.places.slice(0, 8).join(', ')}, … (${each.places.length})`;
      const levels = each.levels.map(
        (level, index) => `  ${index === each.levels.length - 1 ? '→' : ' '} ${level.level}: ${JSON.stringify(level.value)}`,
      );
      return [`${each.kind} ${document.name} = ${JSON.stringify(each.value)} (from ${each.winner})`, ...levels, `    in ${places}`].join(
        '\n',
      );
    })
    .join('\n\n');
}
