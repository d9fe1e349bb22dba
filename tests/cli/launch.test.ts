import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection, ServiceError, type WorkflowClientInterceptor } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CliIo } from '../../client/cli/io.ts';
import { launchRun } from '../../client/launch-run.ts';
import { loadValidPlan } from '../../client/load-plan.ts';
import type { OpenServer } from '../../client/open-server.ts';
import { startTemporalServer, type TestServer } from '../support/temporal-server.ts';

/** A start whose answer is lost, before a real server; only the loss is ours. */

let server: TestServer;
let dir: string;
beforeAll(async () => {
  server = await startTemporalServer();
}, 30_000);
afterAll(() => server.stop());
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'onetear-launch-'));
  return () => rmSync(dir, { recursive: true, force: true });
});

const lost = (): ServiceError =>
  new ServiceError('Failed to start Workflow', {
    cause: Object.assign(new Error('14 UNAVAILABLE: read ECONNRESET'), { code: 14, details: 'read ECONNRESET', metadata: {} }),
  });

/** Starts run `name`; `around` decides what becomes of the two calls. */
async function launch(name: string, around: WorkflowClientInterceptor) {
  const connection = await Connection.connect({ address: server.address });
  const client = new Client({ connection, namespace: server.namespace, interceptors: { workflow: [around] } });
  const open: OpenServer = {
    connection,
    client,
    converter: client.options.loadedDataConverter,
    namespace: server.namespace,
    ui: undefined,
    queues: { main: 'nobody', host: 'nobody', control: 'nobody' },
    address: server.address,
    searchAttributes: false,
  };
  const file = path.join(dir, 'one.yaml');
  writeFileSync(file, 'commands: [{ name: hello, cmd: echo hello }]\ntestcases: [{ name: greets, steps: [hello] }]\n');
  const io: CliIo = {
    out() {},
    err() {},
    env: { ONETEAR_HOME: path.join(dir, 'home') },
    cwd: dir,
    stdoutIsTty: false,
    stderrIsTty: false,
    size: () => ({ columns: 80, rows: 24 }),
  };
  try {
    const loaded = await loadValidPlan(file, {}, io, { execute: true, seed: 1 });
    return await launchRun({ run: name, file, loaded, options: {}, server: open, secrets: new Map() }, io);
  } finally {
    await connection.close();
  }
}
const record = (run: string): string => path.join(dir, 'home', 'runs', run, 'run.json');

test('the answer to the start is lost, and the server has the run: it is ours', async () => {
  const { root } = await launch('r-taken', {
    async start(input, next) {
      await next(input);
      throw lost();
    },
  });
  expect(root.runId).toMatch(/^[0-9a-f-]{36}$/);
  expect(existsSync(record('r-taken'))).toBe(true);
});

test('the start does not reach the server: nothing is left of it', async () => {
  await expect(
    launch('r-refused', {
      async start() {
        throw lost();
      },
    }),
  ).rejects.toBeInstanceOf(ServiceError);
  expect(existsSync(record('r-refused'))).toBe(false);
});

test('the server stays away: the record stays, and the user is told that it may run', async () => {
  const away: WorkflowClientInterceptor = {
    async start() {
      throw lost();
    },
    async describe() {
      throw lost();
    },
  };
  await expect(launch('r-open', away)).rejects.toMatchObject({
    code: 'CLI_START_UNKNOWN',
    exit: 11,
    message: expect.stringContaining('may run') as unknown,
    hint: expect.stringContaining('onetear watch r-open') as unknown,
  });
  expect(existsSync(record('r-open'))).toBe(true);
});
