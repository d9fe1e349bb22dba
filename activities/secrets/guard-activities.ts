import type { Activities, RunInfo } from '../../dsl/model/workflow-io.ts';
import type { ActivityDeps } from '../deps.ts';
import type { Masker } from './masker.ts';
import { secretsOf } from './run-secrets.ts';

/**
 * The last gate before histories: everything an activity returns or throws is masked, whatever the activity itself has masked already.
 * Runs without secrets pass untouched.
 */
export function guardActivities(deps: ActivityDeps, activities: Activities): Activities {
  const guarded = Object.entries(activities).map(([name, activity]) => {
    const run = activity as (input: unknown) => Promise<unknown>;
    return [name, (input: unknown) => guard(deps, input, run)] as const;
  });
  return Object.fromEntries(guarded) as unknown as Activities;
}

async function guard(deps: ActivityDeps, input: unknown, activity: (input: unknown) => Promise<unknown>): Promise<unknown> {
  const secrets = await secretsOf(deps, runOf(input));
  if (secrets === undefined) return activity(input);
  try {
    return secrets.masker.value(await activity(input));
  } catch (error) {
    throw maskError(error, secrets.masker);
  }
}

function runOf(input: unknown): Pick<RunInfo, 'run' | 'secrets'> {
  const run = typeof input === 'object' && input !== null && 'run' in input ? input.run : undefined;
  return typeof run === 'object' && run !== null && 'run' in run ? (run as RunInfo) : { run: '' };
}

/** The same error with its texts masked, its class kept: the server is told by class and type. */
export function maskError(error: unknown, masker: Masker, depth = 0): unknown {
  if (typeof error === 'string') return masker.message(error);
  if (!(error instanceof Error) || depth > 10) return error;
  const masked: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(error)) {
    if (name !== 'cause' && name !== 'failure') masked[name] = masker.value(value);
  }
  masked['message'] = masker.message(error.message);
  if (error.stack !== undefined) masked['stack'] = masker.message(error.stack);
  if (error.cause !== undefined) masked['cause'] = maskError(error.cause, masker, depth + 1);
  for (const [name, value] of Object.entries(masked)) {
    if (value === (error as unknown as { readonly [key: string]: unknown })[name]) continue;
    const enumerable = Object.getOwnPropertyDescriptor(error, name)?.enumerable ?? false;
    Object.defineProperty(error, name, { value, enumerable, configurable: true, writable: true });
  }
  return error;
}
