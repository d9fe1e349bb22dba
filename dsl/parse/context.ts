import type { Diagnostic } from '../model/diagnostic.ts';
import type { Location } from '../model/location.ts';
import type { LineStarts } from './source-text.ts';
import type { YamlProblem } from './yaml-node.ts';
import { keyLength } from './reader.ts';
import { lineStarts, locationAt, offsetOf } from './source-text.ts';

/** What decoding a file knows: its text, and where problems go. */
export interface Context {
  readonly file: string;
  readonly text: string;
  readonly report: Report;
  /** Found when the first place is asked for. */
  lines?: LineStarts;
}

/** Problems of all files of a suite. */
export interface Report {
  readonly diagnostics: Diagnostic[];
  /** `code@file:offset` of what was reported, because an alias makes a value be read several times. */
  readonly seen: Set<string>;
}

/** More are not collected: a list of ten thousand mistakes has one cause. */
export const MAX_COLLECTED = 500;

export interface Place {
  readonly start: number;
  readonly end: number;
}

export function problem(context: Context, code: string, message: string, place: Place, hint?: string): void {
  add(context, { code, message, offset: place.start, length: place.end - place.start, ...(hint === undefined ? {} : { hint }) }, 'error');
}

export function addYamlProblem(context: Context, found: YamlProblem): void {
  add(context, found, 'error');
}

function add(context: Context, found: YamlProblem, severity: Diagnostic['severity']): void {
  const { diagnostics, seen } = context.report;
  const id = `${found.code}@${context.file}:${found.offset}`;
  if (diagnostics.length >= MAX_COLLECTED || seen.has(id)) return;
  seen.add(id);
  const eol = context.text.indexOf('\n', found.offset);
  const room = (eol < 0 ? context.text.length : eol) - found.offset;
  const { offset, length: wanted, ...rest } = found;
  const length = Math.max(1, Math.min(wanted, room));
  diagnostics.push({ ...rest, severity, location: locate(context, offset), length });
}

export function locate(context: Context, offset: number): Location {
  context.lines ??= lineStarts(context.text);
  return locationAt(context.file, context.lines, offset);
}

/** A place that was located before. */
export function placeAt(context: Context, location: Location): Place {
  context.lines ??= lineStarts(context.text);
  const start = offsetOf(context.lines, location);
  return { start, end: start + 1 };
}

/** No more problems are taken: what is left need not be looked at. */
export function isFull(context: Context): boolean {
  return context.report.diagnostics.length >= MAX_COLLECTED;
}

/** The place of a key that starts at `start`. */
export function keyPlace(context: Context, start: number, key: string): Place {
  return { start, end: start + keyLength(context.text, start, key) };
}
