import { EXIT } from '../../report/exit-code.ts';
import type { CliIo } from '../cli/io.ts';
import type { SuiteOptions } from '../cli/options.ts';
import { errorsOf, loadPlan, plural, renderAll, toEventDiagnostic } from '../load-plan.ts';

/** `onetear validate SUITE [--json]`: exit 0 or 4. Whether this version can run it is `start`'s question. */
export async function validate(file: string, options: SuiteOptions & { readonly json?: true }, io: CliIo): Promise<number> {
  const loaded = await loadPlan(file, options, io, { execute: false, seed: options.seed ?? 0 });
  const valid = errorsOf(loaded.diagnostics).length === 0;
  if (options.json) {
    io.out(`${JSON.stringify({ v: 1, valid, diagnostics: loaded.diagnostics.map(toEventDiagnostic) }, null, 2)}\n`);
  } else if (loaded.diagnostics.length > 0) {
    io.err(`${renderAll(loaded)}\n`);
  }
  if (valid && !options.json) {
    const testcases = plural(loaded.suite?.testcases.length ?? 0, 'testcase');
    io.out(`${file} is valid: ${testcases}, ${plural(loaded.plan?.cells.length ?? 0, 'cell')}\n`);
  }
  return valid ? EXIT.passed : EXIT.usage;
}
