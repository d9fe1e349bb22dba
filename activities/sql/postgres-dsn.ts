import { readFileSync } from 'node:fs';

import { DsnError } from './sql-driver.ts';

/** What the client of PostgreSQL is told. */
export interface PostgresConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string;
  readonly ssl:
    | false
    | {
        readonly rejectUnauthorized: boolean;
        readonly ca?: string;
        readonly cert?: string;
        readonly key?: string;
        checkServerIdentity?(): undefined;
      };
  readonly options?: string;
  readonly application_name: string;
}

const KNOWN = new Set(
  'host hostaddr port user password dbname application_name options sslmode sslrootcert sslcert sslkey connect_timeout'.split(' '),
);

/** Reads `postgres://…` and `host=… dbname=…` as libpq does; what is not written comes from PGHOST and the like of the command's environment. */
export function postgresConfig(dsn: string, env: { readonly [name: string]: string }): PostgresConfig {
  const given = /^postgres(?:ql)?:\/\//iu.test(dsn) ? fromUrl(dsn) : fromPairs(dsn);
  for (const key of Object.keys(given)) if (!KNOWN.has(key)) throw new DsnError(`dsn: "${key}" is not supported`);
  const host = given['hostaddr'] ?? given['host'] ?? env['PGHOST'] ?? 'localhost';
  if (host.includes(',')) throw new DsnError('dsn: several hosts are not supported; ask each, or use a mark that names one');
  const port = given['port'] ?? env['PGPORT'] ?? '5432';
  if (!/^\d{1,5}$/u.test(port)) throw new DsnError(`dsn: ${JSON.stringify(port)} is not a port`);
  const user = given['user'] ?? env['PGUSER'] ?? env['USER'] ?? 'postgres';
  const password = given['password'] ?? env['PGPASSWORD'];
  return {
    host,
    port: Number(port),
    user,
    database: given['dbname'] ?? env['PGDATABASE'] ?? user,
    ...(password !== undefined && { password }),
    ssl: sslOf(given, env),
    ...(given['options'] !== undefined && { options: given['options'] }),
    application_name: given['application_name'] ?? 'onetear',
  };
}

function sslOf(given: { readonly [key: string]: string }, env: { readonly [name: string]: string }): PostgresConfig['ssl'] {
  const mode = given['sslmode'] ?? env['PGSSLMODE'] ?? 'disable';
  const root = given['sslrootcert'] ?? env['PGSSLROOTCERT'];
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return false;
  if (!['require', 'verify-ca', 'verify-full'].includes(mode)) throw new DsnError(`dsn: ${JSON.stringify(mode)} is not an sslmode`);
  const files = {
    ...(root !== undefined && root !== 'system' && { ca: read(root, 'sslrootcert') }),
    ...(given['sslcert'] !== undefined && { cert: read(given['sslcert'], 'sslcert') }),
    ...(given['sslkey'] !== undefined && { key: read(given['sslkey'], 'sslkey') }),
  };
  if (mode === 'require' && root === undefined) return { ...files, rejectUnauthorized: false };
  if (mode === 'verify-full') return { ...files, rejectUnauthorized: true };
  return { ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined };
}

function read(file: string, key: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new DsnError(`dsn: ${key}: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
}

/** By hand: `URL` refuses what libpq takes, such as a user without a host. */
function fromUrl(dsn: string): { [key: string]: string } {
  const match =
    /^[a-z]+:\/\/(?:(?<user>[^:@/?]*)(?::(?<password>[^@/?]*))?@)?(?<host>\[[^\]]*\]|[^:/?]*)(?::(?<port>[^/?]*))?(?:\/(?<dbname>[^?]*))?(?:\?(?<query>.*))?$/isu.exec(
      dsn,
    );
  if (match?.groups === undefined) throw new DsnError('dsn: is not an address such as postgres://user@host:5432/db');
  const given: { [key: string]: string } = {};
  for (const key of ['user', 'password', 'host', 'port', 'dbname']) {
    const text = match.groups[key];
    if (text !== undefined && text !== '') given[key] = decode(text.replace(/^\[|\]$/gu, ''));
  }
  for (const pair of (match.groups['query'] ?? '').split('&').filter((text) => text !== '')) {
    const at = pair.indexOf('=');
    if (at === -1) throw new DsnError(`dsn: ${JSON.stringify(pair)} has no value`);
    given[decode(pair.slice(0, at))] = decode(pair.slice(at + 1));
  }
  return given;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DsnError('dsn: has a % that does not begin an escape');
  }
}

/** `key=value key='a b'`; a backslash takes the next character as it is. */
function fromPairs(dsn: string): { [key: string]: string } {
  const given: { [key: string]: string } = {};
  const pattern = /\s*(?<key>[a-z_]+)\s*=\s*(?:'(?<quoted>(?:[^'\\]|\\.)*)'|(?<bare>(?:[^\s'\\]|\\.)*))(?=\s|$)/gisuy;
  const text = dsn.trimEnd();
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (found?.groups === undefined) throw new DsnError('dsn: is not a list of name=value');
    given[found.groups['key'] as string] = (found.groups['quoted'] ?? found.groups['bare'] ?? '').replaceAll(/\\(.)/gsu, '$1');
  }
  return given;
}
