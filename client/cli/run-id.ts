import { randomBytes } from 'node:crypto';

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/**
 * A new run id: `20261124-091532-rs7q2x`, UTC to the second, then two digits (base 36) of milliseconds and four random
 * ones. Sorts by time, lower case, safe in file names and workflow ids. Made before the start call, so that a repeated
 * call starts the same run.
 */
export function newRunId(now: number = Date.now()): string {
  const iso = new Date(now).toISOString();
  const stamp = `${iso.slice(0, 10).replaceAll('-', '')}-${iso.slice(11, 19).replaceAll(':', '')}`;
  const millis = (now % 1000).toString(36).padStart(2, '0');
  let random = '';
  // Bytes over 251 would favour the first digits.
  while (random.length < 4) for (const byte of randomBytes(8)) if (byte < 252 && random.length < 4) random += DIGITS[byte % 36];
  return `${stamp}-${millis}${random}`;
}

/** Shape of every run id: also what may stand in a path. */
export function isRunId(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(text);
}
