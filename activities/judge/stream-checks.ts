import { checkLines } from '../../dsl/expression/text-matchers.ts';
import { describeCondition } from '../../dsl/expression/value-matcher.ts';
import type { Check, MatcherBlock } from '../../dsl/model/matcher.ts';
import type { Scan } from './scan-output.ts';

/** The conditions of a block that look at one stream. */
export type StreamBlock = Omit<MatcherBlock, 'exit_code' | 'stderr'>;

/** Keys that one pass over a stream decides, however long it is. */
const STREAMED = ['contains', 'not_contains', 'empty', 'lines'] as const;

/** Texts that a block looks for, to be given to the scan. */
export function needlesOf(block: StreamBlock | undefined): readonly string[] {
  return [...(block?.contains ?? []), ...(block?.not_contains ?? [])].map(needleText);
}

/** A number is looked for as text. */
function needleText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The block without the keys that `streamChecks` decides. */
export function withoutStreamed<B extends StreamBlock>(block: B): B {
  const rest = { ...block } as { [key: string]: unknown };
  for (const key of STREAMED) delete rest[key];
  return rest as B;
}

/** Decides `contains`, `not_contains`, `empty` and `lines` from a scan. `path` is `stderr` for that stream. */
export function streamChecks(block: StreamBlock, scan: Scan, path?: 'stderr'): readonly Check[] {
  const at = path === undefined ? {} : { path };
  const actual = shortText(scan);
  const checks: Check[] = [];
  for (const value of block.contains ?? []) {
    const text = needleText(value);
    const ok = scan.found.has(text) ? true : scan.over ? 'undecidable' : false;
    checks.push({ matcher: 'contains', ...at, expected: JSON.stringify(text), actual, ok });
  }
  for (const value of block.not_contains ?? []) {
    const text = needleText(value);
    const ok = scan.found.has(text) ? false : scan.over ? 'undecidable' : true;
    checks.push({ matcher: 'not_contains', ...at, expected: JSON.stringify(text), actual, ok });
  }
  if (block.empty !== undefined) {
    const ok = scan.over && scan.blank ? 'undecidable' : scan.blank === block.empty;
    checks.push({ matcher: 'empty', ...at, expected: block.empty ? 'empty' : 'not empty', actual, ok });
  }
  if (block.lines !== undefined) {
    const [lines, ok] = checkLines(scan.lines, scan.over, block.lines);
    checks.push({ matcher: 'lines', ...at, expected: describeCondition(block.lines), actual: lines, ok });
  }
  return checks;
}

/** A stream in a few words, for `actual`. */
export function shortText(scan: Scan): string {
  if (scan.bytes === 0) return 'empty';
  const text = scan.excerpt.length > 300 ? `${scan.excerpt.slice(0, 300)}…` : scan.excerpt;
  return scan.truncated ? `${scan.bytes} bytes: ${JSON.stringify(text)}` : JSON.stringify(text);
}
