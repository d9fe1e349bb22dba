import { isBad, worstVerdict } from '../../dsl/model/verdict.ts';
import type { NodeResult } from '../../dsl/model/result.ts';

/**
 * Runs `call` for every item, at most `maxParallel` at a time, started in order. With `maxParallel` 1 the first bad result is the last:
 * nodes after it are left alone. Results are in the order of the items.
 */
export async function fanOut<T>(items: readonly T[], maxParallel: number, call: (item: T) => Promise<NodeResult>): Promise<NodeResult[]> {
  const results: (NodeResult | undefined)[] = items.map(() => undefined);
  let next = 0;
  let stopped = false;
  const lane = async (): Promise<void> => {
    while (!stopped && next < items.length) {
      const index = next++;
      const result = await call(items[index] as T);
      results[index] = result;
      if (maxParallel === 1 && isBad(result.verdict)) stopped = true;
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.max(1, Math.min(maxParallel, items.length)) }, lane));
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
  return results.filter((result) => result !== undefined);
}

/** Verdict and reason of a step from those of its nodes: the worst, the first of them speaks. */
export function mergeResults(results: readonly NodeResult[]): { verdict: NodeResult['verdict'] | 'skipped'; reason?: string } {
  const verdict = worstVerdict(results.map((result) => result.verdict));
  const worst = results.filter((result) => result.verdict === verdict);
  const [first] = worst;
  if (!first?.reason || !isBad(verdict)) return { verdict };
  const others = worst.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more ${others === 1 ? 'node' : 'nodes'})`;
  return { verdict, reason: results.length === 1 ? first.reason : `${first.node}: ${first.reason}${more}` };
}
