import { shellWord } from './shell-word.ts';

/**
 * Shell text that the supervisor sources just before it becomes the command: working directory, then environment.
 * With `once` it deletes itself and the stdin file first.
 *
 * `cd` comes first because the supervisor's own variable `j` names the job's folder, and a suite may have a variable of that name.
 */
export function jobPrelude(
  job: string,
  env: { readonly [name: string]: string },
  cwd: string | undefined,
  { once = false }: { readonly once?: boolean } = {},
): string {
  const lines: string[] = [];
  if (once) lines.push(REMOVE_INPUTS);
  if (cwd !== undefined) {
    // A leading dash would be an option; everything else of a path is harmless in quotes.
    const folder = cwd.startsWith('-') ? `./${cwd}` : cwd;
    lines.push(`cd ${shellWord(folder)} 2>/dev/null || { printf x >"$j/nocwd"; exit 126; }`);
  } else lines.push('cd 2>/dev/null || cd /');
  for (const [name, value] of Object.entries(env)) {
    if (!isVariableName(name)) continue;
    lines.push(`export ${name}=${shellWord(value)}`);
  }
  // The cookie finds what the command leaves behind, whatever session it moved to; `;` keeps t1 from being a prefix of t10.
  lines.push(`export ONETEAR_JOB=${shellWord(`${job};`)}`);
  return `${lines.join('\n')}\n`;
}

/**
 * This text and the job's stdin hold secrets: both files go as soon as they are open here, before the command exists. Those of requests that
 * did not start the job go too.
 */
const REMOVE_INPUTS = 'rm -f "$j"/e.* "$j"/i.*';

/** What a shell accepts as the name of a variable; others cannot be set. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}
