import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path';

/** A whole suite may be this long, includes together (suite-language §15). */
export const MAX_SUITE_BYTES = 8 * 1024 * 1024;

/** One text as it was read; `file` is what diagnostics call it. */
export interface SuiteText {
  readonly file: string;
  readonly text: string;
}

/** Reads the texts of one suite, each once, and remembers them for the digest and the copy in the run's folder. */
export interface SuiteReader {
  /** Absolute folder of the main suite, links resolved: root of includes and `file:`. */
  readonly suiteDir: string;
  readonly main: SuiteText;
  /** The text of an include, or why it cannot be had. `path` is relative to the suite's folder. */
  readonly readInclude: (path: string) => { readonly text: string } | { readonly problem: string };
  readonly texts: () => readonly SuiteText[];
}

/** What cannot be read at all; `problem` is a sentence for people. */
export class SuiteReadError extends Error {
  readonly code: string;

  constructor(code: string, problem: string) {
    super(problem);
    this.name = 'SuiteReadError';
    this.code = code;
  }
}

/**
 * Opens a suite. Throws a SuiteReadError when the main file cannot be read. Includes are confined to the folder tree of
 * the suite after links are resolved: a library from the network must not be able to read `~/.ssh`.
 */
export function openSuite(file: string, cwd: string): SuiteReader {
  const path = resolve(cwd, file);
  const main = { file, text: readText(path, MAX_SUITE_BYTES) };
  const suiteDir = realpathSync(dirname(path));
  const texts = new Map<string, SuiteText>([[basename(path), main]]);
  let left = MAX_SUITE_BYTES - Buffer.byteLength(main.text);
  return {
    suiteDir,
    main,
    readInclude: (include) => {
      const known = texts.get(include);
      if (known && include !== basename(path)) return known;
      try {
        const target = realpathSync(resolve(suiteDir, include));
        if (!isInside(suiteDir, target)) return { problem: `${include} is outside the folder of the suite` };
        const text = readText(target, left);
        left -= Buffer.byteLength(text);
        texts.set(include, { file: include, text });
        return { text };
      } catch (error) {
        return { problem: readProblem(error, include) };
      }
    },
    texts: () => [...texts.values()],
  };
}

/** The suite of a run that was started before, from the texts kept with it. */
export function suiteOfTexts(suiteDir: string, texts: readonly SuiteText[]): SuiteReader {
  const [main, ...includes] = texts;
  if (!main) throw new SuiteReadError('SUITE_UNREADABLE', 'the run kept no text of its suite');
  return {
    suiteDir,
    main,
    readInclude: (path) => includes.find(({ file }) => file === path) ?? { problem: `${path} was not kept with the run` },
    texts: () => texts,
  };
}

/** SHA-256 (hex) over names and texts: same suite, same digest. The name of the main file is left out. */
export function suiteDigest(texts: readonly SuiteText[]): string {
  const hash = createHash('sha256');
  texts.forEach(({ file, text }, index) => hash.update(`${index === 0 ? '' : file}\0${Buffer.byteLength(text)}\0${text}\0`));
  return hash.digest('hex');
}

function isInside(root: string, target: string): boolean {
  const path = relative(root, target);
  return path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

function readText(path: string, limit: number): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new SuiteReadError('SUITE_UNREADABLE', readProblem(error, path));
  }
  try {
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new SuiteReadError('SUITE_UNREADABLE', `${path} is a folder, not a suite`);
    // A device or a pipe has no end to wait for.
    if (!stat.isFile()) throw new SuiteReadError('SUITE_UNREADABLE', `${path} is not a regular file`);
    if (stat.size > limit) throw tooLarge(path);
    const bytes = Buffer.alloc(stat.size + 1);
    let length = 0;
    for (;;) {
      const read = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
      if (length === bytes.length) throw tooLarge(path);
    }
    return decodeUtf8(bytes.subarray(0, length), path);
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(path: string): SuiteReadError {
  return new SuiteReadError('SUITE_TOO_LARGE', `${path}:1:1: the suite is over ${MAX_SUITE_BYTES / 1024 / 1024} MiB with its includes`);
}

/** A BOM stays: the parser knows it. Bad bytes are an error with their line instead of silent U+FFFD in a command. */
function decodeUtf8(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    const before = text.slice(0, text.indexOf('\uFFFD')).split('\n');
    const place = `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
    throw new SuiteReadError('SUITE_NOT_UTF8', `${path}:${place}: not UTF-8, save the file as UTF-8`);
  }
}

function readProblem(error: unknown, path: string): string {
  if (error instanceof SuiteReadError) return error.message;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return `${path} does not exist`;
  if (code === 'EACCES' || code === 'EPERM') return `${path} cannot be read: permission denied`;
  if (code === 'ELOOP') return `${path} is a loop of links`;
  return `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}
