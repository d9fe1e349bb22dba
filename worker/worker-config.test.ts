import { describe, expect, test } from 'vitest';
import { parseWorkerArguments, workerArguments } from './worker-config.ts';
import type { WorkerConfig } from './worker-config.ts';
import { parseWorkerIdentity, workerIdentity } from './worker-identity.ts';

describe('arguments of a worker process', () => {
  const small: WorkerConfig = { home: '/h', embedded: true, queues: { main: 'm', host: 'm', control: 'c' } };
  const full: WorkerConfig = { ...small, embedded: false, address: 'a:1', namespace: 'n', profile: 'p', stateFile: '/s f' };

  test.each([[small], [full]])('survive the way through a command line: %j', (config) => {
    expect(parseWorkerArguments(workerArguments(config))).toEqual(config);
  });

  test('unknown and missing ones are errors', () => {
    expect(() => parseWorkerArguments(['--main', 'm', '--host', 'h'])).toThrow('needs --main, --host and --control');
    expect(() => parseWorkerArguments([...workerArguments(small), '--quueue', 'x'])).toThrow('--quueue');
  });
});

describe('identity of a worker', () => {
  test('says build, host and pid', () => {
    for (const keys of [[], ['0123456789ab'], ['0123456789ab', 'abcdef012345']]) {
      const identity = { build: '0123456789ab', hostId: 'deadbeef', pid: 42, keys };
      expect(parseWorkerIdentity(workerIdentity(identity))).toEqual(identity);
    }
  });

  test.each(['123@host', 'onetear/a/b', 'onetear/a/b/c', ''])('%j is not ours', (text) => {
    expect(parseWorkerIdentity(text)).toBeUndefined();
  });
});
