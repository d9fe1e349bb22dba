import { Buffer } from 'node:buffer';

import type { Result } from '../../dsl/model/command.ts';
import type { ValueMap } from '../../dsl/model/value.ts';

/** What came back from a module's process. `mistake`: the file itself is wrong, so nothing was executed. */
export type ModuleAnswer = { readonly result: Partial<Result> } | { readonly error: string; readonly mistake?: string };

/** More than this is no result but a mistake. */
export const RESULT_LIMIT = 64 * 1024 * 1024;

/** Reads the host's answer. A result of the wrong shape is the module's error, as an exception is. */
export function readModuleAnswer(text: string): ModuleAnswer {
  if (Buffer.byteLength(text) > RESULT_LIMIT) return { error: 'the result of the module is larger than 64 MiB' };
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return { error: 'the result of the module is not JSON' };
    throw error;
  }
  if (!isMap(answer)) return { error: 'the result of the module is not a map' };
  const { error, mistake } = answer;
  if (typeof error === 'string') return typeof mistake === 'string' ? { error, mistake } : { error };
  const { result } = answer;
  if (!isMap(result)) return { error: `execute() must return a Result or nothing, not ${JSON.stringify(result)}` };
  const { exit_code: exitCode, stdout, stderr, outputs, ...rest } = result;
  const unknown = Object.keys(rest);
  if (unknown.length > 0) {
    return { error: `execute() returned unknown keys: ${unknown.join(', ')}; a Result has exit_code, stdout, stderr, outputs` };
  }
  if (exitCode !== undefined && !(typeof exitCode === 'number' && Number.isInteger(exitCode))) {
    return { error: `exit_code of the Result must be a whole number, not ${JSON.stringify(exitCode)}` };
  }
  for (const [name, value] of Object.entries({ stdout, stderr })) {
    if (value !== undefined && typeof value !== 'string')
      return { error: `${name} of the Result must be text, not ${JSON.stringify(value)}` };
  }
  if (outputs !== undefined && !isMap(outputs)) return { error: `outputs of the Result must be a map, not ${JSON.stringify(outputs)}` };
  return {
    result: {
      ...(exitCode === undefined ? {} : { exit_code: exitCode }),
      ...(stdout === undefined ? {} : { stdout: stdout as string }),
      ...(stderr === undefined ? {} : { stderr: stderr as string }),
      ...(outputs === undefined ? {} : { outputs: outputs as ValueMap }),
    },
  };
}

function isMap(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
