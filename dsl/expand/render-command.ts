import type { Scope } from '../expression/cel.ts';
import { parseDuration } from '../expression/duration.ts';
import { renderText, renderValue } from '../expression/marks.ts';
import { renderSecretText, renderSecretValue } from '../expression/secret-text.ts';
import { renderShell, secretsIn } from '../expression/shell.ts';
import { renderSql, sqlDialect } from '../expression/sql.ts';
import type { MatcherBlock, ValueCondition } from '../model/matcher.ts';
import type { CommandSpec } from '../model/plan.ts';
import type { EnvTemplates } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import type { RenderedCommand, SecretText } from '../model/workflow-io.ts';
import { ExpandError } from './expand-error.ts';

/** A command rendered for one node, with the scope its `expect` and `outputs` are to be evaluated in. */
export interface Rendering {
  readonly command: RenderedCommand;
  /** The given scope with this command's `inputs` and `env`. */
  readonly scope: Scope;
}

/**
 * Fills in every mark of a command for one node. `inputs` are rendered first, in the step's scope, and keep their types; then `env`; then the rest.
 * `extra` (see engineEnv) wins over the suite's own variables.
 * Throws ExpressionError or ExpandError (both carry `code`): the step is then `broken` with the message.
 */
export function renderCommand(spec: CommandSpec, scope: Scope, extra: { readonly [name: string]: string } = {}): RenderedCommand {
  return renderCommandIn(spec, scope, extra).command;
}

/** As renderCommand, and gives the scope that `expect` (renderMatchers) and `outputs` (scopeFor) of the same command need. */
export function renderCommandIn(spec: CommandSpec, scope: Scope, extra: { readonly [name: string]: string } = {}): Rendering {
  const inputs = renderMap(spec.inputs, scope);
  const inputScope: Scope = { ...scope, values: { ...scope.values, inputs } };
  const secretTexts: SecretText[] = [];
  const { plain, secret } = splitEnv(spec.env);
  const env = { ...renderEnv(plain, inputScope), ...extra };
  // A variable that holds a secret cannot be read in expressions: its value is known on the worker alone.
  const inner: Scope = { ...inputScope, values: { ...inputScope.values, env } };
  const text = (template: string): string => renderText(template, inner);
  const secretEnv: { [name: string]: string } = {};
  for (const [name, template] of secret) {
    if (!Object.hasOwn(extra, name)) secretEnv[name] = renderSecretText(template, inputScope, ['env', name], secretTexts);
  }
  const command: RenderedCommand = {
    run: spec.run,
    ...(spec.cmd !== undefined && { cmd: typeof spec.cmd === 'string' ? renderShell(spec.cmd, inner) : renderArguments(spec.cmd, inner) }),
    ...(spec.file !== undefined && { file: text(spec.file) }),
    options: renderOptions(spec, inner, secretTexts),
    env: { ...env, ...secretEnv },
    ...(spec.cwd !== undefined && { cwd: text(spec.cwd) }),
    ...(spec.stdin !== undefined && { stdin: renderSecretText(spec.stdin, inner, ['stdin'], secretTexts) }),
    shell: spec.shell,
    ...(spec.user !== undefined && { user: text(spec.user) }),
    sudo: spec.sudo,
    secrets: typeof spec.cmd === 'string' ? secretsIn(spec.cmd) : [],
    ...(secretTexts.length > 0 && { secretTexts }),
  };
  return { command, scope: inner };
}

/** The variables that the engine sets for every command. `ONETEAR_TRY` is set by the activity, which alone knows the try. */
export function engineEnv(names: { run: string; testcase: string; step: string; node: string }): { readonly [name: string]: string } {
  return { ONETEAR_RUN: names.run, ONETEAR_TESTCASE: names.testcase, ONETEAR_STEP: names.step, ONETEAR_NODE: names.node };
}

/** Variables whose text names a secret, and all others. */
function splitEnv(env: EnvTemplates): { readonly plain: EnvTemplates; readonly secret: readonly (readonly [string, string])[] } {
  const secret = Object.entries(env).flatMap(([name, template]) =>
    typeof template === 'string' && secretsIn(template).length > 0 ? [[name, template] as const] : [],
  );
  if (secret.length === 0) return { plain: env, secret };
  const plain = { ...env };
  for (const [name] of secret) delete plain[name];
  return { plain, secret };
}

/**
 * Environment as text: marks rendered, numbers and booleans as written, `null` as the empty text. Maps and lists are BAD_VALUE,
 * a text with a secret SECRET_VALUE.
 */
export function renderEnv(env: EnvTemplates, scope: Scope): { readonly [name: string]: string } {
  const rendered: { [name: string]: string } = {};
  for (const [name, template] of Object.entries(env)) {
    if (typeof template === 'string') {
      if (secretsIn(template).length > 0) throw new ExpandError('SECRET_VALUE', `env ${name} holds a secret, which no expression can read`);
      rendered[name] = renderText(template, scope);
    } else if (typeof template === 'number' || typeof template === 'boolean') rendered[name] = String(template);
    else if (template === null) rendered[name] = '';
    else throw new ExpandError('BAD_VALUE', `env ${name}: a list or map cannot be an environment variable; use toJSON()`);
  }
  return rendered;
}

/**
 * Fills in the marks of a matcher block; `expr` stays as it is, because the activity evaluates it over the result.
 * In `matches` a mark is inserted as it is: it is part of the regular expression.
 */
export function renderMatchers(block: MatcherBlock, scope: Scope): MatcherBlock {
  const rendered: { [key: string]: unknown } = {};
  for (const [key, value] of Object.entries(block)) {
    switch (key) {
      case 'expr':
        rendered[key] = value;
        break;
      case 'matches':
      case 'not_matches':
        rendered[key] = (value as readonly string[]).map((pattern) => renderText(pattern, scope));
        break;
      case 'equals':
        rendered[key] = renderText(value as string, scope);
        break;
      case 'stderr':
        rendered[key] = renderMatchers(value as MatcherBlock, scope);
        break;
      case 'duration':
        rendered[key] = toSeconds(renderValue(value as Value, scope));
        break;
      default:
        rendered[key] = renderValue(value as Value, scope);
    }
  }
  return rendered;
}

/** Options keep their types. Marks of a `query` of sql do not become text: the statement gets placeholders, and `params` the values. */
function renderOptions({ run, options }: Pick<CommandSpec, 'run' | 'options'>, scope: Scope, secretTexts: SecretText[]): ValueMap {
  const map = (values: ValueMap): ValueMap => renderSecretValue(values, scope, ['options'], secretTexts) as ValueMap;
  const { query, ...rest } = options;
  if (run !== 'sql' || typeof query !== 'string') return map(options);
  const rendered = map(rest);
  const dsn = rendered['dsn'];
  const { text, params } = renderSql(query, scope, (typeof dsn === 'string' ? sqlDialect(dsn) : undefined) ?? 'postgres');
  return { ...rendered, query: text, params };
}

function renderArguments(cmd: readonly string[], scope: Scope): readonly string[] {
  return cmd.map((argument) => {
    const [secret] = secretsIn(argument);
    // An argument is visible to every user of the node in its process list.
    if (secret !== undefined)
      throw new ExpandError('SECRET_IN_LIST', `secrets.${secret} cannot stand in a list-form cmd: use the text form`);
    return renderText(argument, scope);
  });
}

function renderMap(map: ValueMap, scope: Scope): ValueMap {
  const rendered: { [key: string]: Value } = {};
  for (const [key, value] of Object.entries(map)) rendered[key] = renderValue(value, scope);
  return rendered;
}

/** A duration that a mark yielded as text (`20s`) becomes seconds, as the parser does for written ones. */
function toSeconds(condition: ValueCondition): ValueCondition {
  if (typeof condition === 'string') {
    const ms = parseDuration(condition);
    return ms === undefined ? condition : ms / 1_000;
  }
  if (Array.isArray(condition)) return condition.map((item) => toSeconds(item as ValueCondition)) as Value;
  if (typeof condition === 'object' && condition !== null) {
    return Object.fromEntries(Object.entries(condition).map(([key, value]) => [key, toSeconds(value as ValueCondition)])) as ValueCondition;
  }
  return condition;
}
