import { evaluateExpression, ExpressionError, namesIn } from '../../dsl/expression/cel.ts';
import { resultValues } from '../../dsl/expression/match.ts';
import type { Expression, Value, ValueMap } from '../../dsl/model/value.ts';
import { type Examined, sampleOf } from './check-block.ts';

/** Outputs of a step together, as JSON. */
const OUTPUTS_LIMIT = 16 * 1024;

/**
 * Values of a command's `outputs`, over `stdout stderr exit_code json duration` and the names in scope; `own` are those that a module named itself.
 * A value that cannot be computed is a problem of the step, with the output's name.
 */
export function evaluateOutputs(
  expressions: { readonly [name: string]: Expression },
  scope: ValueMap,
  examined: Examined,
  own: ValueMap = {},
): { readonly outputs: ValueMap } | { readonly problem: string } {
  const outputs: { [name: string]: Value } = { ...own };
  for (const [name, expression] of Object.entries(expressions)) {
    try {
      const names = namesIn(expression);
      if (examined.stdout.cut && (names.has('stdout') || names.has('json'))) {
        return { problem: `outputs.${name}: stdout has ${examined.stdout.bytes} bytes, more than an expression may read` };
      }
      outputs[name] = evaluateExpression(expression, { values: { ...scope, ...resultValues(expression, sampleOf(examined)) } });
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      return { problem: `outputs.${name}: ${error.problem.message}` };
    }
  }
  const size = Buffer.byteLength(JSON.stringify(outputs));
  if (size > OUTPUTS_LIMIT) return { problem: `the outputs take ${size} bytes together, more than 16 KiB` };
  return { outputs };
}
