/**
 * What the YAML readers yield: values with their places and nothing else. Places are offsets into the text
 * (see source-text.ts for lines and columns); an alias is replaced by the node it names.
 */
export type YamlNode = ScalarNode | SeqNode | MapNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: null | boolean | number | string;
  readonly start: number;
  readonly end: number;
}

/**
 * An item of a long list that was decoded as soon as it was read, so that its nodes need not be kept until the end:
 * ten thousand testcases would otherwise exist twice. It stands for its value only where the list is decoded.
 */
export interface DecodedNode extends ScalarNode {
  readonly decoded: unknown;
}

export function isDecoded(node: YamlNode): node is DecodedNode {
  return 'decoded' in node;
}

export interface SeqNode {
  readonly kind: 'seq';
  readonly items: readonly YamlNode[];
  readonly start: number;
  readonly end: number;
}

/** Keys in written order; `keys[i]` belongs to `values[i]`. No key occurs twice (a duplicate is a problem and dropped). */
export interface MapNode {
  readonly kind: 'map';
  readonly keys: readonly string[];
  readonly keyStarts: readonly number[];
  readonly values: readonly YamlNode[];
  readonly start: number;
  readonly end: number;
}

/** A problem at an offset; becomes a Diagnostic once the file is known. */
export interface YamlProblem {
  readonly code: string;
  readonly message: string;
  readonly offset: number;
  readonly length: number;
  readonly hint?: string;
}

/** The value of a key, if written. */
export function valueAt(map: MapNode, key: string): YamlNode | undefined {
  const index = map.keys.indexOf(key);
  return index < 0 ? undefined : map.values[index];
}
