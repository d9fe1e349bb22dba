import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessIdentity } from '../../worker/process-identity.ts';
import { identify } from '../../worker/process-identity.ts';

/** A process of this user, or of anybody whose arguments we may read. */
export interface FoundProcess {
  readonly identity: ProcessIdentity;
  readonly argv: readonly string[];
}

/**
 * Processes whose arguments hold all the given texts as whole arguments. This finds a server or worker whose keeper was killed between
 * starting it and writing down its pid: a pid file alone cannot.
 */
export function findProcesses(wanted: readonly string[]): FoundProcess[] {
  const found: FoundProcess[] = [];
  for (const { pid, argv } of process.platform === 'linux' ? listFromProc() : listFromPs()) {
    if (pid === process.pid || !wanted.every((text) => argv.includes(text))) continue;
    const identity = identify(pid);
    if (identity !== undefined) found.push({ identity, argv });
  }
  return found;
}

function listFromProc(): { pid: number; argv: string[] }[] {
  const list: { pid: number; argv: string[] }[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      list.push({ pid: Number(name), argv: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ESRCH' && code !== 'EACCES' && code !== 'EPERM') throw error;
    }
  }
  return list;
}

/** Arguments with spaces cannot be told apart here; our own have none unless the home folder has. */
function listFromPs(): { pid: number; argv: string[] }[] {
  const text = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([pid]) => pid !== undefined && /^\d+$/.test(pid))
    .map(([pid, ...argv]) => ({ pid: Number(pid), argv }));
}
