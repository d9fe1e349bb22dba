import type { Reader } from './reader.ts';
import type { ScalarNode } from './yaml-node.ts';
import { note, scalar } from './reader.ts';

const INTEGER = /^[-+]?[0-9]+$/;
const OCTAL = /^0o[0-7]+$/;
const HEX = /^0x[0-9a-fA-F]+$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+)$/;
const SPECIAL = /^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/;

/** A plain (unquoted) scalar by the core schema of YAML 1.2. */
export function plainScalar(r: Reader, source: string, start: number, end: number): ScalarNode {
  return scalar(r, plainValue(r, source, start, end), start, end);
}

function plainValue(r: Reader, source: string, start: number, end: number): ScalarNode['value'] {
  if (source === '') return null;
  if (source.length > 400) return source;
  switch (source.charCodeAt(0)) {
    case 0x6e: // n
    case 0x4e:
      return source === 'null' || source === 'Null' || source === 'NULL' ? null : source;
    case 0x7e: // ~
      return source === '~' ? null : source;
    case 0x74: // t
    case 0x54:
      return source === 'true' || source === 'True' || source === 'TRUE' ? true : source;
    case 0x66: // f
    case 0x46:
      return source === 'false' || source === 'False' || source === 'FALSE' ? false : source;
    case 0x2b: // + - . 0–9
    case 0x2d:
    case 0x2e:
    case 0x30:
    case 0x31:
    case 0x32:
    case 0x33:
    case 0x34:
    case 0x35:
    case 0x36:
    case 0x37:
    case 0x38:
    case 0x39:
      return numberOrText(r, source, start, end);
    default:
      return source;
  }
}

function numberOrText(r: Reader, source: string, start: number, end: number): number | string {
  let value: number;
  if (INTEGER.test(source) || FLOAT.test(source) || OCTAL.test(source) || HEX.test(source)) value = Number(source);
  else if (SPECIAL.test(source)) value = Number.NaN;
  else return source;
  return checkedNumber(r, value, source, start, end);
}

/** A number that JSON and every later stage keep as it is; anything else is a problem at its place. */
export function checkedNumber(r: Reader, value: number, source: string, start: number, end: number): number {
  const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (exact) return Object.is(value, -0) ? 0 : value;
  note(r, {
    code: 'SUITE_BAD_NUMBER',
    message: Number.isFinite(value) ? `the number ${source} has too many digits to be kept exactly` : `${source} is not a finite number`,
    offset: start,
    length: end - start,
    hint: `write it in quotes if it is meant as text: "${source}"`,
  });
  return 0;
}
