import { listPlan, listText } from '../../dsl/compile/list-plan.ts';
import { EXIT } from '../../report/exit-code.ts';
import { nothingSelected } from '../cli/cli-error.ts';
import type { CliIo } from '../cli/io.ts';
import type { SuiteOptions } from '../cli/options.ts';
import { loadValidPlan } from '../load-plan.ts';

/** `onetear list SUITE [--json]`: what would run, one line per matrix cell. An empty list is exit 5, as `start` would end. */
export async function list(file: string, options: SuiteOptions & { readonly json?: true }, io: CliIo): Promise<number> {
  const { plan } = await loadValidPlan(file, options, io, { execute: false, seed: options.seed ?? 0 });
  const document = listPlan(plan);
  if (options.json) io.out(`${JSON.stringify(document, null, 2)}\n`);
  else if (plan.cells.length > 0) io.out(`${listText(document)}\n`);
  if (plan.cells.length > 0) return EXIT.passed;
  if (!options.json) throw nothingSelected(file);
  return EXIT.nothingSelected;
}
