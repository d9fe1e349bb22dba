import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Temporal dev server of a test's own. */
export interface TestServer {
  readonly address: string;
  readonly namespace: string;
  readonly pid: number;
  /** Stops it and waits until its port is free. */
  readonly stop: () => Promise<void>;
}

/** The binary: `$ONETEAR_TEMPORAL_BIN`, else `temporal` on PATH; `undefined` when there is none. */
export function findTemporal(): string | undefined {
  const given = process.env['ONETEAR_TEMPORAL_BIN'];
  if (given) return given;
  return spawnSync('temporal', ['--version'], { stdio: 'ignore' }).status === 0 ? 'temporal' : undefined;
}

/** Starts a server on free loopback ports, its data in a folder of its own. Rejects with its log when it does not serve within 20 s. */
export async function startTemporalServer(): Promise<TestServer> {
  const binary = findTemporal();
  if (!binary) throw new Error('no Temporal binary: set ONETEAR_TEMPORAL_BIN or put `temporal` on PATH');
  const folder = await mkdtemp(join(tmpdir(), 'onetear-temporal-'));
  const [port, metricsPort] = [await freePort(), await freePort()];
  const settings = [
    'history.transferProcessorMaxPollRPS=2000',
    // As the embedded server: otherwise every timer below a second takes a second.
    'history.timerProcessorMaxTimeShift="10ms"',
    'matching.numTaskqueueReadPartitions=1',
    'matching.numTaskqueueWritePartitions=1',
  ];
  const child = spawn(
    binary,
    [
      'server',
      'start-dev',
      '--headless',
      '--ip=127.0.0.1',
      '--log-level=error',
      `--port=${port}`,
      `--metrics-port=${metricsPort}`,
      `--db-filename=${join(folder, 'temporal.db')}`,
      ...settings.flatMap((setting) => ['--dynamic-config-value', setting]),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  // A test process that dies must not leave its server behind.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    await stopProcess(child);
    await until(async () => !(await accepts(port)), 10_000);
    await rm(folder, { recursive: true, force: true });
  };
  const serving = await until(async () => child.exitCode === null && accepts(port), 20_000);
  if (!serving) {
    await stop();
    throw new Error(`the Temporal server does not serve:\n${log.join('')}`);
  }
  return { address: `127.0.0.1:${port}`, namespace: 'default', pid: child.pid as number, stop };
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
}

/** A port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Polls until the condition holds; false when it did not within the time. */
export async function until(condition: () => Promise<boolean> | boolean, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
