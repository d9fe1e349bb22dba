import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { homePaths } from '../../activities/store/home-paths.ts';
import { answers } from '../../worker/answers.ts';
import { logLine } from '../../worker/json-log.ts';
import { isRunning } from '../../worker/process-identity.ts';
import type { RunningServer } from './embedded-server.ts';
import { databaseFile, EMBEDDED_NAMESPACE, findEmbeddedServers, probeServer, startEmbeddedServer } from './embedded-server.ts';
import type { Keeper, StopReason } from './keeper.ts';
import { createBackoff, NO_CHILD, pause } from './keeper.ts';
import { cacheDir } from './locate-temporal.ts';
import { waitForPorts } from './ports.ts';
import { extendRetention, registerSearchAttributes } from './prepare-namespace.ts';
import { messageOf } from './process-error.ts';
import { chooseServerPorts } from './server-ports.ts';
import type { SupervisedProcess } from './supervised-process.ts';
import { adopt, stopProcess } from './supervised-process.ts';
import type { TemporalBinary } from './temporal-binary.ts';
import { checkTemporalBinary } from './temporal-binary.ts';

/** SQLite closes its file in far less; the server's own drain takes about a second. */
const STOP_GRACE_MS = 10_000;
/** A server that does not serve after this long is started again. Generous: a busy machine, an old large database. */
const READY_WITHIN_MS = 60_000;
const ADOPT_WITHIN_MS = 10_000;

interface Current {
  readonly process: SupervisedProcess;
  readonly database: string;
  readonly grpcPort: number;
  readonly uiPort: number;
}

/** Keeps the embedded server alive. `running` rejects only when it can never work (the binary is no Temporal CLI). */
export function keepServer(keeper: Keeper, binaryPath: string): { running: Promise<void>; stop: (reason: StopReason) => Promise<void> } {
  let current: Current | undefined;
  const running = (async () => {
    const binary = await checkTemporalBinary(binaryPath, cacheDir(process.env));
    if ('problem' in binary) throw new Error(`${binaryPath}: ${binary.problem}`);
    const backoff = createBackoff();
    let restarts = 0;
    let lastExit: string | null = null;
    while (!keeper.stop.aborted) {
      const startedAt = Date.now();
      try {
        current = (await adoptServer(keeper, binary)) ?? (await launch(keeper, binary));
        publish(keeper, binary, current, 'starting', restarts, lastExit);
        const ready = await becomesReady(keeper, binary, current, restarts, lastExit);
        lastExit = ready ? await current.process.exited : `${await giveUp(current)} (never served)`;
      } catch (error) {
        lastExit = messageOf(error);
      }
      if (keeper.stop.aborted) return;
      restarts += 1;
      logLine('WARN', 'server is down', { lastExit, restarts });
      keeper.update({
        server: {
          ...describe(binary, current),
          health: 'down',
          process: null,
          restarts,
          since: new Date().toISOString(),
          lastExit,
        },
        problem: `the embedded server ended: ${lastExit}`,
      });
      if (!(await pause(keeper.stop, backoff.next(Date.now() - startedAt)))) return;
    }
  })();
  return {
    running,
    stop: async (reason) => {
      // The loop waits for the server's end. What it is just starting now is found by the next keeper.
      if (reason === 'handover') return;
      const ended = running.then(
        () => true,
        (error: unknown) => {
          logLine('WARN', 'server loop ended badly', { error });
          return true;
        },
      );
      do {
        if (current !== undefined) {
          const how = await stopProcess(current.process.identity, STOP_GRACE_MS);
          logLine('INFO', 'server stopped', { how, pid: current.process.identity.pid });
        }
      } while (!(await Promise.race([ended, sleep(50, false)])));
      if (current === undefined) return;
      // Whoever starts the next one must not meet the ports of this one.
      await waitForPorts([current.grpcPort, current.uiPort], 5000);
      const { server } = keeper.state();
      if (server)
        keeper.update({ server: { ...server, health: 'down', process: null, since: new Date().toISOString(), lastExit: reason } });
    },
  };
}

/** A server left by a killed keeper: taken over when it serves our database, ended when it does not (never two on one file). */
async function adoptServer(keeper: Keeper, binary: TemporalBinary): Promise<Current | undefined> {
  const { serverDir } = homePaths(keeper.config.home);
  const [first, ...rest] = findEmbeddedServers(serverDir);
  for (const server of rest) await end(server);
  if (first === undefined) return undefined;
  // Somebody may have removed the home folder under a running server: what it writes now is lost.
  if (first.database === databaseFile(serverDir, binary) && existsSync(first.database)) {
    try {
      const connection = await probeServer(`127.0.0.1:${first.grpcPort}`, ADOPT_WITHIN_MS);
      await connection.close();
      logLine('INFO', 'server adopted', { pid: first.process.identity.pid });
      const { database, grpcPort, uiPort } = first;
      return { process: adopt(first.process.identity), database, grpcPort, uiPort };
    } catch (error) {
      logLine('WARN', 'a server of this home runs and does not serve', { error });
    }
  }
  await end(first);
  return undefined;
}

async function end(server: RunningServer): Promise<void> {
  logLine('INFO', 'ending a server of this home', { pid: server.process.identity.pid, database: server.database });
  await stopProcess(server.process.identity, STOP_GRACE_MS);
}

async function launch(keeper: Keeper, binary: TemporalBinary): Promise<Current> {
  const { serverDir } = homePaths(keeper.config.home);
  mkdirSync(serverDir, { recursive: true });
  warnOfOtherDatabases(serverDir, binary);
  const ports = await chooseServerPorts(serverDir);
  const process = await startEmbeddedServer(binary, serverDir, ports, keeper.files.serverLog);
  logLine('INFO', 'server started', { pid: process.identity.pid, ports, version: binary.serverVersion });
  return { process, database: databaseFile(serverDir, binary), grpcPort: ports.grpc, uiPort: ports.ui };
}

/** Runs that are open in the file of another server version wait there until that version is given back to us. */
function warnOfOtherDatabases(serverDir: string, binary: TemporalBinary): void {
  const own = path.basename(databaseFile(serverDir, binary));
  const others = readdirSync(serverDir).filter((name) => name.endsWith('.db') && name !== own);
  if (others.length > 0) logLine('WARN', 'databases of other server versions are not read', { own, others });
}

/** True when it serves and the namespace is as we need it; false when it died or never served. */
async function becomesReady(
  keeper: Keeper,
  binary: TemporalBinary,
  current: Current,
  restarts: number,
  lastExit: string | null,
): Promise<boolean> {
  const deadline = Date.now() + READY_WITHIN_MS;
  const address = `127.0.0.1:${current.grpcPort}`;
  while (Date.now() < deadline && !keeper.stop.aborted) {
    if (!isRunning(current.process.identity)) return false;
    // A gRPC client that met a closed port waits a second before it looks again.
    if (!(await answers(address, 1000))) {
      if (!(await pause(keeper.stop, 10))) return true;
      continue;
    }
    let connection: Connection;
    try {
      connection = await probeServer(address, 2000);
    } catch (error) {
      logLine('DEBUG', 'server does not serve yet', { reason: messageOf(error) });
      if (!(await pause(keeper.stop, 20))) return true;
      continue;
    }
    try {
      await extendRetention(connection, EMBEDDED_NAMESPACE);
      const attributes = await registerSearchAttributes(connection, EMBEDDED_NAMESPACE);
      keeper.update({
        searchAttributes: attributes.registered,
        problem: attributes.problem === undefined ? null : `search attributes are missing: ${attributes.problem}`,
      });
    } catch (error) {
      logLine('WARN', 'the namespace is not ready', { error });
      continue;
    } finally {
      await connection.close();
    }
    publish(keeper, binary, current, 'healthy', restarts, lastExit);
    return true;
  }
  return keeper.stop.aborted;
}

async function giveUp(current: Current): Promise<string> {
  await stopProcess(current.process.identity, STOP_GRACE_MS);
  return current.process.exited;
}

function describe(binary: TemporalBinary, current: Current | undefined): { version: string; binary: string; database: string } {
  return { version: binary.serverVersion, binary: binary.path, database: path.basename(current?.database ?? '') };
}

function publish(
  keeper: Keeper,
  binary: TemporalBinary,
  current: Current,
  health: 'starting' | 'healthy',
  restarts: number,
  lastExit: string | null,
): void {
  keeper.update({
    address: `127.0.0.1:${current.grpcPort}`,
    uiUrl: `http://127.0.0.1:${current.uiPort}`,
    server: {
      ...NO_CHILD,
      ...describe(binary, current),
      health,
      process: current.process.identity,
      restarts,
      since: new Date().toISOString(),
      lastExit,
    },
  });
}
