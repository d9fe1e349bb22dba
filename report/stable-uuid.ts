import { hash53 } from '../dsl/expand/slug.ts';

/**
 * An id in the form of a UUID, computed from what it names: the same after a crash, on another worker, in a rebuilt report.
 * 128 bits of a hash that is not cryptographic: ids keep things apart, they protect nothing.
 */
export function uuidOf(...parts: readonly string[]): string {
  const text = JSON.stringify(parts);
  // Each lane has 53 bits; the first hex digits of a lane are its weakest, so the last twelve are taken.
  const hex = [0, 1, 2]
    .map((lane) => hash53(`${lane} ${text}`).slice(-12))
    .join('')
    .slice(0, 32);
  // Version 8 (made by the application's own rule) and the RFC's variant, so that strict readers accept it.
  const fixed = `${hex.slice(0, 12)}8${hex.slice(13, 16)}a${hex.slice(17)}`;
  return `${fixed.slice(0, 8)}-${fixed.slice(8, 12)}-${fixed.slice(12, 16)}-${fixed.slice(16, 20)}-${fixed.slice(20)}`;
}
