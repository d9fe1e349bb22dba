import type { Value } from '../model/value.ts';
import type { SecretPart, SecretText } from '../model/workflow-io.ts';
import type { Scope } from './cel.ts';
import { hasMarks, markText, parseTemplate, renderTemplate, renderValue } from './marks.ts';
import { secretName, secretsIn, secretVariable } from './shell.ts';

/** What stands for the value of a secret wherever people or histories may see it. */
export function secretMask(name: string): string {
  return `***${name}***`;
}

/**
 * Renders a text that may hold secrets, as whole marks in it. Returns the text with masks; what it is made of is added to `found` under `path`.
 * Throws an ExpressionError.
 */
export function renderSecretText(text: string, scope: Scope, path: readonly string[], found: SecretText[]): string {
  if (!hasMarks(text)) return text;
  const parts: SecretPart[] = [];
  for (const part of parseTemplate(text)) {
    const secret = part.kind === 'mark' ? secretName(part.expression) : undefined;
    if (secret !== undefined) parts.push({ secret });
    else parts.push(part.kind === 'text' ? part.text : markText(part.expression, scope));
  }
  if (parts.some((part) => typeof part !== 'string')) found.push({ path, parts });
  return parts.map((part) => (typeof part === 'string' ? part : secretMask(part.secret))).join('');
}

/** As renderSecretText for every text inside a value; texts without secrets keep the type of their one mark. */
export function renderSecretValue(value: Value, scope: Scope, path: readonly string[], found: SecretText[]): Value {
  if (typeof value === 'string') {
    return secretsIn(value).length > 0 ? renderSecretText(value, scope, path, found) : renderTemplate(value, scope);
  }
  if (value === null || typeof value !== 'object' || !holdsSecret(value)) return renderValue(value, scope);
  if (Array.isArray(value)) return value.map((item: Value, index) => renderSecretValue(item, scope, [...path, String(index)], found));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderSecretValue(item, scope, [...path, key], found)]));
}

function holdsSecret(value: Value): boolean {
  if (typeof value === 'string') return secretsIn(value).length > 0;
  if (value === null || typeof value !== 'object') return false;
  return Object.values(value).some((item: Value) => holdsSecret(item));
}

/** The parts as words for a shell, with secrets as references to `ONETEAR_SECRET_<name>`: for texts that a person pastes. */
export function secretShellText(parts: readonly SecretPart[]): string {
  return parts
    .map((part) => (typeof part === 'string' ? `'${part.replaceAll("'", String.raw`'\''`)}'` : `"\${${secretVariable(part.secret)}}"`))
    .join('');
}
