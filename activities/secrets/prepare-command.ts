import { secretVariable } from '../../dsl/expression/shell.ts';
import type { RenderedCommand, RunInfo, SecretPart, SecretText } from '../../dsl/model/workflow-io.ts';
import type { ActivityDeps } from '../deps.ts';
import type { Masker } from './masker.ts';
import { secretsOf } from './run-secrets.ts';
import { WITHHELD } from './withheld.ts';

/** A command with the values of its secrets in place, and what masks them in all that is told of it. */
export type PreparedCommand =
  | { readonly command: RenderedCommand; readonly masker: Masker | undefined; readonly problem?: undefined }
  | { readonly command: RenderedCommand; readonly masker: Masker | undefined; readonly problem: string };

/**
 * Fills in the secrets of a command: those of its shell text become environment variables. The result is for this process alone.
 *
 * A secret of the suite that is not known here is a problem even when this command does not use it: it could not be masked in the output.
 * `atAnyPrice` (an undo): a command that does not use it runs all the same, and its output is withheld as a whole.
 */
export async function prepareCommand(
  deps: ActivityDeps,
  run: RunInfo,
  command: RenderedCommand,
  atAnyPrice = false,
): Promise<PreparedCommand> {
  const secrets = await secretsOf(deps, run);
  const texts = command.secretTexts ?? [];
  const used = [
    ...command.secrets,
    ...texts.flatMap(({ parts }) => parts.flatMap((part) => (typeof part === 'string' ? [] : [part.secret]))),
  ];
  if (secrets === undefined) {
    if (used.length === 0) return { command, masker: undefined };
    return { command, masker: undefined, problem: `secret ${used[0] as string} is not listed under secrets: of the suite` };
  }
  const { values, missing } = secrets;
  if (missing.size > 0) {
    const [name, why] = [...missing].find(([each]) => used.includes(each)) ?? [...missing][0] ?? ['', ''];
    if (!atAnyPrice || used.some((each) => missing.has(each))) {
      return { command, masker: secrets.masker, problem: `secret ${name} is not known on this worker: ${why}` };
    }
  }
  const masker = missing.size > 0 ? WITHHELD : secrets.masker;
  if (used.length === 0) return { command, masker };
  const textOf = (part: SecretPart): string => (typeof part === 'string' ? part : (values.get(part.secret) ?? ''));
  let filled = command;
  for (const { path, parts } of texts) filled = replaceAt(filled, path, parts.map(textOf).join('')) as RenderedCommand;
  const variables = Object.fromEntries(command.secrets.map((name) => [secretVariable(name), values.get(name) ?? '']));
  return { command: { ...filled, env: { ...filled.env, ...variables } }, masker };
}

/** A copy of a value with the text at `path` replaced. */
function replaceAt(value: unknown, path: SecretText['path'], text: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return text;
  if (Array.isArray(value)) return value.map((item: unknown, index) => (String(index) === key ? replaceAt(item, rest, text) : item));
  if (typeof value !== 'object' || value === null) throw new Error(`a command has no place ${path.join('.')}`);
  return { ...value, [key]: replaceAt((value as { readonly [name: string]: unknown })[key], rest, text) };
}

/** True when values of secrets are handed over to the node with the command. */
export function carriesSecrets(command: RenderedCommand): boolean {
  return command.secrets.length > 0 || command.secretTexts !== undefined;
}
