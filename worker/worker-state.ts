import { readFileSync } from 'node:fs';
import { writeFileAtomic } from './write-file-atomic.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { isProcessIdentity } from './process-identity.ts';

/** What a worker process says about itself in its state file. */
export interface WorkerState {
  readonly v: 1;
  readonly process: ProcessIdentity;
  readonly build: string;
  readonly phase: 'connecting' | 'polling';
  /** Fingerprints of its encryption keys, the encrypting one first; empty without encryption. */
  readonly keys: readonly string[];
}

/** Replaces the file as a whole. */
export function writeWorkerState(file: string, state: WorkerState): void {
  writeFileAtomic(file, `${JSON.stringify(state)}\n`);
}

/** `undefined` when there is none, or a crash left half of one. */
export function readWorkerState(file: string): WorkerState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { process, build, phase, keys } = (value ?? {}) as Record<string, unknown>;
  if (!isProcessIdentity(process) || typeof build !== 'string' || (phase !== 'connecting' && phase !== 'polling')) return undefined;
  return { v: 1, process, build, phase, keys: Array.isArray(keys) ? keys.map(String) : [] };
}
