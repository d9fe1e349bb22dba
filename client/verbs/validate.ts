import type { Diagnostic } from '../../dsl/model/diagnostic.ts';
import { EXIT } from '../../report/exit-code.ts';
import type { CliIo } from '../cli/io.ts';
import type { SuiteOptions } from '../cli/options.ts';
import { errorsOf, loadPlan, plural, renderAll, toEventDiagnostic } from '../load-plan.ts';

/** `onetear validate SUITE [--json]`: exit 0 or 4. What `start` would refuse as not supported yet is a warning. */
export async function validate(file: string, options: SuiteOptions & { readonly json?: true }, io: CliIo): Promise<number> {
  const found = await loadPlan(file, options, io, { execute: false, seed: options.seed ?? 0 });
  const loaded = { ...found, diagnostics: [...found.diagnostics, ...(found.plan ? await notRunYet(file, options, io) : [])] };
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

async function notRunYet(file: string, options: SuiteOptions, io: CliIo): Promise<readonly Diagnostic[]> {
  const { diagnostics } = await loadPlan(file, options, io, { execute: true, seed: options.seed ?? 0 });
  return diagnostics.filter(({ code }) => code === 'SUITE_NOT_SUPPORTED').map((each) => ({ ...each, severity: 'warning' }));
}
