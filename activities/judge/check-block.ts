import type { Check, MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Expression, ValueMap } from '../../dsl/model/value.ts';
import type { Scan } from './scan-output.ts';
import { shortText, streamChecks, withoutStreamed } from './stream-checks.ts';

/** Output beyond this is not loaded: conditions that need the text are then undecidable. */
export const TEXT_CAP = 64 * 1024 * 1024;

/** What a block is checked against. */
export interface Examined {
  readonly stdout: Scan;
  readonly stderr: Scan;
  readonly exitCode: number | null;
  readonly durationMs: number;
  /** Of a module. */
  readonly outputs: ValueMap;
}

/** How much of each stream must be kept as text for a block and outputs: nothing, when one pass decides all. */
export function keepBytesFor(
  block: MatcherBlock,
  outputs: { readonly [name: string]: Expression },
  keepStdout: boolean,
): { readonly stdout: number; readonly stderr: number } {
  const rest = withoutStreamed(block);
  const expressions = Object.keys(outputs).length > 0 || block.expr !== undefined;
  const own = Object.keys(rest).filter((key) => key !== 'exit_code' && key !== 'duration' && key !== 'stderr' && key !== 'all_equal');
  const errKeys = Object.keys(block.stderr === undefined ? {} : withoutStreamed(block.stderr));
  return {
    stdout: own.length > 0 || expressions ? TEXT_CAP : keepStdout ? 16 * 1024 + 1 : 0,
    stderr: errKeys.length > 0 || expressions ? TEXT_CAP : 0,
  };
}

/** Checks all conditions of a block. `reason`: one line for what is not met, reason first. */
export async function checkBlock(
  block: MatcherBlock,
  examined: Examined,
  scope: ValueMap,
): Promise<{ readonly checks: readonly Check[]; readonly reason: string }> {
  void scope;
  const checks: Check[] = [];
  const code = block.exit_code ?? 0;
  if (code !== 'any') {
    checks.push({
      matcher: 'exit_code',
      expected: JSON.stringify(code),
      actual: String(examined.exitCode),
      ok: typeof code === 'number' ? examined.exitCode === code : 'undecidable',
    });
  }
  checks.push(...streamChecks(block, examined.stdout));
  if (block.stderr !== undefined) checks.push(...streamChecks(block.stderr, examined.stderr, 'stderr'));
  for (const key of Object.keys(withoutStreamed(block))) {
    if (key !== 'exit_code' && key !== 'stderr' && key !== 'all_equal') {
      checks.push({ matcher: key, expected: key, actual: shortText(examined.stdout), ok: 'undecidable' });
    }
  }
  const bad = checks.filter(({ ok }) => ok !== true);
  return { checks, reason: bad.map((check) => `${check.matcher}: expected ${check.expected}, got ${check.actual}`).join('; ') };
}
