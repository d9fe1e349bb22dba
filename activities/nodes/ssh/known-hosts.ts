import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

import { NodeError } from '../node-error.ts';

/** One line of a known_hosts file that we understand. */
export interface KnownHostsLine {
  readonly marker: 'none' | 'revoked' | 'cert-authority';
  /** Patterns in written order; a hashed name is one of kind `hash`. */
  readonly patterns: readonly HostPattern[];
  readonly keyType: string;
  /** The key as it goes over the wire. */
  readonly key: Buffer;
  readonly file: string;
  readonly line: number;
}

export type HostPattern =
  | { readonly kind: 'plain'; readonly negated: boolean; readonly matches: RegExp }
  | { readonly kind: 'hash'; readonly salt: Buffer; readonly hash: Buffer };

/** What the files say about a host before it has shown a key. */
export interface KnownHost {
  readonly keys: readonly KnownHostsLine[];
  readonly revoked: readonly KnownHostsLine[];
  /** `@cert-authority` lines that match the host; certificates cannot be checked. */
  readonly authorities: readonly KnownHostsLine[];
}

export type KeyJudgement =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown'; readonly authorities: readonly KnownHostsLine[] }
  /** The host is known with other keys. */
  | { readonly kind: 'changed'; readonly known: readonly KnownHostsLine[] }
  | { readonly kind: 'revoked'; readonly by: KnownHostsLine };

/**
 * Reads the text of a known_hosts file as sshd(8) describes it. A line that cannot be understood is left out, as OpenSSH does:
 * it can only make a host less known, never more; a revocation is read even when its key is of a type we do not use.
 */
export function parseKnownHosts(text: string, file: string): readonly KnownHostsLine[] {
  const lines: KnownHostsLine[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const words = line.split(/[ \t]+/);
    let marker: KnownHostsLine['marker'] = 'none';
    if (words[0]?.startsWith('@')) {
      const word = words.shift();
      if (word === '@revoked') marker = 'revoked';
      else if (word === '@cert-authority') marker = 'cert-authority';
      else continue;
    }
    const [names = '', keyType = '', encoded = ''] = words;
    const key = Buffer.from(encoded, 'base64');
    // The blob repeats its type; what does not is damaged (or a key of protocol 1).
    if (keyType === '' || wireType(key) !== keyType) continue;
    const patterns = names.startsWith('|') ? hashedName(names) : names.split(',').filter(Boolean).map(plainPattern);
    if (patterns.length > 0) lines.push({ marker, patterns, keyType, key, file, line: index + 1 });
  }
  return lines;
}

/** Type name at the beginning of a public key as it goes over the wire. */
export function wireType(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  return length <= key.length - 4 && length < 200 ? key.toString('latin1', 4, 4 + length) : '';
}

function hashedName(text: string): readonly HostPattern[] {
  const [, version, salt = '', hash = '', more] = text.split('|');
  if (version !== '1' || more !== undefined) return [];
  return [{ kind: 'hash', salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }];
}

function plainPattern(word: string): HostPattern {
  const negated = word.startsWith('!');
  const text = (negated ? word.slice(1) : word).toLowerCase();
  const source = text
    .replace(/[\\^$.|+()[\]{}/-]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return { kind: 'plain', negated, matches: new RegExp(`^${source}$`, 's') };
}

/** True when a line is about the name: some pattern matches and no negated one does. */
export function matchesHost(line: KnownHostsLine, name: string): boolean {
  const host = name.toLowerCase();
  let found = false;
  for (const pattern of line.patterns) {
    if (pattern.kind === 'hash') {
      const hash = createHmac('sha1', pattern.salt).update(host).digest();
      if (hash.length === pattern.hash.length && timingSafeEqual(hash, pattern.hash)) found = true;
    } else if (pattern.matches.test(host)) {
      if (pattern.negated) return false;
      found = true;
    }
  }
  return found;
}

/** Name under which a host is looked up: with its port only when that is not 22. */
export function lookupName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

export function lookUpHost(lines: readonly KnownHostsLine[], name: string): KnownHost {
  const matching = lines.filter((line) => matchesHost(line, name));
  return {
    keys: matching.filter(({ marker }) => marker === 'none'),
    revoked: matching.filter(({ marker }) => marker === 'revoked'),
    authorities: matching.filter(({ marker }) => marker === 'cert-authority'),
  };
}

/** Judges the key that a host has shown. A revocation counts before everything else. */
export function judgeKey(host: KnownHost, key: Buffer): KeyJudgement {
  const by = host.revoked.find((line) => line.key.equals(key));
  if (by) return { kind: 'revoked', by };
  if (host.keys.some((line) => line.key.equals(key))) return { kind: 'known' };
  if (host.keys.length > 0) return { kind: 'changed', known: host.keys };
  return { kind: 'unknown', authorities: host.authorities };
}

const parsed = new Map<string, { readonly stamp: string; readonly lines: readonly KnownHostsLine[] }>();

/**
 * Lines of several files, in order; a file that does not exist is empty. Parsed again only when it changed.
 * Throws NODE_REFUSED for a file that cannot be read: it may hold a revocation.
 */
export function readKnownHosts(files: readonly string[]): readonly KnownHostsLine[] {
  return files.flatMap((file) => {
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      const known = parsed.get(file);
      if (known?.stamp === stamp) return known.lines;
      const lines = parseKnownHosts(readFileSync(file, 'utf8'), file);
      parsed.set(file, { stamp, lines });
      return lines;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return [];
      throw new NodeError('NODE_REFUSED', `the known_hosts file ${file} cannot be read: ${(error as Error).message}`);
    }
  });
}
