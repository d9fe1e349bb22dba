import { evaluateExpression, ExpressionError, namesIn } from '../../dsl/expression/cel.ts';
import type { Expression, Value, ValueMap } from '../../dsl/model/value.ts';
import type { Execution } from '../run-types.ts';
import type { Scan } from './scan-output.ts';

/** Outputs of a step together, as JSON. */
const OUTPUTS_LIMIT = 16 * 1024;

/**
 * Values of a command's `outputs`, over `stdout stderr exit_code json duration` and the names in scope; a module's own outputs come first.
 * A value that cannot be computed is a problem of the step, with the expression's name.
 */
export function evaluateOutputs(
  rules: { readonly outputs: { readonly [name: string]: Expression }; readonly scope: ValueMap },
  execution: Execution & { readonly kind: 'ended' },
  streams: { readonly stdout: Scan; readonly stderr: Scan },
): { readonly outputs: ValueMap } | { readonly problem: string } {
  const outputs: { [name: string]: Value } = { ...execution.outputs };
  for (const [name, expression] of Object.entries(rules.outputs)) {
    const names = namesIn(expression);
    if (streams.stdout.cut && (names.has('stdout') || names.has('json'))) {
      return { problem: `outputs.${name}: stdout has ${streams.stdout.bytes} bytes, more than an expression may read` };
    }
    const values: { [name: string]: Value } = {
      ...rules.scope,
      stdout: streams.stdout.text,
      stderr: streams.stderr.text,
      exit_code: execution.exitCode,
      duration: execution.durationMs / 1_000,
    };
    if (names.has('json')) {
      const parsed = parseJson(streams.stdout.text);
      if (parsed === undefined) return { problem: `outputs.${name}: stdout is not JSON` };
      values['json'] = parsed.value;
    }
    try {
      outputs[name] = evaluateExpression(expression, { values });
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      return { problem: `outputs.${name}: ${error.message}` };
    }
  }
  const size = Buffer.byteLength(JSON.stringify(outputs));
  if (size > OUTPUTS_LIMIT) return { problem: `the outputs take ${size} bytes together, more than 16 KiB` };
  return { outputs };
}

/** The parsed value, wrapped because `null` is JSON too; `undefined` when the text is not JSON. */
export function parseJson(text: string): { readonly value: Value } | undefined {
  try {
    return { value: JSON.parse(text) as Value };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
