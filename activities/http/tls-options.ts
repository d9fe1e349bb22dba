import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import type { Value } from '../../dsl/model/value.ts';

/** How a connection is secured, as Node's TLS takes it. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/** Reads the `tls` of a command. Files are relative to the suite's folder. The problem says what cannot be read. */
export function tlsOptions(tls: Value | undefined, suiteDir: string): { readonly options: TlsOptions } | { readonly problem: string } {
  if (tls === undefined || tls === null) return { options: { rejectUnauthorized: true } };
  if (typeof tls !== 'object' || Array.isArray(tls)) return { problem: 'tls must be a map' };
  const given = tls as { readonly [key: string]: Value };
  const texts: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const text = given[name];
    if (text === undefined || text === null) continue;
    if (typeof text !== 'string') return { problem: `tls.${name} must be a text` };
    if (text.includes('-----BEGIN')) texts[name] = text;
    else {
      try {
        texts[name] = readFileSync(resolve(suiteDir, text), 'utf8');
      } catch (error) {
        return { problem: `tls.${name}: cannot read ${text}: ${(error as NodeJS.ErrnoException).code ?? 'error'}` };
      }
    }
  }
  const name = given['server_name'];
  return {
    options: { ...texts, ...(typeof name === 'string' && { servername: name }), rejectUnauthorized: given['insecure'] !== true },
  };
}
