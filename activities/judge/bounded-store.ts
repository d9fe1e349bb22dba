import { ApplicationFailure } from '@temporalio/activity';

import type { NodeResult } from '../../dsl/model/result.ts';
import { stepFailed } from '../attendance.ts';
import { StoreError } from '../store/store-error.ts';

/** A disk that was full for this many attempts, a second apart, is not made free by waiting. */
export const STORE_ATTEMPTS = 10;

/**
 * Does the work. When the store of this host fails, the attempt fails with type `STORE_FAILED` and another follows, on this host or one that can;
 * from the tenth on the step is `broken`, with what `known` tells of it: a step that never ends would say less.
 */
export async function boundedStore<T>(attempt: number, known: Omit<NodeResult, 'verdict' | 'reason'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (attempt < STORE_ATTEMPTS) throw storeFailed(error);
    throw stepFailed({ ...known, verdict: 'broken', reason: error.message }, 'never');
  }
}

/** The failure of one attempt, for the server's retry policy. */
export function storeFailed(error: StoreError): Error {
  return ApplicationFailure.create({ message: error.message, type: error.code, nonRetryable: false, cause: error });
}
