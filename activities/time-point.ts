import { parseDuration } from '../dsl/expression/duration.ts';
import type { Value } from '../dsl/model/value.ts';

/**
 * A moment as a suite writes it, in epoch ms: seconds since 1970 (what a mark in time has become), a time in RFC 3339, or how long ago (`5m`).
 * `undefined` = none of these.
 */
export function readTimePoint(point: Value, nowMs: number): number | undefined {
  if (typeof point === 'number') return point > 0 ? point * 1_000 : undefined;
  if (typeof point !== 'string') return undefined;
  const text = point.trim();
  if (/^\d+(?:\.\d+)?$/u.test(text) && Number(text) > 1e8) return Number(text) * 1_000;
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  if (!/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})$/iu.test(text)) return undefined;
  const at = Date.parse(text.replace(' ', 'T'));
  return Number.isNaN(at) ? undefined : at;
}
