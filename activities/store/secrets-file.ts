/** A line of a secrets file that cannot be read; `line` from 1. */
export interface SecretsFileProblem {
  readonly line: number;
  readonly problem: string;
}

/**
 * Reads `NAME=VALUE` lines. Blank lines and lines that begin with `#` mean nothing, `export ` before a name is skipped. The value is everything
 * behind the first `=` up to the end of the line, as it stands; in double quotes it is a JSON string (`"two\\nlines"`), in single quotes
 * it is what stands between them. The last line of a name wins.
 */
export function parseSecretsFile(text: string): { readonly values: ReadonlyMap<string, string> } | SecretsFileProblem {
  const values = new Map<string, string>();
  for (const [index, raw] of text
    .replace(/^\uFEFF/u, '')
    .split('\n')
    .entries()) {
    const line = raw.replace(/\r$/u, '');
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/su.exec(line);
    // The text itself is not shown: it may be a secret.
    if (match === null) return { line: index + 1, problem: 'is not NAME=VALUE' };
    const [, name = '', value = ''] = match;
    const read = readValue(value);
    if (read === undefined) return { line: index + 1, problem: `the value of ${name} in double quotes is no JSON string` };
    values.set(name, read);
  }
  return { values };
}

function readValue(value: string): string | undefined {
  const written = value.trimEnd();
  if (written.length >= 2 && written.startsWith("'") && written.endsWith("'")) return written.slice(1, -1);
  if (written.length < 2 || !written.startsWith('"') || !written.endsWith('"')) return value;
  try {
    const parsed: unknown = JSON.parse(written);
    return typeof parsed === 'string' ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Shorter values stand in every output by chance: masking them would destroy it, and not masking them would tell them. */
export const MIN_SECRET_BYTES = 4;
/** More does not fit into an environment variable everywhere. */
export const MAX_SECRET_BYTES = 64 * 1024;

/** Why a value cannot be a secret; `undefined` when it can. Never shows the value. */
export function secretValueProblem(value: string): string | undefined {
  const bytes = Buffer.byteLength(value);
  if (bytes === 0) return 'is empty';
  if (bytes < MIN_SECRET_BYTES || value.trim().length < MIN_SECRET_BYTES)
    return `is shorter than ${MIN_SECRET_BYTES} characters, so it cannot be masked`;
  if (bytes > MAX_SECRET_BYTES) return `is longer than ${MAX_SECRET_BYTES / 1024} KiB`;
  if (value.includes('\0')) return 'holds a NUL character';
  return undefined;
}
