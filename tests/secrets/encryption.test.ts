import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WORKFLOW } from '../../dsl/model/workflow-io.ts';
import { dataConverter } from '../../worker/data-converter.ts';
import { createPlayground, eventsOf, type Finished, type Playground, root } from '../support/onetear.ts';

/** Payload encryption from end to end: the built program, a real server, keys that come and go. */

const SUITE = `
commands:
  - name: talks
    cmd: echo "marker-of-output \${{ params.p }}"
  - name: fails
    cmd: echo marker-of-failure >&2; exit 9
chaos:
  - { name: hurt, cmd: touch hurt, recover: { cmd: rm -f hurt } }
testcases:
  - { name: good, params: { p: marker-of-param }, steps: [talks, hurt, talks] }
  - { name: bad, params: { p: 1 }, steps: [fails] }
`;
const MARKERS = ['marker-of-output', 'marker-of-failure', 'marker-of-param', 'Encoded by mistake'];

const oldKey = randomBytes(32).toString('base64');
const newKey = randomBytes(32).toString('base64');
let play: Playground;
let first: Finished;

/** As `play.run`, with another environment. */
function runWith(env: { readonly [name: string]: string }, args: readonly string[]): Promise<Finished> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ONETEAR_ENCRYPTION')));
  const child = spawn(process.execPath, [join(root, 'dist', 'client', 'main.js'), ...args], {
    cwd: play.dir,
    env: { ...clean, ONETEAR_HOME: play.home, CI: 'true', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

function runId(finished: Finished): string {
  return String(eventsOf(finished.stdout)[0]?.['run']);
}

function verdicts(finished: Finished): unknown {
  return Object.fromEntries(
    eventsOf(finished.stdout).flatMap(({ type, testcase, verdict }) => (type === 'testcase_finished' ? [[testcase, verdict]] : [])),
  );
}

beforeAll(async () => {
  play = createPlayground({ ONETEAR_ENCRYPTION_KEY: oldKey, ONETEAR_ENCRYPTION: 'required' });
  play.write('suite.yaml', SUITE);
  expect(await play.run(['server', 'start'])).toMatchObject({ code: 0 });
  first = await play.run(['start', 'suite.yaml', '--output', 'json', '--results', 'out']);
}, 60_000);
afterAll(() => play.close());

describe('with a key', () => {
  test('a run goes as without, and its reports are readable', async () => {
    expect(first.code).toBe(1);
    expect(verdicts(first)).toEqual({ good: 'passed', bad: 'failed' });
    expect(first.stdout).toContain('exit code 9, expected 0: marker-of-failure');
    expect(readFileSync(join(play.dir, 'out', 'junit.xml'), 'utf8')).toContain('marker-of-failure');
    const shown = await play.run(['show', runId(first), '--json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ verdict: 'failed' });
  });

  test('nothing of it is in the database of the server', async () => {
    const dir = join(play.home, 'server');
    const files = readdirSync(dir).filter((name) => /\.db(-wal)?$/.test(name));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const bytes = readFileSync(join(dir, file));
      expect(bytes.includes('binary/encrypted')).toBe(true);
      expect(MARKERS.filter((marker) => bytes.includes(marker))).toEqual([]);
    }
  });

  test('archived histories hold nothing in clear, failures included, and can be replayed', async () => {
    const dir = join(play.home, 'runs', runId(first), 'histories');
    const failures: string[] = [];
    for (const file of readdirSync(dir)) {
      const json = gunzipSync(readFileSync(join(dir, file))).toString('utf8');
      expect(MARKERS.filter((marker) => json.includes(marker))).toEqual([]);
      const encodings = [...json.matchAll(/"encoding":\s*"([^"]+)"/g)].map(([, text = '']) => Buffer.from(text, 'base64').toString());
      // Search attributes are never encoded: names of the suite and the run.
      expect([...new Set(encodings)].filter((encoding) => encoding !== 'json/plain')).toEqual(['binary/encrypted']);
      for (const [, data = ''] of json.matchAll(/"data":\s*"([^"]+)"/g)) {
        expect(MARKERS.filter((marker) => Buffer.from(data, 'base64').includes(marker))).toEqual([]);
      }
      failures.push(...[...json.matchAll(/"message":\s*"([^"]+)"/g)].map(([, text = '']) => text));
    }
    expect(failures).toContain('Encoded failure');
    expect(failures.filter((text) => /exit code|marker/.test(text))).toEqual([]);
    expect(await play.run(['replay', runId(first)])).toMatchObject({ code: 0 });
  });

  test('without it, or with another one, it is said what is missing', async () => {
    const file = join(play.home, 'runs', runId(first), 'histories', 'bad.a1.json.gz');
    for (const env of [{}, { ONETEAR_ENCRYPTION_KEY: newKey }] as { readonly [name: string]: string }[]) {
      const started = await runWith(env, ['start', 'suite.yaml']);
      expect(started).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/ENCRYPTION_KEYS: (?:the worker of the run encrypts|the worker of the run does not have)/) as unknown,
      });
      expect((await runWith(env, ['replay', file])).stdout).toMatch(/is encrypted with key key-[0-9a-f]{8}/);
    }
    expect(await runWith({ ONETEAR_ENCRYPTION_KEY: 'nonsense' }, ['start', 'suite.yaml'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('ONETEAR_ENCRYPTION_KEY is not the base64 of 32 bytes') as unknown,
    });
  });

  test('a workflow in clear is refused by a worker that requires encryption', async () => {
    const { stdout } = await play.run(['server', 'status', '--json']);
    const status = JSON.parse(stdout) as { readonly address: string; readonly queues?: { readonly main: string } };
    const hostId = readFileSync(join(play.home, 'host-id'), 'utf8').trim();
    const connection = await Connection.connect({ address: status.address });
    try {
      const client = new Client({ connection, dataConverter });
      const handle = await client.workflow.start(WORKFLOW.suite, {
        workflowId: 'onetear/in-clear/r',
        taskQueue: `onetear-host-${hostId}`,
        args: [{ v: 1, run: {}, plan: {} }],
      });
      const problem = await waitForTaskFailure(() => handle.fetchHistory());
      expect(problem).toContain('a payload in clear is refused: ONETEAR_ENCRYPTION is "required"');
      await handle.terminate('end of the test');
    } finally {
      await connection.close();
    }
  });
});

describe('a new key', () => {
  test('encrypts from now on, and the old one still decrypts', async () => {
    await play.run(['server', 'stop']);
    const env = { ONETEAR_ENCRYPTION_KEYS_FILE: play.write('keys', `new=${newKey}\n${keyIdOf(first)}=${oldKey}\n`) };
    const second = await runWith(env, ['start', 'suite.yaml', '--output', 'json']);
    expect({ code: second.code, verdicts: verdicts(second), stderr: second.stderr }).toMatchObject({
      code: 1,
      verdicts: { good: 'passed', bad: 'failed' },
    });
    expect(keyIdOf(second)).toBe('new');
    expect(await runWith(env, ['replay', runId(first)])).toMatchObject({ code: 0 });
    expect(await runWith(env, ['server', 'stop'])).toMatchObject({ code: 0 });
  }, 90_000);
});

function keyIdOf(finished: Finished): string {
  const file = join(play.home, 'runs', runId(finished), 'histories', 'suite.json.gz');
  const json = gunzipSync(readFileSync(file)).toString('utf8');
  return Buffer.from(/"encryption-key-id":\s*"([^"]+)"/.exec(json)?.[1] ?? '', 'base64').toString();
}

async function waitForTaskFailure(
  fetch: () => Promise<{
    readonly events?:
      | { readonly workflowTaskFailedEventAttributes?: { readonly failure?: { readonly message?: string | null } | null } | null }[]
      | null;
  }>,
): Promise<string | undefined> {
  for (const end = Date.now() + 15_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 200))) {
    const { events } = await fetch();
    const failed = events?.find((event) => event.workflowTaskFailedEventAttributes);
    if (failed) return failed.workflowTaskFailedEventAttributes?.failure?.message ?? '';
  }
  return undefined;
}
