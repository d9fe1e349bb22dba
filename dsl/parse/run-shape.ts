import type { RetryPolicy, RetryReason, RunType } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Shape } from './shape.ts';
import type { MapNode } from './yaml-node.ts';
import { field, fieldTo, misplacedKey, object, option, required } from './object-shape.ts';
import {
  anyMap,
  anyValue,
  bool,
  cmd,
  duration,
  env,
  int,
  numberFrom,
  pick,
  positiveDuration,
  selector,
  template,
} from './scalar-shapes.ts';
import { byKind, list, oneOf, placeOf, quote, shared, wrongType } from './shape.ts';
import { problem } from './context.ts';

export const RUN_TYPES = ['shell', 'sql', 'http', 'module', 'python', 'logs', 'prometheus'] as const satisfies readonly RunType[];

const runWord = oneOf(RUN_TYPES);

export const runType: Shape<RunType> = {
  ...runWord,
  decode(node, context, label) {
    const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : '';
    if (text.trim().includes(' '))
      return wrongType(node, context, label, runWord.form, `"run" says who executes it; write cmd: ${quote(text)}`);
    return runWord.decode(node, context, label);
  },
};

/** What each run type needs and may have, of the keys that only some run types know. */
const RUN_KEYS: { readonly [run in RunType]: { readonly needs: readonly string[]; readonly may: readonly string[] } } = {
  shell: { needs: ['cmd'], may: [] },
  sql: { needs: ['dsn', 'query'], may: ['idempotent'] },
  http: { needs: ['url'], may: ['method', 'headers', 'body', 'redirects', 'tls', 'idempotent'] },
  module: { needs: ['file'], may: ['with'] },
  python: { needs: ['file'], may: ['with'] },
  logs: { needs: [], may: ['path', 'unit', 'container', 'since'] },
  prometheus: { needs: ['query'], may: ['url', 'range', 'headers', 'tls'] },
};

const SPECIAL_KEYS: ReadonlySet<string> = new Set(Object.values(RUN_KEYS).flatMap(({ needs, may }) => [...needs, ...may]));

const tls: Shape<ValueMap> = shared(
  'tls',
  object({
    what: 'tls',
    fields: {
      ca: field(template, 'Certificates that are trusted: a file (PEM), or the text of one; default those of the system.'),
      cert: field(template, 'Certificate of the client: a file (PEM), or its text.'),
      key: field(template, 'Key of the client: a file (PEM), or its text.'),
      server_name: field(template, 'Name that is asked for and checked; default the host of the url.'),
      insecure: field(bool, 'Trust any certificate; default false.'),
    },
    build: (decoded): ValueMap => decoded as ValueMap,
  }),
);

const RANGE_FORM = 'a duration that ends now, or a map with from, until, step';

/** A duration as it is written: options are read where they are used. */
const writtenDuration: Shape<string | number> = {
  form: RANGE_FORM,
  spec: positiveDuration.spec,
  decode(node, context, label) {
    const value = node.kind === 'scalar' ? node.value : null;
    if (typeof value === 'string' && value.includes('${{')) return value;
    if (positiveDuration.decode(node, context, label) === undefined) return undefined;
    return value as string | number;
  },
};

const range: Shape<Value> = shared(
  'range',
  byKind<string | number, never, ValueMap>(RANGE_FORM, {
    scalar: writtenDuration,
    map: object({
      what: 'range',
      fields: {
        from: required(timePoint(), 'Where it begins: a mark in time, a time, or how long ago.'),
        until: field(timePoint(), 'Where it ends; default now.'),
        step: field(writtenDuration, 'Distance of the values; default a 250th of the range, at least 1s.'),
      },
      build: (decoded): ValueMap => decoded as ValueMap,
    }),
  }),
);

/** A text or a number that names a moment; which one is known when the command runs. */
function timePoint(): Shape<string | number> {
  const form = 'a mark in time (kill.started), a time (RFC 3339 or seconds since 1970) or how long ago (5m)';
  return {
    form,
    spec: { type: 'union', of: [{ type: 'text' }, { type: 'number' }] },
    decode(node, context, label) {
      const value = node.kind === 'scalar' ? node.value : null;
      return typeof value === 'string' || typeof value === 'number' ? value : wrongType(node, context, label, form);
    },
  };
}

/** Who executes what. */
export const runFields = {
  run: field(runType, 'Who executes it; default shell.'),
  cmd: field(cmd, 'A text is a script for the shell; a list is a program and its arguments, without a shell.'),
  file: field(template, 'Path of a module or python file under the folder of the suite.'),
  dsn: option(template, 'sql: where to connect.'),
  query: option(template, 'sql, prometheus: what to ask. In sql every mark becomes a bind parameter.'),
  url: option(template, 'http: address; prometheus: server.'),
  method: option(template, 'http: GET unless written.'),
  headers: option(anyMap, 'http, prometheus: headers of the request.'),
  body: option(anyValue, 'http: body of the request; a map is sent as JSON.'),
  path: option(template, 'logs: file on the node.'),
  unit: option(template, 'logs: unit of systemd.'),
  container: option(template, 'logs: name of a container.'),
  since: option(timePoint(), 'logs: only what is newer: a mark in time (kill.started), a time, or how long ago (5m).'),
  range: option(range, 'prometheus: all values of a time range instead of the last ones.'),
  redirects: option(int(0, 20), 'http: how many redirects are followed; default 0.'),
  tls: option(tls, 'http, prometheus: whom to trust, and as whom.'),
  idempotent: option(
    bool,
    'http, sql: may be sent again when it is not known whether it was executed; default true for GET, HEAD, OPTIONS and SHOW, else false.',
  ),
};

/** Where and in which surroundings. */
export const placeFields = {
  nodes: field(selector, 'Nodes it runs on; default the first node of context.nodes.'),
  pick: field(pick, 'Which of the selected nodes; default all.'),
  env: field(env, 'Environment variables.'),
  cwd: field(template, "Working directory; default the suite's folder on local, else the home directory."),
  stdin: field(template, 'Text for the standard input.'),
  shell: field(oneOf(['sh', 'bash']), 'Shell for a text; default sh.'),
  user: field(template, 'User on the node that runs it.'),
  sudo: field(bool, 'Run as root, or as user, through sudo -n.'),
};

/** Checks the keys that belong to run types. `ignore` names keys that mean something else here. */
export function checkRun(run: RunType, what: string, node: MapNode, context: Context, ignore?: string): boolean {
  const { needs, may } = RUN_KEYS[run];
  let isGood = true;
  for (const key of node.keys) {
    if (!SPECIAL_KEYS.has(key) || key === ignore || needs.includes(key) || may.includes(key)) continue;
    const owners = RUN_TYPES.filter((type) => RUN_KEYS[type].needs.includes(key) || RUN_KEYS[type].may.includes(key));
    misplacedKey(
      context,
      node,
      key,
      `"${key}" belongs to run: ${owners.join(' or ')}; this is run: ${run}`,
      `write run: ${owners.join(' or run: ')}`,
    );
    isGood = false;
  }
  for (const key of needs) {
    if (node.keys.includes(key)) continue;
    problem(context, 'SUITE_MISSING_KEY', `${what} with run: ${run} needs "${key}"`, placeOf(node));
    isGood = false;
  }
  if (run === 'logs' && ['path', 'unit', 'container'].filter((key) => node.keys.includes(key)).length !== 1) {
    problem(context, 'SUITE_MISSING_KEY', `${what} with run: logs needs one of "path", "unit", "container"`, placeOf(node));
    isGood = false;
  }
  return isGood;
}

const RETRY_REASONS = ['exit_code', 'expect', 'timeout'] as const satisfies readonly RetryReason[];

const retryFields = {
  max: required(int(0), 'Up to this many more tries.'),
  delay: fieldTo('delayMs', duration, 'Wait before the second try; default 1s.'),
  backoff: field(numberFrom(1), 'Factor of the wait per further try; default 1.'),
  max_delay: fieldTo('maxDelayMs', duration, 'Longest wait; default 1m.'),
};

export const retryPolicy = {
  max: 0,
  delayMs: 1000,
  backoff: 1,
  maxDelayMs: 60_000,
  when: RETRY_REASONS,
} as const satisfies RetryPolicy;

const RETRY_FORM = 'a number of further tries, or a map with max, delay, backoff, max_delay';

function retryCount(form: string): Shape<RetryPolicy> {
  return {
    form,
    spec: int(0).spec,
    decode(node, context, label) {
      const max = node.kind === 'scalar' ? node.value : null;
      const isCount = typeof max === 'number' && Number.isInteger(max) && max >= 0;
      return isCount ? { ...retryPolicy, max } : wrongType(node, context, label, form);
    },
  };
}

export const retry: Shape<RetryPolicy> = shared(
  'retry',
  byKind(`${RETRY_FORM}, when, exit_codes`, {
    scalar: retryCount(RETRY_FORM),
    map: object({
      what: 'retry',
      fields: {
        ...retryFields,
        when: field(list(oneOf(RETRY_REASONS)), 'Outcomes that are tried again; default exit_code, expect and timeout.'),
        exit_codes: fieldTo('exitCodes', list(int(0)), 'Only these exit codes are tried again.'),
      },
      build: (decoded): RetryPolicy => ({ ...retryPolicy, ...decoded }),
    }),
  }),
);

/** Of a testcase: there is no outcome to choose, a whole attempt is repeated. */
export const testcaseRetry: Shape<RetryPolicy> = byKind(RETRY_FORM, {
  scalar: retryCount(RETRY_FORM),
  map: object({ what: 'retry of a testcase', fields: retryFields, build: (decoded): RetryPolicy => ({ ...retryPolicy, ...decoded }) }),
});

export const timeoutField = fieldTo('timeoutMs', positiveDuration, 'Limit of one try; default 1m.');
export const maxParallelField = fieldTo(
  'maxParallel',
  int(1),
  'Nodes at a time; default 16. 1 = one after another, stopping at the first that fails.',
);
export const withinField = fieldTo('withinMs', positiveDuration, 'How long it is waited for.');
export const everyField = fieldTo('everyMs', positiveDuration, 'Pace of the samples.');
