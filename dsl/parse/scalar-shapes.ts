import type { Pick } from '../model/node.ts';
import type { Expression, Value, ValueMap } from '../model/value.ts';
import type { Shape } from './shape.ts';
import type { Spec } from './spec.ts';
import type { YamlNode } from './yaml-node.ts';
import { parseDuration } from '../expression/duration.ts';
import { parseTemplate } from '../expression/marks.ts';
import { problem } from './context.ts';
import { byKind, list, mapOf, placeOf, quote, shared, toValue, toValueMap, wrongType } from './shape.ts';

const TEXT: Spec = { type: 'text' };
const MARK_START = '${{';

function textOf(node: YamlNode): string | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

/** What a number or boolean was in the text: `1.10`, not 1.1. */
function written(node: YamlNode, text: string): string {
  return node.kind === 'scalar' ? text.slice(node.start, node.end) : '';
}

function quotesHint(node: YamlNode, text: string): string | undefined {
  if (node.kind !== 'scalar' || node.value === null || typeof node.value === 'string') return undefined;
  return `if it is meant as text, write it in quotes: "${written(node, text)}"`;
}

/** Any text; marks may stand in it. */
export const template: Shape<string> = textShape('a text', undefined);

/** A text in which no mark may stand, because it names something or is needed before anything runs. */
export const plainText: Shape<string> = textShape('a text', (text) =>
  text.includes(MARK_START) ? 'a mark ${{ }} cannot stand here' : undefined,
);

function textShape(form: string, check: ((text: string) => string | undefined) | undefined): Shape<string> {
  return {
    form,
    spec: TEXT,
    decode(node, context, label) {
      const text = textOf(node);
      if (text === undefined) return wrongType(node, context, label, form, quotesHint(node, context.text));
      const wrong = check?.(text);
      if (wrong === undefined) return text;
      problem(context, 'SUITE_MARK_NOT_ALLOWED', `${label}: ${wrong}`, placeOf(node));
      return undefined;
    },
  };
}

/** Text as output is compared with: numbers and booleans count as they are written. */
export const outputText: Shape<string> = {
  form: 'a text',
  spec: { type: 'union', of: [TEXT, { type: 'number' }, { type: 'bool' }] },
  decode(node, context, label) {
    const text = textOf(node);
    if (text !== undefined) return text;
    if (node.kind !== 'scalar' || node.value === null) return wrongType(node, context, label, 'a text');
    return written(node, context.text);
  },
};

export const bool: Shape<boolean> = {
  form: 'true or false',
  spec: { type: 'bool' },
  decode(node, context, label) {
    return node.kind === 'scalar' && typeof node.value === 'boolean' ? node.value : wrongType(node, context, label, 'true or false');
  },
};

export function int(min: number, max = Number.MAX_SAFE_INTEGER): Shape<number> {
  const form = min > 0 || max < Number.MAX_SAFE_INTEGER ? intForm(min, max) : 'a whole number';
  return {
    form,
    spec: max === Number.MAX_SAFE_INTEGER ? { type: 'int', min } : { type: 'int', min, max },
    decode(node, context, label) {
      if (node.kind !== 'scalar' || typeof node.value !== 'number') return wrongType(node, context, label, form);
      const isGood = Number.isInteger(node.value) && node.value >= min && node.value <= max;
      return isGood ? node.value : wrongType(node, context, label, form);
    },
  };
}

function intForm(min: number, max: number): string {
  return max === Number.MAX_SAFE_INTEGER ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`;
}

export function numberFrom(min: number): Shape<number> {
  const form = `a number, ${min} or more`;
  return {
    form,
    spec: { type: 'number' },
    decode(node, context, label) {
      const isGood = node.kind === 'scalar' && typeof node.value === 'number' && node.value >= min;
      return isGood ? node.value : wrongType(node, context, label, form);
    },
  };
}

export const DURATION_FORM = 'a duration (a number of seconds, or 500ms, 30s, 1m30s, 2h, 1d)';

/** Milliseconds. `min` is exclusive: 0 for times that must pass, −1 where none is fine. */
function durationShape(min: number): Shape<number> {
  const form = min < 0 ? DURATION_FORM : `${DURATION_FORM}, longer than 0`;
  return {
    form,
    spec: { type: 'union', of: [{ type: 'number' }, { type: 'text', examples: ['500ms', '30s', '1m30s', '2h', '1d'] }] },
    decode(node, context, label) {
      const value = node.kind === 'scalar' ? node.value : null;
      const ms = typeof value === 'number' || typeof value === 'string' ? parseDuration(value) : undefined;
      if (ms !== undefined && ms > min) return ms;
      const hint =
        typeof value === 'string' && value.includes(MARK_START)
          ? 'a mark cannot stand here: durations are read before anything runs'
          : undefined;
      return wrongType(node, context, label, form, hint);
    },
  };
}

export const duration = shared('duration', durationShape(-1));
export const positiveDuration = shared('duration', durationShape(0));

const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*$/u;
const NAME_PATTERN = '^[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}_-]*$';
export const NAME_FORM = 'a name (letters, digits, _ and -, starting with a letter or digit)';
const MAX_NAME = 200;

export function isName(text: string): boolean {
  return text.length <= MAX_NAME && NAME.test(text);
}

/** What is wrong with a name, `undefined` = nothing. */
export function nameProblem(text: string): string | undefined {
  if (isName(text)) return undefined;
  if (text.includes(MARK_START)) return `a mark \${{ }} cannot stand in a name: ${quote(text)}`;
  if (text.length > MAX_NAME) return `the name ${quote(text)} is longer than ${MAX_NAME} characters`;
  return `${quote(text)} is not ${NAME_FORM}`;
}

/** A text that must match; `explain` says why it does not, `hint` how to write it. */
export function patterned(
  form: string,
  pattern: string | undefined,
  explain: (text: string) => string | undefined,
  hint?: (text: string) => string | undefined,
): Shape<string> {
  return {
    form,
    spec: pattern === undefined ? TEXT : { type: 'text', pattern },
    decode(node, context, label) {
      const text = textOf(node);
      if (text === undefined) return wrongType(node, context, label, form, quotesHint(node, context.text));
      const wrong = explain(text);
      if (wrong === undefined) return text;
      problem(context, text.includes(MARK_START) ? 'SUITE_MARK_NOT_ALLOWED' : 'SUITE_BAD_NAME', wrong, placeOf(node), hint?.(text));
      return undefined;
    },
  };
}

export const name: Shape<string> = shared('name', patterned(NAME_FORM, NAME_PATTERN, nameProblem));

/** A name that a hook may give; a text with blanks is meant as a command. */
export const hookName: Shape<string> = patterned(NAME_FORM, NAME_PATTERN, nameProblem, (text) =>
  text.trim().includes(' ') ? 'a text is the name of a command; an inline command is written { cmd: … }' : undefined,
);

const STEP_ID = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*(?:#[0-9]+)?$/u;

function pointShape(form: string, points: readonly string[], bare: boolean): Shape<string> {
  const explain = (text: string): string | undefined => {
    const dot = text.indexOf('.');
    const isGood = dot < 0 ? bare && STEP_ID.test(text) : STEP_ID.test(text.slice(0, dot)) && points.includes(text.slice(dot + 1));
    return isGood ? undefined : `${quote(text)} is not ${form}`;
  };
  return patterned(form, undefined, explain);
}

/** Id of a step, also one made by the engine: `name#2`. */
export const stepId = pointShape('the id of a step', [], true);
export const stepNeed = pointShape(
  'a step to wait for (an id, or id.started, id.verified, id.recovered)',
  ['started', 'verified', 'recovered', 'finished'],
  true,
);
export const timeMark = pointShape(
  'a mark in time (testcase.started, or the id of a step with .started, .verified, .finished or .recovered)',
  ['started', 'verified', 'finished', 'recovered'],
  false,
);

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function envNameProblem(text: string): string | undefined {
  return ENV_NAME.test(text)
    ? undefined
    : `${quote(text)} cannot be the name of an environment variable (letters, digits and _, not starting with a digit)`;
}

export const secretName: Shape<string> = patterned('the name of an environment variable', ENV_NAME.source, envNameProblem);

/** Bare CEL, or one whole mark, which is taken off. */
export const expression: Shape<Expression> = shared('expression', {
  form: 'an expression (CEL)',
  spec: { type: 'union', of: [TEXT, { type: 'bool' }, { type: 'number' }] },
  decode(node, context, label) {
    const text = textOf(node);
    if (text === undefined) {
      if (node.kind === 'scalar' && node.value !== null) return String(node.value);
      return wrongType(node, context, label, 'an expression (CEL)');
    }
    if (!text.includes(MARK_START)) {
      if (text.trim() !== '') return text.trim();
      return wrongType(node, context, label, 'an expression (CEL)');
    }
    const inner = wholeMark(text);
    if (inner !== undefined) return inner;
    const message = `${label} is one expression; no text may stand around its mark \${{ }}`;
    problem(
      context,
      'SUITE_MARK_IN_EXPRESSION',
      message,
      placeOf(node),
      'write the whole condition as CEL, without any mark: a == "b" && c > 1',
    );
    return undefined;
  },
});

/** The inside of a text that is one mark. */
function wholeMark(text: string): string | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith(MARK_START)) return undefined;
  try {
    const [only, ...more] = parseTemplate(trimmed);
    return more.length === 0 && only?.kind === 'mark' ? only.expression.trim() : undefined;
  } catch {
    // A mark that does not end: not one whole mark, which is what the caller reports.
    return undefined;
  }
}

const SELECTOR_FORM = 'a selector (one text, such as pg1, db:!primary or role=db)';

export const selector: Shape<string> = shared('selector', {
  form: SELECTOR_FORM,
  spec: TEXT,
  decode(node, context, label) {
    const text = textOf(node);
    if (text !== undefined && text.trim() !== '') return text.trim();
    const names = node.kind === 'seq' ? node.items.map(textOf).filter((item) => item !== undefined) : [];
    const hint = names.length > 0 ? `write one text: "${names.slice(0, 8).join(',')}"` : undefined;
    return wrongType(node, context, label, SELECTOR_FORM, hint);
  },
});

const PICK_FORM = 'all, one, first, random, minority, majority, or a number of nodes';
const PICKS = ['all', 'one', 'first', 'random', 'minority', 'majority'] as const;

export const pick: Shape<Pick> = shared('pick', {
  form: PICK_FORM,
  spec: {
    type: 'union',
    of: [
      { type: 'words', words: PICKS },
      { type: 'int', min: 1 },
    ],
  },
  decode(node, context, label) {
    const value = node.kind === 'scalar' ? node.value : null;
    if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
    return PICKS.find((word) => word === value) ?? wrongType(node, context, label, PICK_FORM);
  },
});

/** Any value as plain data. `null` is a value, so it is wrapped away from "nothing was decoded" by never being undefined. */
export const anyValue: Shape<Value> = { form: 'any value', spec: { type: 'any' }, decode: toValue };

export const anyMap: Shape<ValueMap> = {
  form: 'a map',
  spec: { type: 'map', of: { type: 'any' } },
  decode(node, context, label) {
    return node.kind === 'map' ? toValueMap(node) : wrongType(node, context, label, 'a map');
  },
};

/** Text, number or boolean; becomes text where it is used. */
export const plainValue: Shape<string | number | boolean> = {
  form: 'a text, a number, true or false',
  spec: { type: 'union', of: [TEXT, { type: 'number' }, { type: 'bool' }] },
  decode(node, context, label) {
    if (node.kind === 'scalar' && node.value !== null) return node.value;
    return wrongType(node, context, label, this.form, node.kind === 'scalar' ? 'write "" for an empty text' : undefined);
  },
};

export const env: Shape<{ [key: string]: Value }> = shared(
  'env',
  mapOf<Value>(plainValue, envNameProblem, 'a map from names of variables to values'),
);

/** Names that expressions use: `inputs.NAME`, `outputs.NAME`, `params.NAME`. */
export function namedMap<T>(item: Shape<T>): Shape<{ [key: string]: T }> {
  return mapOf(item, nameProblem);
}

export const outputs = shared('outputs', namedMap(expression));
export const inputs: Shape<{ [key: string]: Value }> = shared('values', namedMap(anyValue));
export const withInputs = inputs;

const CMD_FORM = 'a shell text, or a list of program and arguments';

/** Shell text, or program and arguments. */
export const cmd: Shape<string | string[]> = shared(
  'cmd',
  byKind(CMD_FORM, {
    scalar: textShape(CMD_FORM, undefined),
    seq: nonEmpty(list(argument(), 'a list of program and arguments'), 'a list of program and arguments'),
  }),
);

function argument(): Shape<string> {
  return {
    form: 'a text',
    spec: { type: 'union', of: [TEXT, { type: 'number' }] },
    decode(node, context, label) {
      if (node.kind === 'scalar' && typeof node.value === 'number') return written(node, context.text);
      return template.decode(node, context, `an argument of ${label}`);
    },
  };
}

export function nonEmpty<T>(shape: Shape<T[]>, form: string): Shape<T[]> {
  return {
    form: shape.form,
    spec: shape.spec,
    decode(node, context, label) {
      if (node.kind === 'seq' && node.items.length === 0) {
        problem(context, 'SUITE_WRONG_TYPE', `${label} must be ${form} with at least one entry; this one is empty`, {
          start: node.start,
          end: node.end,
        });
        return undefined;
      }
      return shape.decode(node, context, label);
    },
  };
}
