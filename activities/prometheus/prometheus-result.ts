import type { ValueMap } from '../../dsl/model/value.ts';

/** What Prometheus answered, as text and as rows. */
export type PrometheusResult =
  | { readonly text: string; readonly rows: readonly ValueMap[]; readonly warnings: readonly string[] }
  | { readonly error: string };

interface Series {
  readonly metric?: { readonly [label: string]: string };
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** Reads an answer of `/api/v1/query` or `/query_range`. */
export function readResult(text: string): PrometheusResult {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return { error: `the answer is not JSON: ${JSON.stringify(text.slice(0, 200))}` };
  }
  if (!isMap(answer)) return { error: 'the answer is not that of Prometheus' };
  if (answer['status'] !== 'success')
    return { error: `${textOf(answer['errorType'], 'error')}: ${textOf(answer['error'], 'no reason given')}` };
  const data = answer['data'];
  if (!isMap(data)) return { error: 'the answer has no data' };
  const warnings = Array.isArray(answer['warnings']) ? answer['warnings'].map(String) : [];
  const { resultType, result } = data;
  switch (resultType) {
    case 'scalar':
    case 'string': {
      const [time, value] = result as readonly [number, string];
      return { text: `${value}\n`, rows: [rowOf({}, time, value)], warnings };
    }
    case 'vector': {
      const series = (result as readonly Series[]).filter((each) => each.value !== undefined);
      const lines = series.map(({ metric = {}, value }) => (series.length === 1 ? String(value?.[1]) : `${value?.[1]} ${nameOf(metric)}`));
      const rows = series.map(({ metric = {}, value = [0, ''] }) => rowOf(metric, value[0], value[1]));
      return { text: lines.map((line) => `${line}\n`).join(''), rows, warnings };
    }
    case 'matrix': {
      const points = (result as readonly Series[]).flatMap(({ metric = {}, values = [] }) =>
        values.map(([time, value]) => ({ metric, time, value })),
      );
      const lines = points.map(({ metric, time, value }) => `${time} ${value} ${nameOf(metric)}`);
      return {
        text: lines.map((line) => `${line}\n`).join(''),
        rows: points.map(({ metric, time, value }) => rowOf(metric, time, value)),
        warnings,
      };
    }
    default:
      return { error: `results of type ${String(resultType)} are not known` };
  }
}

/** `value` and `time` win over labels of these names. NaN and infinities stay text: JSON has none. */
function rowOf(metric: { readonly [label: string]: string }, time: number, value: string): ValueMap {
  const number = Number(value);
  return { ...metric, value: Number.isFinite(number) && value !== '' ? number : value, time };
}

/** As Prometheus writes a series. */
function nameOf({ __name__: name = '', ...labels }: { readonly [label: string]: string }): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(', ')}}`;
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function isMap(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
