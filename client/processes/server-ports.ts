import { readFileSync } from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../worker/write-file-atomic.ts';
import { freePort, isPortFree, waitForPorts } from './ports.ts';

/** All ports of the embedded server, on loopback. */
export interface ServerPorts {
  readonly grpc: number;
  readonly ui: number;
  readonly http: number;
  readonly metrics: number;
}

const NAMES = ['grpc', 'ui', 'http', 'metrics'] as const;

/** A server that has just been stopped still holds them for more than a second. */
const LINGER_MS = 3000;

/**
 * The ports of last time, so that Web UI links stay good; one that somebody else has taken is replaced by a free one.
 * The choice is written to `ports.json` of the folder.
 */
export async function chooseServerPorts(serverDir: string): Promise<ServerPorts> {
  const file = path.join(serverDir, 'ports.json');
  const remembered = readPorts(file);
  const known = NAMES.map((name) => remembered[name]).filter((port) => port !== undefined);
  await waitForPorts(known, LINGER_MS);
  const chosen: Partial<Record<keyof ServerPorts, number>> = {};
  for (const name of NAMES) {
    let port = remembered[name];
    while (port === undefined || Object.values(chosen).includes(port) || !(await isPortFree(port))) port = await freePort();
    chosen[name] = port;
  }
  const ports = chosen as ServerPorts;
  writeFileAtomic(file, `${JSON.stringify(ports)}\n`);
  return ports;
}

function readPorts(file: string): Partial<ServerPorts> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const entries = Object.entries((value ?? {}) as Record<string, unknown>).filter(
    ([, port]) => Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536,
  );
  return Object.fromEntries(entries) as Partial<ServerPorts>;
}
