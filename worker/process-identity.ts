import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/**
 * Which process, for ever: a pid alone is reused within hours on a busy machine and after every boot.
 * `startTicks` is the kernel's start time of the process (Linux: clock ticks since boot; macOS: the text of `ps -o lstart`).
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
}

let cachedBootId: string | undefined;

/** Changes with every boot of the machine. */
export function bootId(): string {
  cachedBootId ??= readBootId();
  return cachedBootId;
}

function readBootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  if (process.platform === 'darwin') {
    return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
  }
  // Elsewhere: the minute of the boot, which a clock step may move; the start time still tells processes apart.
  return `boot-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
}

/** Start time of a process that runs; `undefined` when it is gone or only a zombie is left, which `kill -0` calls alive. */
function startTicks(pid: number): string | undefined {
  if (process.platform !== 'linux') return startTicksFromPs(pid);
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
  // The name in parentheses may hold anything, also spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

function startTicksFromPs(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [state = '', ...started] = text.split(/\s+/);
    return text === '' || state.startsWith('Z') ? undefined : started.join(' ');
  } catch (error) {
    // `ps` exits 1 when there is no such process; anything else (no ps at all) must not look like "dead".
    if ((error as { status?: number }).status === 1) return undefined;
    throw error;
  }
}

/** The identity of a running process, `undefined` when there is none under this pid. */
export function identify(pid: number): ProcessIdentity | undefined {
  const ticks = startTicks(pid);
  return ticks === undefined ? undefined : { pid, startTicks: ticks, bootId: bootId() };
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const identity = identify(process.pid);
  if (identity === undefined) throw new Error('the kernel does not know this process');
  return identity;
}

/** True while exactly this process runs; a pid given to somebody else is not it. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identity.bootId === bootId() && startTicks(identity.pid) === identity.startTicks;
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Narrows parsed JSON. */
export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startTicks, bootId } = value as Record<string, unknown>;
  return Number.isSafeInteger(pid) && (pid as number) > 0 && typeof startTicks === 'string' && typeof bootId === 'string';
}
