import type { RoleDefinition, ScheduleDefinition, SoakDefinition, Strategy, Suite } from '../model/suite.ts';
import type { Decoded } from './object-shape.ts';
import type { Shape } from './shape.ts';
import { chaos, role } from './chaos-shape.ts';
import { command, hooks, probe, requires } from './command-shape.ts';
import { groupNameProblem, suiteContext } from './context-shape.ts';
import { problem } from './context.ts';
import { field, fieldTo, object } from './object-shape.ts';
import { bool, duration, int, plainText, positiveDuration, secretName, template } from './scalar-shapes.ts';
import { list, mapOf, oneOf, oneOrList, placeOf, quote, wrongType } from './shape.ts';
import { tags, testcase } from './testcase-shape.ts';

/** What is wrong with the path of an include: it must stay under the folder of the suite. */
function includeProblem(path: string): string | undefined {
  if (path.includes('${{')) return 'a mark ${{ }} cannot stand in the path of an include';
  if (path.trim() === '') return 'the path of an include is empty';
  const shown = quote(path);
  if (path.includes('\0') || path.includes('\\')) return `${shown} is not a path; folders are separated by /`;
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(path)) return `${shown} is not a path under the folder of the suite`;
  if (path.startsWith('/') || path.startsWith('~')) return `${shown} leaves the folder of the suite; paths of includes are relative to it`;
  if (path.split('/').includes('..')) return `${shown} leaves the folder of the suite: ".." is not allowed`;
  return undefined;
}

/** A path, and where it is written. */
export interface IncludePath {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

const include: Shape<IncludePath> = {
  form: 'a path under the folder of the suite',
  spec: { type: 'text' },
  decode(node, context, label) {
    if (node.kind !== 'scalar' || typeof node.value !== 'string')
      return wrongType(node, context, label, 'a path under the folder of the suite');
    const wrong = includeProblem(node.value);
    if (wrong !== undefined) {
      problem(context, 'SUITE_INCLUDE', wrong, node);
      return undefined;
    }
    const path = node.value
      .split('/')
      .filter((part) => part !== '.' && part !== '')
      .join('/');
    return { path, start: node.start, end: node.end };
  },
};

const roles: Shape<RoleDefinition[]> = {
  form: 'a map from names to roles',
  spec: { type: 'map', of: role.spec },
  decode(node, context, label) {
    const found = mapOf(role, groupNameProblem, 'a map from names to roles').decode(node, context, label);
    return found && Object.entries(found).map(([name, definition]) => ({ name, ...definition }));
  },
};

const strategy: Shape<Strategy> = object({
  what: 'strategy',
  fields: {
    max_parallel: fieldTo('maxParallel', int(1), 'Testcases at a time; default 1.'),
    fail_fast: fieldTo('failFast', bool, 'Start no more after the first failed, broken or void one.'),
  },
  build: (decoded): Strategy => ({ ...NO_STRATEGY, ...decoded }),
});

export const NO_STRATEGY: Strategy = { maxParallel: 1, failFast: false };

const soak: Shape<SoakDefinition> = object({
  what: 'soak',
  fields: {
    duration: fieldTo('durationMs', positiveDuration, 'How long iterations are started.'),
    iterations: field(int(1), 'How many runs of the suite.'),
    pause: fieldTo('pauseMs', duration, 'Between iterations; default 0.'),
    shuffle: field(bool, 'Testcases in another order in each iteration.'),
    seed: field(int(0, 2_147_483_647), 'Root of all random choices.'),
    stop_after_failures: fieldTo('stopAfterFailures', int(1), 'Stop after so many bad iterations.'),
  },
  build: (decoded): SoakDefinition => ({ pauseMs: 0, shuffle: false, ...decoded }),
});

const OVERLAP = ['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'terminate_other', 'allow_all'] as const;

const schedule: Shape<ScheduleDefinition> = object({
  what: 'schedule',
  fields: {
    cron: field(plainText, 'Five fields, such as 0 2 * * *.'),
    interval: fieldTo('intervalMs', positiveDuration, 'Every so often.'),
    time_zone: fieldTo('timeZone', plainText, 'IANA name, such as Asia/Shanghai; default UTC.'),
    overlap: field(oneOf(OVERLAP), 'What happens when the last run is still going.'),
    jitter: fieldTo('jitterMs', duration, 'Random delay up to this.'),
    catchup: fieldTo('catchupMs', duration, 'How late a missed start is made up for.'),
    pause_on_failure: fieldTo('pauseOnFailure', bool, 'Pause the schedule when a run is bad.'),
  },
  build(decoded, node, context): ScheduleDefinition | undefined {
    if ((decoded.cron === undefined) !== (decoded.intervalMs === undefined)) return decoded;
    const code = decoded.cron === undefined ? 'SUITE_MISSING_KEY' : 'SUITE_TOO_MANY_KEYS';
    problem(context, code, 'schedule needs exactly one of "cron" and "interval"', placeOf(node));
    return undefined;
  },
});

const suiteName: Shape<string> = {
  ...plainText,
  decode(node, context, label) {
    const text = plainText.decode(node, context, label);
    if (text === undefined || text.trim() !== '') return text?.trim();
    problem(context, 'SUITE_BAD_NAME', 'the name of the suite is empty', placeOf(node));
    return undefined;
  },
};

const libraryFields = {
  roles: field(roles, 'Nodes found by asking the live cluster.'),
  commands: field(list(command, 'a list of commands'), 'Commands: do what, expect what.'),
  chaos: field(list(chaos, 'a list of chaos'), 'Chaos: break what, recover how.'),
  probes: field(list(probe, 'a list of probes'), 'Probes that run beside the steps.'),
};

const suiteFields = {
  name: field(suiteName, 'Name of the suite; default the file name without extension.'),
  description: field(template, 'Title in reports.'),
  tags: field(tags, 'Added to every testcase.'),
  include: field(oneOrList(include), 'Libraries of commands, chaos, roles and probes under the folder of the suite.'),
  context: field(suiteContext, 'Nodes, environment, parameters, defaults.'),
  ...libraryFields,
  testcases: field(list(testcase, 'a list of testcases'), 'Testcases, composed of commands and chaos.'),
  hooks: field(hooks, 'Once before the first testcase and after the last.'),
  timeout: fieldTo('timeoutMs', positiveDuration, 'Limit of the run.'),
  strategy: field(strategy, 'How many testcases at a time, and when to stop.'),
  soak: field(soak, 'Run again and again.'),
  schedule: field(schedule, 'Used by onetear schedule.'),
  requires: field(requires, 'Not fulfilled = everything is skipped.'),
  secrets: field(list(secretName, 'a list of names'), 'Names of secrets: ${{ secrets.NAME }}.'),
};

/** The lists whose items are decoded as they are read. */
export const libraryItems: ItemShapes = { commands: command, chaos, probes: probe };
export const suiteItems: ItemShapes = { ...libraryItems, testcases: testcase };

export type ItemShapes = { readonly [section: string]: Shape<unknown> };

export type SuiteParts = Decoded<typeof suiteFields>;
export type LibraryParts = Pick<Suite, 'roles' | 'commands' | 'chaos' | 'probes'>;

export const suite: Shape<SuiteParts> = object({ what: 'a suite', fields: suiteFields, build: (decoded): SuiteParts => decoded });

export const library: Shape<LibraryParts> = object({
  what: 'an included library',
  fields: libraryFields,
  build: (decoded): LibraryParts => ({ roles: [], commands: [], chaos: [], probes: [], ...decoded }),
});
