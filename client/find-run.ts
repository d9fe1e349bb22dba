import { usageError } from './cli/cli-error.ts';

/**
 * The one run that `text` names among `runs` (newest first): a run id, a unique prefix of one, or `last`. Throws a usage
 * error that says what there is instead.
 */
export function findRun(text: string, runs: readonly string[]): string {
  if (text === 'last') {
    const newest = runs[0];
    if (newest === undefined)
      throw usageError('CLI_NO_RUNS', 'there is no run yet in this $ONETEAR_HOME', 'Start one: onetear start suite.yaml');
    return newest;
  }
  if (runs.includes(text)) return text;
  const matches = text === '' ? [] : runs.filter((run) => run.startsWith(text));
  const [only, ...others] = matches;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    throw usageError(
      'CLI_AMBIGUOUS_RUN',
      `${text} is the beginning of ${matches.length} runs`,
      `Say which: ${matches.slice(0, 5).join(', ')}`,
    );
  }
  const known = runs.length === 0 ? 'There is no run yet in this $ONETEAR_HOME.' : `Known, newest first: ${runs.slice(0, 5).join(', ')}`;
  throw usageError('CLI_UNKNOWN_RUN', `no run ${text}`, known);
}
