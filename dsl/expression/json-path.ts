import type { Value } from '../model/value.ts';

/** A path such as `a.b[0].c`, `[0].a`, `a["x.y"]` as keys (text) and indices (number); an optional `$` stands for the whole. */
export type JsonPath = readonly (string | number)[];

/** Reads a path. `undefined` when it is none. */
export function parseJsonPath(text: string): JsonPath | undefined {
  if (text.length > 1_024) return undefined;
  const keys: (string | number)[] = [];
  let rest = text.trim();
  if (rest === '$' || rest === '.') return [];
  if (rest.startsWith('$.') || rest.startsWith('$[')) rest = rest.slice(1).replace(/^\./u, '');
  let first = true;
  while (rest !== '') {
    const match =
      /^\[\s*(\d{1,9})\s*\]/u.exec(rest) ?? /^\[\s*"((?:[^"\\]|\\.)*)"\s*\]/u.exec(rest) ?? /^\[\s*'((?:[^'\\]|\\.)*)'\s*\]/u.exec(rest);
    if (match !== null) {
      const inner = match[1] as string;
      keys.push(/^\[\s*\d/u.test(rest) ? Number(inner) : inner.replaceAll(/\\(.)/gu, '$1'));
      rest = rest.slice(match[0].length);
    } else {
      const key = (first ? /^([^.[\]]+)/u : /^\.([^.[\]]+)/u).exec(rest);
      if (key === null) return undefined;
      keys.push((key[1] as string).trim());
      rest = rest.slice(key[0].length);
    }
    first = false;
  }
  return keys.length === 0 ? undefined : keys;
}

/** The value at a path, `undefined` when there is none. A key that looks like a number also indexes a list. */
export function valueAt(root: Value, path: JsonPath): Value | undefined {
  let current: Value = root;
  for (const key of path) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, key)) return undefined;
    // Lists own `length`, which is no element.
    if (Array.isArray(current) && !/^\d+$/u.test(String(key))) return undefined;
    current = (current as { readonly [key: string]: Value })[key] as Value;
  }
  return current;
}

/**
 * Parses JSON; integers that a double cannot hold exactly become text, so that a comparison never passes because digits were lost.
 * `undefined` when it is not JSON.
 */
export function parseJson(text: string): { readonly value: Value } | undefined {
  try {
    const value = JSON.parse(text) as Value;
    if (!/\d{16}/u.test(text)) return { value };
    const exact = text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d{16,}(?![\d.eE])|-?[\d.eE+-]+/gu, (token) =>
      /^-?\d{16,}$/u.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
    );
    return { value: JSON.parse(exact) as Value };
  } catch {
    return undefined;
  }
}
