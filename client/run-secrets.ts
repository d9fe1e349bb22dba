import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseSecretsFile, secretValueProblem } from '../activities/store/secrets-file.ts';
import { usageError } from './cli/cli-error.ts';
import type { CliIo } from './cli/io.ts';

/**
 * Values of a suite's secrets: from the file if it has them, else from the environment of this process. Throws a usage error (exit 4) that
 * names those that are missing or cannot be secrets; it never shows a value.
 */
export function readSecrets(
  names: readonly string[],
  file: string | undefined,
  io: Pick<CliIo, 'cwd' | 'env'>,
): ReadonlyMap<string, string> {
  const written = file === undefined ? new Map<string, string>() : readSecretsFile(resolve(io.cwd, file), file);
  const values = new Map<string, string>();
  const missing: string[] = [];
  const unusable: string[] = [];
  for (const name of names) {
    const value = written.get(name) ?? io.env[name];
    if (value === undefined) {
      missing.push(name);
      continue;
    }
    const problem = secretValueProblem(value);
    if (problem === undefined) values.set(name, value);
    else unusable.push(`${name} ${problem}`);
  }
  if (missing.length > 0) {
    const where = file === undefined ? 'in the environment' : `in ${file} nor in the environment`;
    throw usageError(
      'CLI_SECRET_MISSING',
      `no value for secret${missing.length === 1 ? '' : 's'} ${missing.join(', ')}: ${file === undefined ? 'not' : 'neither'} ${where}`,
      `Export ${missing.length === 1 ? 'it' : 'them'}, or write NAME=VALUE lines into a file and give it by --secrets-file.`,
    );
  }
  if (unusable.length > 0) {
    throw usageError('CLI_SECRET_UNUSABLE', `secret ${unusable.join('; secret ')}`, 'What is no secret belongs into env or params.');
  }
  return values;
}

function readSecretsFile(path: string, shown: string): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const why = error instanceof TypeError ? 'is not UTF-8' : `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`;
    throw usageError('CLI_SECRETS_FILE', `the secrets file ${shown} ${why}`);
  }
  const parsed = parseSecretsFile(text);
  if ('values' in parsed) return parsed.values;
  throw usageError('CLI_SECRETS_FILE', `${shown}:${parsed.line}: ${parsed.problem}`);
}

/**
 * The environment without the secrets: what processes get that outlive this one. Only names that would be passed on at all are left out.
 */
export function withoutSecrets<Io extends Pick<CliIo, 'env'>>(io: Io, names: readonly string[]): Io {
  const hidden = names.filter((name) => /^(?:ONETEAR|OTEL|TEMPORAL|XDG|LC)_/.test(name) && io.env[name] !== undefined);
  if (hidden.length === 0) return io;
  const env = { ...io.env };
  for (const name of hidden) delete env[name];
  return { ...io, env };
}
