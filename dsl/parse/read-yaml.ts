import type { DecodeItem, Reader } from './reader.ts';
import type { YamlNode, YamlProblem } from './yaml-node.ts';
import { composeText, fitsRegion } from './compose-region.ts';
import { readDocument } from './read-block.ts';
import { createReader, isGiveUp, isYamlStop } from './reader.ts';
import { readerProblem } from './yaml-errors.ts';

export interface YamlResult {
  /** Absent when the text is empty or not YAML. */
  readonly root?: YamlNode;
  /** One syntax error, or any number of problems that do not stop the reading (duplicate keys, numbers, …). */
  readonly problems: readonly YamlProblem[];
}

// oxlint-disable-next-line no-control-regex -- these are the characters YAML does not allow in a text
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/**
 * YAML 1.2 (core schema, keys are texts) to nodes with places. Time and memory are linear in the text, nothing recurses deeper than
 * the depth limit. Line ends must be `\n` already, see normaliseText. Never throws.
 */
export function readYaml(text: string, decodeItem?: DecodeItem): YamlResult {
  const control = text.search(CONTROL);
  if (control >= 0) return { problems: [controlProblem(text, control)] };
  const fast = createReader(text, decodeItem);
  return (
    attempt(fast, readDocument) ??
    attempt({ ...createReader(text), ...openQuoteOf(fast) }, (r) => composeText(r, text, 0)) ?? { problems: [] }
  );
}

/** What the fast reader knows better than the slow one, which reports it at the end of the text. */
function openQuoteOf({ openQuote }: Reader): { openQuote?: number } {
  return openQuote === undefined ? {} : { openQuote };
}

/** `undefined` when the fast reader leaves the whole text to the slow parser. */
function attempt(r: Reader, read: (r: Reader) => YamlNode | undefined): YamlResult | undefined {
  try {
    const root = read(r);
    return root ? { root, problems: r.problems } : { problems: r.problems };
  } catch (error) {
    if (isYamlStop(error)) return { problems: [error.problem] };
    if (!isGiveUp(error)) throw error;
    if (fitsRegion(r.text)) return undefined;
    return { problems: [readerProblem(error.reason, r.text, error.offset)] };
  }
}

function controlProblem(text: string, offset: number): YamlProblem {
  const code = text.charCodeAt(offset).toString(16).padStart(4, '0').toUpperCase();
  return {
    code: 'SUITE_YAML',
    message: `the control character U+${code} cannot stand in a suite`,
    offset,
    length: 1,
    hint: `in a "double quoted" text it can be written as \\u${code}`,
  };
}

/** Takes a byte order mark and carriage returns at line ends away; lines and columns stay the same. */
export function normaliseText(text: string): string {
  const start = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  return start.includes('\r') ? start.replaceAll('\r\n', '\n') : start;
}
