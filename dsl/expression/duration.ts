/** Upper bound of any duration of a suite: a hundred years. Beyond it a number is a mistake and timers overflow. */
const MAX_MS = 100 * 365 * 86_400_000;

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

const SHAPE = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/u;

/**
 * Reads a duration of the suite language: a number of seconds (also as text, `"10"`), or units in falling order, each at most once:
 * `500ms`, `30s`, `1m30s`, `1.5h`, `2d`. Returns whole milliseconds, `undefined` when it is none of these, negative or over 100 years.
 */
export function parseDuration(value: number | string): number | undefined {
  if (typeof value === 'number') return inBounds(value * 1_000);
  const text = value.trim();
  // No duration is longer; keeps the pattern away from megabytes of digits.
  if (text === '' || text.length > 64) return undefined;
  if (/^\d+(?:\.\d+)?$/u.test(text)) return inBounds(Number(text) * 1_000);
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  let total = 0;
  UNITS.forEach(([, ms], index) => {
    total += Number(match[index + 1] ?? 0) * ms;
  });
  return inBounds(total);
}

/** Shortest usual spelling of a duration in milliseconds: `0s`, `350ms`, `1.5s`, `1m30s`, `2d`. `parseDuration` reads it back exactly. */
export function formatDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 0) return `-${formatDuration(-whole)}`;
  if (whole === 0) return '0s';
  if (whole < 1_000) return `${whole}ms`;
  let rest = whole;
  let text = '';
  for (const [unit, size] of UNITS.slice(0, 3)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return rest > 0 ? `${text}${rest / 1_000}s` : text;
}

function inBounds(ms: number): number | undefined {
  return ms >= 0 && ms <= MAX_MS ? Math.round(ms) : undefined;
}
