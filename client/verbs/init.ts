import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { usageError } from '../cli/cli-error.ts';
import { EXIT } from '../../report/exit-code.ts';
import type { CliIo } from '../cli/io.ts';

const STARTER = `# A first suite. Run it:  onetear start suite.yaml
# Every mistake is shown with its place:  onetear validate suite.yaml
name: first

commands:
  - name: write
    description: write a value
    cmd: echo \${{ params.value }} > /tmp/onetear-first.txt
  - name: read
    description: read it back
    cmd: cat /tmp/onetear-first.txt
    expect: { contains: ["\${{ params.value }}"] }
  - name: clean_up
    cmd: rm -f /tmp/onetear-first.txt /tmp/onetear-first.hidden

chaos:
  - name: hide_the_file
    description: take the file away for a second
    cmd: mv /tmp/onetear-first.txt /tmp/onetear-first.hidden
    verify: { cmd: test ! -e /tmp/onetear-first.txt }
    recover: { cmd: mv /tmp/onetear-first.hidden /tmp/onetear-first.txt }
    duration: 1

testcases:
  - name: survives_a_fault
    params: { value: [tea, smoke] }
    hooks: { after: clean_up }
    steps: [write, read, hide_the_file, read]
`;

/** `onetear init [FOLDER]`: writes suite.yaml; refuses to overwrite one unless told to. */
export function init(folder: string | undefined, options: { readonly force?: true }, io: CliIo): number {
  const target = resolve(io.cwd, folder ?? '.');
  const file = join(target, 'suite.yaml');
  mkdirSync(target, { recursive: true });
  try {
    writeFileSync(file, STARTER, { flag: options.force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw usageError('CLI_FILE_EXISTS', `${file} exists`, 'Write it anyway with --force, or name another folder.');
  }
  const shown = folder === undefined ? 'suite.yaml' : join(folder, 'suite.yaml');
  io.out(`Wrote ${shown}. Next:\n  onetear start ${shown}\n`);
  return EXIT.passed;
}
