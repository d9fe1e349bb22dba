/** suite-language §12. Decided where the outcome is born, never from message text. */
export type Verdict = 'failed' | 'broken' | 'void' | 'passed' | 'skipped';

/** Whether every injected fault of a run is confirmed undone. */
export type Recovery = 'clean' | 'owed';

/** Worst first: of several causes the first one here counts. */
export const VERDICTS: readonly Verdict[] = ['failed', 'broken', 'void', 'passed', 'skipped'];

/** The worst of the given verdicts; `skipped` when there are none. */
export function worstVerdict(verdicts: Iterable<Verdict>): Verdict {
  let worst = VERDICTS.length - 1;
  for (const verdict of verdicts) worst = Math.min(worst, VERDICTS.indexOf(verdict));
  return VERDICTS[worst] as Verdict;
}

/** True for the verdicts that stop what comes after and make `fail_fast` act. */
export function isBad(verdict: Verdict): boolean {
  return verdict === 'failed' || verdict === 'broken' || verdict === 'void';
}
