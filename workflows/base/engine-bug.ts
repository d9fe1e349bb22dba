import { ApplicationFailure, rootCause, TemporalFailure } from '@temporalio/workflow';
import { FAILURE } from '../../dsl/model/workflow-io.ts';

/**
 * Mistakes of ours, kept apart from everything a suite can cause. An exception of unknown kind in workflow code would make Temporal
 * retry the workflow task for ever: the run would hang. So mains turn it into this failure after their cleanup.
 */
export function engineBug(error: unknown): ApplicationFailure {
  const known = findEngineBug(error);
  if (known) return known;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return engineBugWith(`engine bug: ${message}`, error);
}

/** The failure with a message that is made already. */
export function engineBugWith(message: string, cause?: unknown): ApplicationFailure {
  return ApplicationFailure.create({
    message,
    type: FAILURE.engineBug,
    nonRetryable: true,
    ...(cause instanceof Error && { cause }),
  });
}

/** The EngineBug failure in a chain of causes. */
export function findEngineBug(error: unknown): ApplicationFailure | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof ApplicationFailure && at.type === FAILURE.engineBug) return at;
  }
  return undefined;
}

/** Errors that a suite can cause: those of rendering and selecting carry a string `code`. */
export function isSuiteError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && !(error instanceof TemporalFailure) && typeof (error as { code?: unknown }).code === 'string';
}

/** The end of an exhaustive switch: the compiler refuses a missing case, a plan of another build is a bug. */
export function impossible(value: never): never {
  throw new Error(`unknown kind: ${JSON.stringify(value)}`);
}

/** One line for people from any failure of an activity or child. */
export function failureLine(error: unknown): string {
  return (rootCause(error) ?? (error instanceof Error ? error.message : String(error))).split('\n', 1)[0] as string;
}
