import type { FinalizeTestcasesInput, RunInfo } from '../../dsl/model/workflow-io.ts';
import { finalizeTestcases } from '../base/activity-calls.ts';

type Closed = FinalizeTestcasesInput['testcases'][number];

/** Longest batch: its activity must be over well before its timeout, and a lost one is repeated as a whole. */
const BATCH = 50;

/** Has the records of closed testcase attempts written while others run: one call in flight, what gathers meanwhile goes next. */
export interface Finalizer {
  add(closed: Closed): void;
  /**
   * Resolves when every record is written or given up, with the error of the first call that failed. It does not reject: a lost record
   * must not keep the rest of the run's end from happening.
   */
  drained(): Promise<unknown>;
}

export function createFinalizer(run: RunInfo): Finalizer {
  const waiting: Closed[] = [];
  let batches = 0;
  let failure: { readonly error: unknown } | undefined;
  let current: Promise<void> | undefined;
  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const testcases = waiting.splice(0, BATCH);
      batches++;
      try {
        await finalizeTestcases({ run, testcases }, run.queues.host, batches);
      } catch (error) {
        // The others still get their records; the run says at its end that some could not be written.
        failure ??= { error };
      }
    }
    current = undefined;
  };
  return {
    add(closed) {
      waiting.push(closed);
      current ??= work();
    },
    async drained() {
      for (let call = current; call; call = current) await call;
      return failure?.error;
    },
  };
}
