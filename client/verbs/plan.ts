import { describePlan, planText } from '../../dsl/compile/describe-plan.ts';
import { explainName, explainText } from '../../dsl/compile/explain-name.ts';
import { EXIT } from '../../report/exit-code.ts';
import { nothingSelected, usageError } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import { pairsToMap, type SuiteOptions } from '../cli/options.ts';
import { drawSeed, loadValidPlan } from '../load-plan.ts';

/** `onetear plan SUITE [--explain NAME] [--json]`: what would run, with defaults filled in; nothing is changed. */
export async function plan(
  file: string,
  options: SuiteOptions & { readonly json?: true; readonly explain?: string },
  io: CliIo,
): Promise<number> {
  const loaded = await loadValidPlan(file, options, io, { execute: false, seed: options.seed ?? drawSeed() });
  if (options.explain !== undefined) return explain(options.explain, loaded, options, io);
  const document = describePlan(loaded.plan, loaded.diagnostics);
  if (loaded.plan.cells.length === 0 && !options.json) throw nothingSelected(file);
  io.out(`${options.json ? JSON.stringify(document, null, 2) : planText(document)}\n`);
  return loaded.plan.cells.length === 0 ? EXIT.nothingSelected : EXIT.passed;
}

function explain(
  name: string,
  { plan, suite }: Awaited<ReturnType<typeof loadValidPlan>>,
  options: SuiteOptions & { readonly json?: true },
  io: CliIo,
): number {
  if (!suite) throw new Error('a valid plan comes from a suite');
  const document = explainName(plan, suite, name, pairsToMap(options.param));
  if (document.explanations.length === 0) throw usageError('CLI_UNKNOWN_NAME', `nothing sets a variable or param named ${name}`);
  io.out(`${options.json ? JSON.stringify(document, null, 2) : explainText(document)}\n`);
  return EXIT.passed;
}
