import { createServer, type AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import { sampleCommand } from '../../activities/sample-command.ts';
import type { MatcherBlock } from '../../dsl/model/matcher.ts';
import type { ValueMap } from '../../dsl/model/value.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { address, attend, commandInput, LOCAL, makeWorld, runInfo, settle, until, type World } from '../nodes/support.ts';
import { selfSigned, startServer, type TestServer } from './http-server.ts';

let world: World;
const servers: TestServer[] = [];
beforeEach(() => {
  world = makeWorld();
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  world.close();
});

async function serve(...given: Parameters<typeof startServer>): Promise<TestServer> {
  const server = await startServer(...given);
  servers.push(server);
  return server;
}

let steps = 0;
function http(options: ValueMap, more: Partial<RunCommandInput> = {}): RunCommandInput {
  const command = { run: 'http' as const, options, env: {}, shell: 'sh' as const, sudo: false, secrets: [] };
  return commandInput(world, `s${++steps}`, '', { command, ...more });
}

async function run(options: ValueMap, expected: MatcherBlock = {}, more: Partial<RunCommandInput> = {}) {
  return settle(runCommand(world.deps, http(options, { expect: expected, ...more }), attend()));
}

const again = (max: number): RunCommandInput['retry'] => ({
  max,
  delayMs: 1,
  backoff: 1,
  maxDelayMs: 1,
  when: ['exit_code', 'expect', 'timeout'],
});

describe('an answer', () => {
  it('is stdout, its status and headers are there for matchers, expressions and outputs', async () => {
    const server = await serve((_, response) => response.writeHead(201, { 'x-role': 'primary' }).end('{"lag": 3}'));
    const { result } = await run(
      { url: `${server.url}/a?b=c` },
      { status: { in: [200, 201] }, json: { lag: { lt: 5 } }, expr: ['status == 201 && headers["x-role"] == "primary"'] },
      { outputs: { code: 'status', lag: 'json.lag' } },
    );
    expect(result).toMatchObject({
      verdict: 'passed',
      exitCode: 0,
      stdout: { text: '{"lag": 3}' },
      stderr: { text: 'HTTP 201 Created\n' },
      outputs: { code: 201, lag: 3 },
    });
    expect(server.seen).toEqual(['GET /a?b=c']);
  });

  it('with status 503 is an answer; only the expectation fails it', async () => {
    const server = await serve((_, response) => response.writeHead(503).end('starting'));
    expect((await run({ url: server.url })).result).toMatchObject({ verdict: 'passed', exitCode: 0 });
    expect((await run({ url: server.url }, { status: 200 })).result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringContaining('503'),
      checks: expect.arrayContaining([expect.objectContaining({ matcher: 'status', expected: '200', actual: '503', ok: false })]),
    });
  });

  it('comes for any method, header and body; a map is sent as JSON', async () => {
    const server = await serve((request, response, body) => response.end(`${request.headers['content-type']} ${body}`));
    expect((await run({ url: server.url, method: 'put', body: { a: [1, null] }, headers: { 'X-A': 1 } })).result?.stdout.text).toBe(
      'application/json {"a":[1,null]}',
    );
    expect(server.headers[0]?.['x-a']).toBe('1');
    expect((await run({ url: server.url, method: 'POST', body: 'a=b', headers: { 'Content-Type': 'text/x' } })).result?.stdout.text).toBe(
      'text/x a=b',
    );
    await run({ url: server.url.replace('//', '//me:p%40ss@') });
    expect(server.headers[2]?.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it('is not followed elsewhere unless told; then credentials stay with their host', async () => {
    const other = await serve((request, response) => response.end(`other ${request.method} ${request.headers.authorization ?? 'nobody'}`));
    const server = await serve((request, response) => {
      if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
      else response.writeHead(request.method === 'POST' ? 303 : 307, { location: `${other.url}/x` }).end('moved');
    });
    expect((await run({ url: server.url }, { status: 307, equals: 'moved' })).result?.verdict).toBe('passed');
    expect(other.seen).toEqual([]);
    const headers = { authorization: 'secret' };
    expect((await run({ url: server.url, redirects: 3, headers }, { equals: 'other GET nobody' })).result?.verdict).toBe('passed');
    expect((await run({ url: server.url, redirects: 3, method: 'POST', body: 'x', headers })).result?.stdout.text).toBe('other GET nobody');
    expect((await run({ url: `${server.url}/loop`, redirects: 2 })).result).toMatchObject({ verdict: 'failed', exitCode: 47 });
    expect(server.seen.filter((line) => line === 'GET /loop')).toHaveLength(3);
  });

  it('may be large: all of it is looked at and kept; beyond 64 MiB it is exit code 63', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const server = await serve((request, response) => {
      const pieces = Number(request.url?.slice(1));
      let sent = 0;
      const next = (): void => {
        while (sent < pieces) {
          sent++;
          if (!response.write(piece)) {
            response.once('drain', next);
            return;
          }
        }
        response.end('the end');
      };
      next();
    });
    expect((await run({ url: `${server.url}/20` }, { contains: ['the end'], lines: 1 })).result).toMatchObject({
      verdict: 'passed',
      stdout: { bytes: 20 * 1024 * 1024 + 7, truncated: true, artifact: expect.stringMatching(/^sha256:/) },
    });
    expect((await run({ url: `${server.url}/70` })).result).toMatchObject({
      verdict: 'failed',
      exitCode: 63,
      stderr: { text: 'the body is larger than 64 MiB\n' },
    });
  }, 60_000);
});

describe('no answer', () => {
  it('is an outcome with the exit codes of curl: a test can say that a service is down', async () => {
    const refused = await run({ url: 'http://127.0.0.1:1/' }, { exit_code: { not: 0 } });
    expect(refused.result).toMatchObject({ verdict: 'passed', exitCode: 7, stderr: { text: expect.stringContaining('ECONNREFUSED') } });
    expect((await run({ url: 'http://127.0.0.1:1/' })).result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
    expect((await run({ url: 'http://127.0.0.1:1/' }, { exit_code: 'any', status: { ne: 200 } })).result).toMatchObject({
      verdict: 'failed',
      reason: expect.stringContaining('no answer'),
    });
    expect((await run({ url: 'http://127.0.0.1:1/' }, { exit_code: 'any', expr: ['status == null'] })).result?.verdict).toBe('passed');
    expect((await run({ url: 'http://no-such-host.invalid/' })).result).toMatchObject({ verdict: 'failed', exitCode: 6 });
  });

  it('to what was sent leaves its effect open: never tried again, unless it is idempotent', async () => {
    const server = await serve((request) => request.socket.destroy());
    const post = await run({ url: server.url, method: 'POST' }, {}, { retry: again(3) });
    expect(post.result).toMatchObject({ verdict: 'failed', exitCode: 52, tries: 1, reason: expect.stringContaining('not tried again') });
    expect(post.failure?.retryable).toBe(false);
    expect(server.seen).toEqual(['POST /']);
    expect((await run({ url: server.url, method: 'POST', idempotent: true }, {}, { retry: again(3) })).failure?.retryable).toBe(true);
    expect((await run({ url: server.url }, {}, { retry: again(3) })).failure?.retryable).toBe(true);
    expect((await run({ url: server.url, idempotent: false }, {}, { retry: again(3) })).failure?.retryable).toBe(false);
    // What was never sent can be.
    expect((await run({ url: 'http://127.0.0.1:1/', method: 'POST' }, {}, { retry: again(3) })).failure?.retryable).toBe(true);
  });

  it('within the timeout is the timeout of the command, and the connection is dropped', async () => {
    let gone = 0;
    const server = await serve((request) => void request.socket.on('close', () => gone++));
    const began = performance.now();
    const { result } = await run({ url: server.url, method: 'POST' }, {}, { timeoutMs: 300, retry: again(1) });
    expect(result).toMatchObject({
      verdict: 'failed',
      timedOut: true,
      exitCode: null,
      reason: expect.stringMatching(/^timeout after 300ms; not tried again/),
    });
    expect(performance.now() - began).toBeLessThan(10_000);
    await until(() => gone === 1);
  });

  it('that breaks off in the middle is exit code 56 with what had come', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => response.destroy(), 50);
    });
    expect((await run({ url: server.url }, { exit_code: 56, status: 200, contains: ['half'] })).result?.verdict).toBe('passed');
  });

  it('in HTTP is exit code 1', async () => {
    const server = createServer((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect((await run({ url: `http://127.0.0.1:${port}/` })).result).toMatchObject({
      exitCode: 1,
      stderr: { text: expect.stringContaining('not HTTP') },
    });
    server.close();
  });

  it('can be sent to what is no address or header: broken, with the reason', async () => {
    expect((await run({ url: 'nowhere' })).result).toMatchObject({ verdict: 'broken', reason: 'url: "nowhere" is not an address' });
    expect((await run({ url: 'ftp://h/' })).result).toMatchObject({ verdict: 'broken', reason: expect.stringContaining('ftp:') });
    const split = await run({ url: 'http://127.0.0.1:1/', headers: { a: 'b\r\nHost: evil' } });
    expect(split.result).toMatchObject({ verdict: 'broken', reason: 'headers.a holds a line break' });
  });
});

describe('TLS', () => {
  it('trusts the system, a given certificate, or anything when told', async () => {
    const own = selfSigned();
    try {
      const server = await serve((_, response) => response.end('safe'), own);
      expect((await run({ url: server.url })).result).toMatchObject({
        verdict: 'failed',
        exitCode: 60,
        stderr: { text: expect.stringContaining('not trusted') },
      });
      expect(server.seen).toEqual([]);
      expect((await run({ url: server.url, tls: { ca: own.certFile } }, { equals: 'safe' })).result?.verdict).toBe('passed');
      expect((await run({ url: server.url, tls: { ca: own.cert } }, { equals: 'safe' })).result?.verdict).toBe('passed');
      expect((await run({ url: server.url, tls: { insecure: true } }, { equals: 'safe' })).result?.verdict).toBe('passed');
      const wrongName = await run({ url: server.url, tls: { ca: own.cert, server_name: 'db.example' } });
      expect(wrongName.result).toMatchObject({ exitCode: 60 });
      expect((await run({ url: server.url, tls: { ca: 'no-such.pem' } })).result).toMatchObject({
        verdict: 'broken',
        reason: 'tls.ca: cannot read no-such.pem: ENOENT',
      });
      const plain = await serve((_, response) => response.end());
      expect((await run({ url: plain.url.replace('http:', 'https:') })).result).toMatchObject({ exitCode: 35 });
    } finally {
      own.remove();
    }
  });
});

describe('attempts', () => {
  it('a cancel ends the request; a detach leaves it, and the next attempt gets its answer', async () => {
    let answer = (): void => undefined;
    const server = await serve((_, response) => void (answer = () => response.end('late')));
    const first = attend();
    const cancelled = settle(runCommand(world.deps, http({ url: server.url, method: 'POST' }), first));
    await until(() => server.seen.length === 1);
    first.stop('cancel');
    expect(await cancelled).toMatchObject({ result: { verdict: 'broken', reason: 'cancelled' }, failure: { type: 'CancelledFailure' } });

    const input = http({ url: server.url, method: 'POST' }, { expect: { equals: 'late' } });
    const second = attend();
    const detached = settle(runCommand(world.deps, input, second));
    await until(() => server.seen.length === 2);
    second.stop('detach');
    expect((await detached).failure).toMatchObject({ type: 'Detached', retryable: true });
    const third = settle(runCommand(world.deps, input, attend(2)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer();
    expect((await third).result).toMatchObject({ verdict: 'passed', tries: 1 });
    expect(server.seen).toHaveLength(2);
    // Asked once more, the records answer.
    expect((await settle(runCommand(world.deps, input, attend(3)))).result).toMatchObject({ verdict: 'passed', stdout: { text: 'late' } });
    expect(server.seen).toHaveLength(2);
  }, 20_000);

  it('further tries are requests of their own, and earlier ones are told', async () => {
    let count = 0;
    const server = await serve((_, response) => response.writeHead(++count < 3 ? 503 : 200).end());
    const input = http({ url: server.url, method: 'POST' }, { expect: { status: 200 }, retry: again(5) });
    expect((await settle(runCommand(world.deps, input, attend(1)))).failure?.retryable).toBe(true);
    expect((await settle(runCommand(world.deps, input, attend(2)))).failure?.retryable).toBe(true);
    expect((await settle(runCommand(world.deps, input, attend(3)))).result).toMatchObject({
      verdict: 'passed',
      tries: 3,
      earlierTries: [{ exitCode: 0 }, { exitCode: 0 }],
    });
    expect(count).toBe(3);
  });

  it('samples until the service is there', async () => {
    let count = 0;
    const server = await serve((_, response) => response.writeHead(++count < 3 ? 503 : 200).end());
    const { command } = http({ url: server.url });
    const result = await sampleCommand(
      world.deps,
      {
        v: 1,
        run: runInfo(world),
        address: address('wait'),
        node: LOCAL,
        command,
        match: { status: 200 },
        mode: 'until',
        windowMs: 10_000,
        everyMs: 20,
        timeoutMs: 1_000,
        scope: {},
        badVerdict: 'failed',
        journal: [],
      },
      attend(),
    );
    expect(result).toMatchObject({ verdict: 'passed', samples: { taken: 3, unknown: 0 } });
  });
});
