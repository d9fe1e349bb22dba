import type { RunType } from '../model/suite.ts';
import type { Value, ValueMap } from '../model/value.ts';
import { ExpandError } from './expand-error.ts';

const TIME_MARK = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*(?:#[0-9]+)?\.(?:started|verified|finished|recovered)$/u;

/**
 * Puts moments in the place of marks in time: `since` of logs, `from` and `until` of prometheus, as seconds since 1970. Other texts stay.
 * Throws ExpandError `TIME_MARK` for a mark that has not come yet.
 */
export function resolveTimePoints(run: RunType, options: ValueMap, marks: ReadonlyMap<string, number> | undefined): ValueMap {
  if (run === 'logs' && options['since'] !== undefined) return { ...options, since: moment(options['since'], 'since', marks) };
  const { range } = options;
  if (run !== 'prometheus' || !isMap(range)) return options;
  const resolved: { [key: string]: Value } = { ...range };
  for (const key of ['from', 'until'] as const) {
    const point = range[key];
    if (point !== undefined) resolved[key] = moment(point, `range.${key}`, marks);
  }
  return { ...options, range: resolved };
}

function moment(point: Value, key: string, marks: ReadonlyMap<string, number> | undefined): Value {
  if (typeof point !== 'string' || !TIME_MARK.test(point)) return point;
  const at = marks?.get(point);
  if (at === undefined) throw new ExpandError('TIME_MARK', `${key}: ${point} has not come`);
  return at / 1_000;
}

function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
