import { statSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { connectionSettings } from '../../worker/connection-settings.ts';
import { logLine } from '../../worker/json-log.ts';
import type { Keeper, StopReason } from './keeper.ts';
import { pause } from './keeper.ts';

const DEFAULT_IDLE_MS = 600_000;
const LONGEST_CHECK_MS = 30_000;

/** `ONETEAR_IDLE_TIMEOUT` in seconds, default 600; `0` never stops. Throws when it is no number: a typing error must not mean "at once". */
export function idleTimeoutMs(env: NodeJS.ProcessEnv): number {
  const text = env['ONETEAR_IDLE_TIMEOUT'];
  if (!text) return DEFAULT_IDLE_MS;
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0) throw new Error(`ONETEAR_IDLE_TIMEOUT is ${JSON.stringify(text)}, not a number of seconds`);
  return seconds * 1000;
}

/**
 * Ends the keeper when for the whole time no command asked for it, no workflow was open and no schedule was active. What cannot be found out
 * counts as busy. A command marks its use before it reads our state, and we publish `stopping` before we look at the mark for the last time:
 * so either it sees that we stop, or we see that it came.
 */
export async function watchIdle(keeper: Keeper, timeoutMs: number, stop: (reason: StopReason) => void): Promise<void> {
  if (timeoutMs === 0) return;
  let busyAt = Date.now();
  while (await pause(keeper.stop, Math.min(LONGEST_CHECK_MS, Math.max(100, timeoutMs / 4)))) {
    busyAt = Math.max(busyAt, usedAt(keeper));
    if (await isBusy(keeper)) busyAt = Date.now();
    if (Date.now() - busyAt < timeoutMs) continue;
    keeper.update({ phase: 'stopping' });
    if (usedAt(keeper) <= busyAt) {
      stop('idle');
      return;
    }
    keeper.update({ phase: 'running' });
  }
}

function usedAt(keeper: Keeper): number {
  try {
    return statSync(keeper.files.usedFile).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

async function isBusy(keeper: Keeper): Promise<boolean> {
  const { address, namespace, queues, worker } = keeper.state();
  // Whoever started us is still waiting.
  if (address === null || worker.health === 'starting') return true;
  const { config } = keeper;
  try {
    const profile = config.kind === 'cluster' ? config.profile : undefined;
    const choice = { embedded: config.kind === 'embedded', address, namespace, ...(profile === undefined ? {} : { profile }) };
    const { connectionOptions } = connectionSettings(choice, process.env);
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: 5000 });
    try {
      const client = new Client({ connection, namespace });
      return await connection.withDeadline(Date.now() + 10_000, async () => {
        const ours = [...new Set(Object.values(queues))].map((queue) => `"${queue}"`).join(', ');
        // On a cluster other people's workflows are open all the time.
        const query = `ExecutionStatus = "Running"${config.kind === 'cluster' ? ` AND TaskQueue IN (${ours})` : ''}`;
        if ((await client.workflow.count(query)).count > 0) return true;
        // Schedules of a cluster are served by whoever works there; a detached worker is for the runs started here.
        if (config.kind === 'cluster') return false;
        for await (const schedule of client.schedule.list()) if (!schedule.state.paused) return true;
        return false;
      });
    } finally {
      await connection.close();
    }
  } catch (error) {
    logLine('WARN', 'cannot tell whether anything runs', { error });
    return true;
  }
}
