/** Finds any of many byte patterns in one pass (Aho-Corasick). State 0 is the start. */
export interface Automaton {
  next(state: number, byte: number): number;
  /** Length of the longest beginning of a pattern that what was read ends with. */
  depth(state: number): number;
  /** Length of the longest pattern that what was read ends with; 0 when there is none. */
  matchLength(state: number): number;
  /** Label of that pattern. */
  matchLabel(state: number): number;
  /** Length of the longest pattern. */
  readonly longest: number;
}

export interface Pattern {
  readonly bytes: Uint8Array;
  readonly label: number;
}

/** States near the start have a row of all 256 successors: a text that holds no pattern never leaves them. */
const DENSE_STATES = 512;

export function createAutomaton(patterns: readonly Pattern[]): Automaton {
  const trie = numberByDepth(buildTrie(patterns));
  const { size, children, depths, lengths, labels } = trie;
  const fails = new Int32Array(size);
  const dense = Math.min(size, DENSE_STATES);
  const rows = new Int32Array(dense * 256);
  const sparse = new Map<number, number>();

  const next = (from: number, byte: number): number => {
    let state = from;
    while (state >= dense) {
      const to = sparse.get(state * 256 + byte);
      if (to !== undefined) return to;
      state = fails[state] as number;
    }
    return rows[state * 256 + byte] as number;
  };

  // In order of depth, so that what a state falls back to is always complete before it.
  for (let state = 0; state < size; state++) {
    const fail = fails[state] as number;
    if (state > 0 && (lengths[state] as number) === 0) {
      lengths[state] = lengths[fail] as number;
      labels[state] = labels[fail] as number;
    }
    const own = children[state] as ReadonlyMap<number, number>;
    for (const [byte, child] of own) fails[child] = state === 0 ? 0 : next(fail, byte);
    if (state < dense) {
      const row = state * 256;
      if (state > 0) rows.copyWithin(row, fail * 256, fail * 256 + 256);
      for (const [byte, child] of own) rows[row + byte] = child;
    } else for (const [byte, child] of own) sparse.set(state * 256 + byte, child);
  }

  return {
    next,
    depth: (state) => depths[state] as number,
    matchLength: (state) => lengths[state] as number,
    matchLabel: (state) => labels[state] as number,
    longest: patterns.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0),
  };
}

interface Trie {
  readonly size: number;
  readonly children: readonly ReadonlyMap<number, number>[];
  readonly depths: Int32Array;
  /** Length and label of the pattern that ends in a state. */
  readonly lengths: Int32Array;
  readonly labels: Int32Array;
}

interface TrieNode {
  readonly children: Map<number, TrieNode>;
  length: number;
  label: number;
}

function buildTrie(patterns: readonly Pattern[]): TrieNode {
  const root: TrieNode = { children: new Map(), length: 0, label: 0 };
  for (const { bytes, label } of patterns) {
    let node = root;
    for (const byte of bytes) {
      let child = node.children.get(byte);
      if (child === undefined) {
        child = { children: new Map(), length: 0, label: 0 };
        node.children.set(byte, child);
      }
      node = child;
    }
    // The first one of two equal patterns keeps it.
    if (node.length === 0) {
      node.length = bytes.length;
      node.label = label;
    }
  }
  return root;
}

function numberByDepth(root: TrieNode): Trie {
  const order = [root];
  const depthOf = [0];
  const children: Map<number, number>[] = [];
  for (let state = 0; state < order.length; state++) {
    const numbered = new Map<number, number>();
    for (const [byte, child] of (order[state] as TrieNode).children) {
      numbered.set(byte, order.length);
      order.push(child);
      depthOf.push((depthOf[state] as number) + 1);
    }
    children.push(numbered);
  }
  return {
    size: order.length,
    children,
    depths: Int32Array.from(depthOf),
    lengths: Int32Array.from(order, (node) => node.length),
    labels: Int32Array.from(order, (node) => node.label),
  };
}
