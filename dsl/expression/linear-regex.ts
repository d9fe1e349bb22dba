import { RE2JS } from 're2js';
import { CelFault } from './cel-value.ts';

// Compiled patterns; bounded because a pattern may be computed.
const CACHE_SIZE = 64;
const cache = new Map<string, RE2JS>();

/** True when the pattern matches somewhere in the text: RE2 syntax, time linear in the text whatever the pattern. */
export function matchesLinear(text: string, pattern: string): boolean {
  let compiled = cache.get(pattern);
  if (compiled === undefined) {
    compiled = compile(pattern);
    if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value as string);
    cache.set(pattern, compiled);
  }
  return compiled.matcher(text).find();
}

function compile(pattern: string): RE2JS {
  if (pattern.length > 1_024) throw new CelFault('limit', 'a regular expression may have at most 1024 characters here');
  try {
    return RE2JS.compile(pattern, RE2JS.MULTILINE);
  } catch (error) {
    throw new CelFault(
      'value',
      `bad regular expression: ${(error as Error).message}`,
      'expressions use RE2 syntax: no look-around, no back-references',
    );
  }
}
