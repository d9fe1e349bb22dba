import { CelFault } from './cel-value.ts';

/**
 * What one evaluation may do. Workflow code must not hang: Temporal fails a workflow task whose code does not yield within seconds.
 * Counted, not timed, so that the outcome is the same on every machine and in every replay.
 */
export interface Budget {
  /** Steps of evaluation left. */
  steps: number;
  /** Characters (or list elements × 64) that functions may still read or write. */
  work: number;
}

/** Longest text and largest list that an expression may build. Texts it is given may be longer. */
export const MAX_BUILT_TEXT = 16 * 1_048_576;
export const MAX_BUILT_LIST = 1_000_000;

/** About a second at the most on a slow machine. */
export function newBudget(): Budget {
  return { steps: 1_000_000, work: 512 * 1_048_576 };
}

/** Takes `amount` characters of work. */
export function spend(budget: Budget, amount: number): void {
  budget.work -= amount;
  if (budget.work < 0) throw new CelFault('limit', 'the expression is too much work', 'narrow the text down in the command itself');
}

/** Refuses a text that grew too long. */
export function checkBuilt(budget: Budget, length: number): void {
  if (length > MAX_BUILT_TEXT)
    throw new CelFault('limit', `the expression builds a text of ${length} characters, at most ${MAX_BUILT_TEXT} are allowed`);
  spend(budget, length);
}

/** Refuses a list that grew too long. */
export function checkBuiltList(budget: Budget, length: number): void {
  if (length > MAX_BUILT_LIST)
    throw new CelFault('limit', `the expression builds a list of ${length}, at most ${MAX_BUILT_LIST} are allowed`);
  spend(budget, length * 64);
}
