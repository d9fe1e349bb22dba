import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { usageError } from '../cli/cli-error.ts';
import { EXIT } from '../../report/exit-code.ts';
import { packageRoot } from '../cli/engine-version.ts';
import type { CliIo } from '../cli/io.ts';
import { nearest } from '../cli/nearest.ts';

/** `onetear explain CODE`: the section of docs/diagnostics.md on an error code. */
export function explain(code: string, io: CliIo): number {
  const file = join(packageRoot(), 'docs', 'diagnostics.md');
  if (!existsSync(file)) throw usageError('CLI_NO_DOCS', `${file} is missing: this installation has no documentation`);
  const sections = readSections(readFileSync(file, 'utf8'));
  const section = sections.get(code.toUpperCase());
  if (section === undefined) {
    const close = nearest(code.toUpperCase(), [...sections.keys()]);
    throw usageError('CLI_UNKNOWN_CODE', `no error code ${code}`, close === undefined ? undefined : `Did you mean ${close}?`);
  }
  io.out(`${section}\n`);
  return EXIT.passed;
}

/** Sections by the first code-like word of their heading. */
export function readSections(markdown: string): ReadonlyMap<string, string> {
  const sections = new Map<string, string>();
  for (const part of markdown.split(/^(?=#{2,4} )/m)) {
    const code = /^#{2,4} +`?([A-Z][A-Z0-9_]+)`?/.exec(part)?.[1];
    if (code !== undefined) sections.set(code, part.trim());
  }
  return sections;
}
