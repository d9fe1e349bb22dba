import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Attendance, Stop } from '../../activities/attendance.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { nodePool } from '../../activities/nodes/node-pool.ts';
import type { Node } from '../../dsl/model/node.ts';
import type { NodeResult } from '../../dsl/model/result.ts';
import type { RenderedCommand, RunCommandInput, RunInfo, StepAddress } from '../../dsl/model/workflow-io.ts';

/** The shells the node protocol must run under, as they are found on this machine. */
export const SHELLS: readonly (readonly string[])[] = [['/usr/bin/dash'], ['/usr/bin/bash'], ['/usr/bin/busybox', 'sh']];

export interface World {
  readonly root: string;
  readonly deps: ActivityDeps;
  /** Id of the world's run: its own, because processes are found by the ids of their jobs. */
  readonly run: string;
  /** Folder of the run's jobs. */
  readonly jobs: string;
  path(name: string): string;
  read(name: string): string;
  close(): void;
}

/** A private job root, store and scratch folder. */
export function makeWorld(shell: readonly string[] = ['/bin/sh']): World {
  const root = mkdtempSync(join(tmpdir(), 'onetear-nodes-'));
  const run = `r${randomBytes(6).toString('hex')}`;
  const deps: ActivityDeps = {
    homeDir: join(root, 'home'),
    storeDir: join(root, 'store'),
    hostId: 'test',
    log: { debug() {}, info() {}, warn() {}, error() {} },
    nodes: { shell, jobRoot: root },
  };
  return {
    root,
    deps,
    run,
    jobs: join(root, `onetear-${String(process.getuid?.() ?? 0)}`, run),
    path: (name) => join(root, name),
    read: (name) => readFileSync(join(root, name), 'utf8'),
    close() {
      nodePool(deps).close();
      // A supervisor may still be writing its record.
      for (let turn = 0; existsSync(root) && turn < 50; turn++) {
        try {
          rmSync(root, { recursive: true, force: true });
        } catch (error) {
          if (!['ENOTEMPTY', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
        }
      }
    },
  };
}

export const LOCAL: Node = { name: 'n1', connection: 'local', host: 'localhost', labels: {}, vars: {}, connectWithinMs: 3_000 };

export function runInfo(world: World): RunInfo {
  return {
    run: world.run,
    suite: 's',
    slug: 's',
    seed: 1,
    queues: { main: 'q', host: 'q', control: 'c' },
    suiteDir: world.root,
    resultsDir: join(world.root, 'results'),
    engine: { version: '0', build: '0' },
    namespace: 'default',
  };
}

export function address(step: string): StepAddress {
  return { testcase: 't', attempt: 1, step, kind: 'command', phase: 'steps', name: step, title: step };
}

export function shell(cmd: string | readonly string[], more: Partial<RenderedCommand> = {}): RenderedCommand {
  return { run: 'shell', cmd, options: {}, env: {}, shell: 'sh', sudo: false, secrets: [], ...more };
}

/** Input of runCommand for a shell text, with what a plain step has. */
export function commandInput(
  world: World,
  step: string,
  cmd: string | readonly string[],
  more: Partial<RunCommandInput> = {},
): RunCommandInput {
  return {
    v: 1,
    run: runInfo(world),
    address: address(step),
    node: LOCAL,
    command: shell(cmd),
    expect: {},
    outputs: {},
    retry: { max: 0, delayMs: 1_000, backoff: 1, maxDelayMs: 60_000, when: ['exit_code', 'expect', 'timeout'] },
    timeoutMs: 60_000,
    keepStdout: false,
    hashStdout: false,
    scope: {},
    badVerdict: 'failed',
    journal: [],
    ...more,
  };
}

/** An attendance as the server would give it, and a way to stop it. */
export function attend(attempt = 1, lastDetails?: unknown): Attendance & { stop(how: Stop): void; readonly beats: unknown[] } {
  let stopped: Stop | undefined;
  const callbacks = new Set<() => void>();
  const beats: unknown[] = [];
  return {
    attempt,
    scheduledAtMs: Date.now(),
    lastDetails,
    beats,
    beat: (details) => void beats.push(details),
    stopped: () => stopped,
    onStop(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    stop(how) {
      stopped = how;
      for (const callback of callbacks) callback();
    },
  };
}

/** What an activity promise came to: its result, or the result in the failure's details and how it failed. */
export async function settle(promise: Promise<NodeResult>): Promise<{
  readonly result: NodeResult | undefined;
  readonly failure?: { readonly type: string; readonly retryable: boolean; readonly delayMs: unknown; readonly message: string };
}> {
  try {
    return { result: await promise };
  } catch (error) {
    const failure = error as {
      name: string;
      message: string;
      type?: string;
      nonRetryable?: boolean;
      details?: unknown[];
      nextRetryDelay?: unknown;
    };
    if (failure.name !== 'ApplicationFailure' && failure.name !== 'CancelledFailure') throw error;
    return {
      result: failure.details?.[0] as NodeResult | undefined,
      failure: {
        type: failure.type ?? failure.name,
        retryable: failure.nonRetryable === false,
        delayMs: failure.nextRetryDelay,
        message: failure.message,
      },
    };
  }
}

/** Polls until something is so; fails after `withinMs`. */
export async function until<T>(look: () => T | undefined | false, withinMs = 5_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    let value: T | undefined | false;
    try {
      value = look();
    } catch (error) {
      // What is looked at is not there yet.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not so within ${withinMs} ms: ${look.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** True while a process lives; a zombie does not. */
export function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Supervisors of the jobs under a world, by their records. */
export function jobFolders(world: World): readonly string[] {
  return readdirSync(world.jobs);
}
