import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  judgeKey,
  lookUpHost,
  lookupName,
  matchesHost,
  parseKnownHosts,
  readKnownHosts,
  wireType,
} from '../../activities/nodes/ssh/known-hosts.ts';
import { fingerprint } from '../../activities/nodes/ssh/ssh-problem.ts';
import { keygen, run } from './sshd.ts';

describe('known_hosts', () => {
  let dir: string;
  const keys: string[] = [];
  const file = (): string => join(dir, 'known_hosts');
  const key = (index: number): Buffer => Buffer.from((keys[index] as string).split(' ')[1] as string, 'base64');

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'onetear-known-'));
    for (const [index, type] of ['ed25519', 'ecdsa', 'rsa', 'ed25519'].entries()) {
      keygen(join(dir, `k${index}`), type);
      keys.push(
        readFileSync(join(dir, `k${index}.pub`), 'utf8')
          .split(' ')
          .slice(0, 2)
          .join(' '),
      );
    }
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** Lines of the file that ssh-keygen finds for a name. */
  const found = (name: string): readonly number[] => {
    const done = spawnSync('ssh-keygen', ['-F', name, '-f', file()], { encoding: 'utf8' });
    return [...done.stdout.matchAll(/found: line (\d+)/g)].map((match) => Number(match[1]));
  };
  const ours = (name: string): readonly number[] =>
    parseKnownHosts(readFileSync(file(), 'utf8'), file())
      .filter((line) => matchesHost(line, name))
      .map(({ line }) => line);

  it('finds the lines that ssh-keygen -F finds', () => {
    const names = [
      'pg1',
      'pg2',
      'PG1',
      'pg10',
      'db.example.com',
      'web.example.com',
      '10.0.0.1',
      '10.0.0.7',
      '[pg1]:2222',
      '[10.0.0.1]:22',
      '[10.0.0.9]:2200',
      'fe80::1',
      'a.b',
      'axb',
      'other',
    ];
    writeFileSync(
      file(),
      [
        '# a comment',
        '',
        `pg1 ${keys[0]} a comment of the key`,
        `pg1,10.0.0.1 ${keys[1]}`,
        `*.example.com,!web.example.com ${keys[0]}`,
        `!web.example.com,*.example.com ${keys[2]}`,
        `pg? ${keys[2]}`,
        `[pg1]:2222,[10.0.0.*]:2200 ${keys[0]}`,
        `10.0.0.* ${keys[3]}`,
        `@revoked pg2 ${keys[0]}`,
        `@cert-authority *.example.com ${keys[1]}`,
        `a.b,fe80::1 ${keys[0]}`,
        `  \tpg2\t${keys[0]}`,
        `pg10 ${keys[0]}\r`,
        '',
      ].join('\n'),
    );
    for (const name of names) expect([name, ours(name)]).toEqual([name, found(name)]);
    expect(ours('pg1')).toEqual([3, 4, 7]);
    expect(ours('web.example.com')).toEqual([11]);
  });

  it('finds hashed names', () => {
    writeFileSync(file(), `pg1 ${keys[0]}\n[pg1]:2222 ${keys[1]}\n10.0.0.7 ${keys[2]}\n`);
    run('ssh-keygen', ['-H', '-f', file()]);
    expect(readFileSync(file(), 'utf8')).not.toContain('pg1');
    for (const name of ['pg1', 'PG1', '[pg1]:2222', '10.0.0.7', 'pg2', '[pg1]:22'])
      expect([name, ours(name)]).toEqual([name, found(name.toLowerCase())]);
    expect(ours('[pg1]:2222')).toEqual([2]);
  });

  it('leaves out what it cannot understand, without making anything else known', () => {
    const good = key(0);
    const lines = parseKnownHosts(
      [
        'pg1',
        'pg1 ssh-ed25519',
        'pg1 ssh-ed25519 AAAA',
        `pg1 ssh-rsa ${good.toString('base64')}`,
        `@unknown-marker pg1 ${keys[0]}`,
        `|2|abc|def ${keys[0]}`,
        `|1|abc ${keys[0]}`,
        `, ${keys[0]}`,
        'pg1 1024 35 1234567890',
      ].join('\n'),
      'f',
    );
    expect(lines.filter((line) => matchesHost(line, 'pg1'))).toEqual([]);
    expect(wireType(good)).toBe('ssh-ed25519');
    expect(wireType(Buffer.from([255, 255, 255, 255, 1]))).toBe('');
  });

  it('judges: known, unknown, changed, revoked before known', () => {
    const lines = parseKnownHosts(
      `pg1 ${keys[0]}\npg1 ${keys[1]}\n@revoked * ${keys[3]}\npg2 ${keys[3]}\n@cert-authority pg3 ${keys[2]}\n`,
      'f',
    );
    const judge = (name: string, index: number) => judgeKey(lookUpHost(lines, name), key(index));
    expect(judge('pg1', 0).kind).toBe('known');
    expect(judge('pg1', 1).kind).toBe('known');
    expect(judge('pg1', 2)).toMatchObject({ kind: 'changed', known: [{ line: 1 }, { line: 2 }] });
    expect(judge('pg2', 3)).toMatchObject({ kind: 'revoked', by: { line: 3 } });
    expect(judge('pg3', 2)).toMatchObject({ kind: 'unknown', authorities: [{ line: 5 }] });
    expect(judge('pg4', 0)).toEqual({ kind: 'unknown', authorities: [] });
  });

  it('writes names and fingerprints as OpenSSH does', () => {
    expect(lookupName('pg1', 22)).toBe('pg1');
    expect(lookupName('fe80::1', 2222)).toBe('[fe80::1]:2222');
    for (const index of [0, 1, 2])
      expect(run('ssh-keygen', ['-l', '-f', join(dir, `k${index}.pub`)])).toContain(` ${fingerprint(key(index))} `);
  });

  it('reads several files, again when they change, and refuses one that cannot be read', () => {
    const second = join(dir, 'second');
    writeFileSync(file(), `pg1 ${keys[0]}\n`);
    writeFileSync(second, `@revoked pg1 ${keys[0]}\n`);
    const all = () => readKnownHosts([file(), join(dir, 'none'), second]);
    expect(judgeKey(lookUpHost(all(), 'pg1'), key(0)).kind).toBe('revoked');
    writeFileSync(second, '# nothing any more\n');
    utimesSync(second, 1, 1);
    expect(judgeKey(lookUpHost(all(), 'pg1'), key(0)).kind).toBe('known');
    expect(() => readKnownHosts([dir])).toThrow(/cannot be read/);
    chmodSync(dir, 0o700);
  });
});
