import type { Recovery, Verdict } from '../dsl/model/verdict.ts';

/** Exit codes of suite-language §12. */
export const EXIT = {
  passed: 0,
  failed: 1,
  cancelled: 2,
  engineBug: 3,
  usage: 4,
  nothingSelected: 5,
  recoveryOwed: 10,
  unreachable: 11,
  undecided: 12,
} as const;

const BY_VERDICT: { readonly [verdict in Verdict]: number } = {
  failed: EXIT.failed,
  broken: EXIT.undecided,
  void: EXIT.undecided,
  passed: EXIT.passed,
  skipped: EXIT.passed,
};

/**
 * The only mapping from how a run ended to an exit code. Owed recovery outranks all; a cancel outranks the verdict,
 * because what was not run could have been anything.
 */
export function exitCode(run: { readonly verdict: Verdict; readonly recovery: Recovery; readonly cancelled: boolean }): number {
  if (run.recovery === 'owed') return EXIT.recoveryOwed;
  if (run.cancelled) return EXIT.cancelled;
  return BY_VERDICT[run.verdict];
}
