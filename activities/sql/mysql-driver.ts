import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';

import type { Value } from '../../dsl/model/value.ts';
import { systemText } from './postgres-driver.ts';
import { DsnError, numberOrText, type SqlConnection, type SqlDriver, type SqlError } from './sql-driver.ts';

/** The parts of package `mysql2` that we use. */
interface Mysql {
  createConnection(config: object): MysqlConnection;
}

interface MysqlConnection extends EventEmitter {
  readonly threadId: number;
  connect(callback: (error: Error | null) => void): void;
  query(options: object): EventEmitter;
  execute(options: object): EventEmitter;
  destroy(): void;
}

interface Field {
  readonly name: string;
  readonly columnType?: number;
  readonly type?: number;
}

interface MysqlError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  readonly fatal?: boolean;
}

const CANCEL_MS = 2_000;

/** MySQL and MariaDB through `mysql2` (as loaded: its exports, or a default export that has them). */
export function mysqlDriver(loaded: unknown): SqlDriver {
  const mysql = ((loaded as { readonly default?: Mysql }).default ?? loaded) as Mysql;
  return {
    async connect({ dsn, env }) {
      const config = mysqlConfig(dsn, env);
      return connection(mysql, config, await open(mysql, config));
    },
    explain: explainError,
  };
}

function open(mysql: Mysql, config: object): Promise<MysqlConnection> {
  return new Promise((resolve, reject) => {
    const client = mysql.createConnection(config);
    client.on('error', () => undefined);
    client.connect((error) => {
      if (error === null || error === undefined) resolve(client);
      else {
        client.destroy();
        reject(error);
      }
    });
  });
}

function connection(mysql: Mysql, config: object, client: MysqlConnection): SqlConnection {
  return {
    query(sql, params, rows) {
      return new Promise((resolve, reject) => {
        // With parameters the server prepares the statement: values travel beside it, never inside.
        const options = { sql, rowsAsArray: true, ...(params.length > 0 && { values: params.map(bound) }) };
        const query = params.length > 0 ? client.execute(options) : client.query(options);
        let fields: readonly Field[] = [];
        query.on('fields', (given: readonly Field[] | undefined) => (fields = given ?? []));
        query.on('result', (row: readonly unknown[] | { readonly affectedRows?: number }) => {
          if (!Array.isArray(row)) {
            rows.done(`OK ${(row as { readonly affectedRows?: number }).affectedRows ?? 0}`);
            return;
          }
          const texts = (row as readonly unknown[]).map(textOf);
          const values = texts.map((text, index) => typed(text, fields[index]));
          if (
            !rows.row(
              fields.map(({ name }) => name),
              texts,
              values,
            )
          )
            client.destroy();
        });
        query.on('end', () => resolve());
        query.on('error', reject);
        // A connection that goes while the statement runs.
        client.once('error', reject);
      });
    },
    async cancel() {
      const other = await open(mysql, { ...config, connectTimeout: CANCEL_MS });
      try {
        await new Promise<void>((resolve, reject) => {
          const query = other.query({ sql: `KILL QUERY ${client.threadId}` });
          query.on('end', () => resolve());
          query.on('error', reject);
          setTimeout(resolve, CANCEL_MS).unref();
        });
      } finally {
        other.destroy();
      }
    },
    destroy: () => client.destroy(),
  };
}

/** Reads `mysql://user:password@host:port/db?socket=…&ssl-mode=…`. */
export function mysqlConfig(dsn: string, env: { readonly [name: string]: string }): object {
  let url: URL;
  try {
    url = new URL(dsn);
  } catch {
    throw new DsnError('dsn: is not an address such as mysql://user@host:3306/db');
  }
  const { searchParams } = url;
  for (const key of searchParams.keys()) {
    if (!['socket', 'ssl-mode', 'ssl-ca', 'charset'].includes(key)) throw new DsnError(`dsn: "${key}" is not supported`);
  }
  const socket = searchParams.get('socket');
  const password = url.password === '' ? env['MYSQL_PWD'] : decodeURIComponent(url.password);
  const ssl = sslOf(searchParams);
  return {
    ...(socket === null
      ? { host: url.hostname.replace(/^\[|\]$/gu, ''), port: Number(url.port === '' ? 3306 : url.port) }
      : { socketPath: socket }),
    user: url.username === '' ? (env['USER'] ?? 'root') : decodeURIComponent(url.username),
    ...(password !== undefined && { password }),
    ...(url.pathname.length > 1 && { database: decodeURIComponent(url.pathname.slice(1)) }),
    ...(ssl !== undefined && { ssl }),
    charset: searchParams.get('charset') ?? 'utf8mb4',
    // As the server writes them: dates without a time zone of ours, numbers that a double cannot hold.
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    jsonStrings: true,
    multipleStatements: true,
    connectTimeout: 2 ** 31 - 1,
  };
}

function sslOf(params: URLSearchParams): object | undefined {
  const mode = (params.get('ssl-mode') ?? 'DISABLED').toUpperCase();
  if (mode === 'DISABLED' || mode === 'PREFERRED') return undefined;
  const ca = params.get('ssl-ca');
  const files = ca === null ? {} : { ca: readCertificate(ca) };
  if (mode === 'REQUIRED') return { ...files, rejectUnauthorized: false };
  if (mode === 'VERIFY_CA') return { ...files, rejectUnauthorized: true, verifyIdentity: false };
  if (mode === 'VERIFY_IDENTITY') return { ...files, rejectUnauthorized: true, verifyIdentity: true };
  throw new DsnError(`dsn: ${JSON.stringify(mode)} is not an ssl-mode`);
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new DsnError(`dsn: ssl-ca: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
}

/** A whole number goes as text: as a double, which is what the driver would send, LIMIT refuses it. */
function bound(value: Value): unknown {
  if (typeof value === 'number' && Number.isInteger(value)) return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) {
    const text = value.toString('utf8');
    return Buffer.from(text, 'utf8').equals(value) ? text : `0x${value.toString('hex')}`;
  }
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

/** decimal, tiny, short, long, float, double, longlong, int24, newdecimal */
const NUMBERS: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 8, 9, 246]);
const JSON_TYPE = 245;

function typed(text: string | null, field: Field | undefined): Value {
  if (text === null) return null;
  const type = field?.columnType ?? field?.type ?? -1;
  if (NUMBERS.has(type)) return numberOrText(text);
  return type === JSON_TYPE ? (JSON.parse(text) as Value) : text;
}

function explainError(error: unknown): SqlError {
  const { code, errno, sqlState, fatal, message } = error as MysqlError;
  const state = sqlState === undefined || sqlState === '' ? null : sqlState.replace(/^#/u, '');
  // An error of the server that is not fatal leaves the connection, and the statement is over.
  if (state !== null && fatal !== true && errno !== undefined) {
    return { sqlstate: state, text: `ERROR ${errno} (${state}): ${message}`, disconnected: false, unknown: false };
  }
  const text = state === null ? `connection: ${systemText(error)}` : `ERROR ${errno ?? code ?? ''} (${state}): ${message}`;
  return { sqlstate: state, text, disconnected: true, unknown: true };
}
