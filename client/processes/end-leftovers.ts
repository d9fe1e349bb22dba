import { findEmbeddedServers } from './embedded-server.ts';
import { findProcesses } from './find-processes.ts';
import type { KeeperFiles } from './keeper-state.ts';
import { stopProcess } from './supervised-process.ts';

/** Ends worker and server whose keeper was killed, in this order. Returns how many there were. */
export async function endLeftovers(files: KeeperFiles, serverDir: string): Promise<number> {
  const workers = findProcesses(['--state-file', files.workerStateFile]);
  for (const { identity } of workers) await stopProcess(identity, 5000);
  const servers = findEmbeddedServers(serverDir);
  for (const { process } of servers) await stopProcess(process.identity, 10_000);
  return workers.length + servers.length;
}
