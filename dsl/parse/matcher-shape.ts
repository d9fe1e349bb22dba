import type { MatcherBlock, ValueCondition, ValueMatcher } from '../model/matcher.ts';
import type { Value } from '../model/value.ts';
import type { Context } from './context.ts';
import type { Fields } from './object-shape.ts';
import type { Shape } from './shape.ts';
import type { MapNode } from './yaml-node.ts';
import { parseDuration } from '../expression/duration.ts';
import { placeOf, quote } from './shape.ts';
import { keyPlace, problem } from './context.ts';
import { object } from './object-shape.ts';
import { DURATION_FORM, anyValue, bool, expression, outputText } from './scalar-shapes.ts';
import { lazy, list, mapOf, oneOrList, shared, wrongType } from './shape.ts';

const VALUE_MATCHERS = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'between', 'in', 'not', 'any', 'all'] as const;

function isValueMatcher(key: string): boolean {
  return (VALUE_MATCHERS as readonly string[]).includes(key);
}

const CONDITION_FORM = 'a value, or a map of eq, ne, lt, lte, gt, gte, between, in, not, any, all';

/** A value to equal, or a matcher. `single` reads one operand (a duration, say). */
function conditionShape<T extends Value>(id: string, single: Shape<T>): { condition: Shape<ValueCondition>; fields: Fields } {
  const self: Shape<ValueCondition> = lazy(id, CONDITION_FORM, () => condition);
  const operands = list(single);
  const pair: Shape<[T, T]> = {
    form: 'a list of two values, the lower and the upper bound',
    spec: { type: 'list', of: single.spec, length: 2 },
    decode(node, context, label) {
      if (node.kind !== 'seq' || node.items.length !== 2) return wrongType(node, context, label, pair.form);
      const values = operands.decode(node, context, label);
      return values ? [values[0] as T, values[1] as T] : undefined;
    },
  };
  const group = { required: false, group: 'match' } as const;
  const fields = {
    eq: { ...group, shape: single, doc: 'Equals this value.' },
    ne: { ...group, shape: single, doc: 'Differs from this value.' },
    lt: { ...group, shape: single, doc: 'Is less.' },
    lte: { ...group, shape: single, doc: 'Is less or equal.' },
    gt: { ...group, shape: single, doc: 'Is greater.' },
    gte: { ...group, shape: single, doc: 'Is greater or equal.' },
    between: { ...group, shape: pair, doc: 'Lies between both, ends included.' },
    in: { ...group, shape: operands, doc: 'Is one of these values.' },
    not: { ...group, shape: self, doc: 'Does not fulfil this.' },
    any: { ...group, shape: list(self), doc: 'Fulfils at least one of these.' },
    all: { ...group, shape: list(self), doc: 'Fulfils all of these.' },
  };
  const matcher = object<typeof fields, ValueMatcher>({
    what: 'a value matcher',
    fields,
    build: (decoded) => (decoded as { match?: ValueMatcher }).match ?? {},
  });
  const condition: Shape<ValueCondition> = {
    form: CONDITION_FORM,
    spec: { type: 'union', of: [single.spec, matcher.spec] },
    decode(node, context, label) {
      // A map is a matcher as soon as one of its keys is; other maps and lists are values to equal.
      if (node.kind === 'map' && (node.keys.length === 0 || single !== anyValue || node.keys.some(isValueMatcher)))
        return matcher.decode(node, context, label);
      return single.decode(node, context, label);
    },
  };
  return { condition: { ...condition, spec: { type: 'ref', id: `${id}Condition`, get: () => condition.spec } }, fields };
}

const value = conditionShape('valueMatcher', anyValue);

/** Seconds, or a mark. */
const seconds: Shape<number | string> = {
  form: DURATION_FORM,
  spec: { type: 'union', of: [{ type: 'number' }, { type: 'text' }] },
  decode(node, context, label) {
    const written = node.kind === 'scalar' ? node.value : null;
    if (typeof written === 'string' && written.includes('${{')) return written;
    const ms = typeof written === 'string' || typeof written === 'number' ? parseDuration(written) : undefined;
    return ms === undefined ? wrongType(node, context, label, DURATION_FORM) : ms / 1000;
  },
};

const exitCodeShape: Shape<'any' | ValueCondition> = {
  form: 'a whole number, any, or a value matcher',
  spec: { type: 'union', of: [{ type: 'int', min: 0 }, { type: 'words', words: ['any'] }, value.condition.spec] },
  decode(node, context, label) {
    const isText = node.kind === 'scalar' && (typeof node.value === 'string' || typeof node.value === 'number');
    if (isText || node.kind === 'map') {
      const isWord = node.kind === 'scalar' && typeof node.value === 'string' && node.value !== 'any' && !node.value.includes('${{');
      if (!isWord) return value.condition.decode(node, context, label);
    }
    return wrongType(node, context, label, exitCodeShape.form);
  },
};

const exitCode = shared('exitCode', exitCodeShape);

/** A regular expression that JavaScript accepts with the flags it will run with; one with marks is checked when it is complete. */
const regex: Shape<string> = {
  form: 'a regular expression',
  spec: outputText.spec,
  decode(node, context, label) {
    const source = outputText.decode(node, context, label);
    if (source === undefined || source.includes('${{')) return source;
    try {
      RegExp(source, 'mu');
      return source;
    } catch (error) {
      const why = (error instanceof Error ? error.message : '').split(': ').at(-1) ?? '';
      problem(
        context,
        'SUITE_BAD_REGEX',
        `${quote(source)} is not a regular expression: ${why}`,
        placeOf(node),
        'JavaScript syntax with the flags m and u',
      );
      return undefined;
    }
  },
};

const JSON_PATH = /^(?:[^.[\]\s][^.[\]]*|\[\d+\])(?:\.[^.[\]]+|\[\d+\])*$/u;

const json: Shape<{ [path: string]: ValueCondition }> = shared(
  'jsonPaths',
  mapOf(
    value.condition,
    (path) => (JSON_PATH.test(path) ? undefined : `${quote(path)} is not a path into JSON, such as a.b[0].c`),
    'a map from paths (a.b[0].c) to values or matchers',
  ),
);

const columns = mapOf(value.condition, () => undefined, 'a map from columns to values or matchers');

const rowFields = {
  count: { shape: value.condition, doc: 'Number of rows.', required: false },
  each: { shape: columns, doc: 'Holds in every row.', required: false },
  any: { shape: columns, doc: 'Holds in at least one row.', required: false },
} as const;

const rows = shared(
  'rows',
  object({
    what: 'rows',
    fields: rowFields,
    build: (decoded) => decoded as NonNullable<MatcherBlock['rows']>,
  }),
);

const lines: Shape<ValueCondition> = {
  form: 'a number of lines, or a value matcher',
  spec: value.condition.spec,
  decode(node, context, label) {
    const isCount =
      node.kind === 'scalar' && (typeof node.value === 'number' || (typeof node.value === 'string' && node.value.includes('${{')));
    return isCount || node.kind === 'map' ? value.condition.decode(node, context, label) : wrongType(node, context, label, lines.form);
  },
};

const status: Shape<ValueCondition> = {
  form: 'a status (a whole number), or a value matcher',
  spec: value.condition.spec,
  decode(node, context, label) {
    const isStatus =
      node.kind === 'scalar' && (typeof node.value === 'number' || (typeof node.value === 'string' && node.value.includes('${{')));
    return isStatus || node.kind === 'map' ? value.condition.decode(node, context, label) : wrongType(node, context, label, status.form);
  },
};

const texts = shared('texts', oneOrList(outputText));
const regexes = shared('texts', oneOrList(regex));
const group = { required: false, group: 'match' } as const;

const textFields = {
  contains: { ...group, shape: texts, doc: 'All of these texts occur in the output.' },
  not_contains: { ...group, shape: texts, doc: 'None of these texts occurs in the output.' },
  matches: { ...group, shape: regexes, doc: 'All of these regular expressions match (JavaScript, flags mu, not anchored).' },
  not_matches: { ...group, shape: regexes, doc: 'None of these regular expressions matches.' },
  equals: { ...group, shape: outputText, doc: 'The output without trailing newlines is exactly this.' },
  empty: { ...group, shape: bool, doc: 'The output is empty, white space ignored.' },
  lines: { ...group, shape: lines, doc: 'Number of lines.' },
  json: { ...group, shape: json, doc: 'The output is JSON and these paths hold.' },
  rows: { ...group, shape: rows, doc: 'Rows of a sql or prometheus command.' },
  duration: { ...group, shape: conditionShape('durationMatcher', seconds).condition, doc: 'Wall time of the try.' },
  all_equal: { ...group, shape: bool, doc: 'The output is the same on all nodes.' },
  ...value.fields,
  expr: { ...group, shape: oneOrList(expression), doc: 'CEL over stdout, stderr, exit_code, duration, json and the context.' },
};

type Conditions = { match?: MatcherBlock };

const stderr = shared(
  'stderrConditions',
  object<typeof textFields, MatcherBlock>({
    what: 'the conditions on stderr',
    fields: textFields,
    build: (decoded) => (decoded as Conditions).match ?? {},
  }),
);

/** The keys of a matcher block; in maps that hold other keys, too, `matchOf` gives the block. */
export const matchFields = {
  exit_code: { ...group, shape: exitCode, doc: 'Exit code; 0 unless written, any = not looked at.' },
  ...textFields,
  status: { ...group, shape: status, doc: 'Status of the answer of an http command.' },
  stderr: { ...group, shape: stderr, doc: 'Conditions on stderr.' },
};

/** The matcher block among decoded keys; empty when none is written. */
export function matchOf(decoded: object): MatcherBlock {
  return (decoded as Conditions).match ?? {};
}

export function hasMatch(decoded: object): boolean {
  return (decoded as Conditions).match !== undefined;
}

/** A block of its own: `expect`, `match`. */
export const matcherBlock: Shape<MatcherBlock> = lazy('matcherBlock', 'a map of conditions', () => block);

const block: Shape<MatcherBlock> = object<typeof matchFields, MatcherBlock>({
  what: 'the conditions',
  fields: matchFields,
  build: (decoded, node, context) => checkedBlock(matchOf(decoded), node, context),
});

function checkedBlock(match: MatcherBlock, node: MapNode, context: Context): MatcherBlock | undefined {
  if (match.rows === undefined || Object.keys(match.rows).length > 0) return match;
  const index = node.keys.indexOf('rows');
  problem(context, 'SUITE_WRONG_TYPE', '"rows" needs count, each or any', keyPlace(context, node.keyStarts[index] as number, 'rows'));
  return undefined;
}
