/**
 * A random choice is a pure function of the run's seed and the place where it is made (P7): no state, no order of calls, the same
 * on every machine. Integer arithmetic only, because floating point library functions may differ between engines.
 */

/** A fraction in [0, 1) with 53 random bits. `parts` name the place: iteration, testcase, attempt, step, purpose. */
export function drawFraction(seed: number, ...parts: string[]): number {
  const [high, low] = hash(seed, parts);
  return ((high >>> 11) * 4_294_967_296 + low) / 9_007_199_254_740_992;
}

/** An index in [0, n); draws of the same place from different `n` are independent. Throws a RangeError when there is nothing to choose from. */
export function drawIndex(seed: number, n: number, ...parts: string[]): number {
  if (!(n >= 1)) throw new RangeError('drawIndex: nothing to choose from');
  return Math.min(Math.floor(drawFraction(seed, String(n), ...parts) * n), n - 1);
}

/** Two lanes of 32-bit multiply–xor mixing (the scheme of cyrb53, finished like MurmurHash3) over the UTF-16 units of all parts. */
function hash(seed: number, parts: readonly string[]): readonly [high: number, low: number] {
  let a = 0xdeadbeef ^ (seed >>> 0);
  let b = 0x41c6ce57 ^ (seed >>> 0) ^ (Math.floor(seed / 4_294_967_296) >>> 0);
  const mix = (unit: number): void => {
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
    a = (a << 13) | (a >>> 19);
    b = (b << 15) | (b >>> 17);
  };
  for (const part of parts) {
    // The length goes first, so that ("ab", "c") and ("a", "bc") are different places.
    mix(0x1_0000 + part.length);
    for (let index = 0; index < part.length; index++) mix(part.charCodeAt(index));
  }
  a = finish(a ^ (b >>> 7));
  b = finish(b ^ (a >>> 5));
  return [b >>> 0, a >>> 0];
}

function finish(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
