import type { EventEmitter } from 'node:events';

import type { Value } from '../../dsl/model/value.ts';
import { postgresConfig, type PostgresConfig } from './postgres-dsn.ts';
import { numberOrText, type SqlConnection, type SqlDriver, type SqlError, type SqlTarget } from './sql-driver.ts';

/** The parts of package `pg` that we use. */
interface Pg {
  readonly Client: new (config: object) => PgClient;
  readonly Query: new (config: object) => EventEmitter;
}

interface PgClient extends EventEmitter {
  readonly processID: number | null;
  readonly connection: EventEmitter & { readonly stream: { destroy(): void } };
  connect(): Promise<unknown>;
  query(query: EventEmitter): unknown;
  query(text: string, values: readonly unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

interface PgResult {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

interface PgError extends Error {
  readonly code?: string;
  readonly severity?: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** How long the server is asked to end a statement. */
const CANCEL_MS = 2_000;
const AS_TEXT = { getTypeParser: () => (text: string) => text };

/** PostgreSQL through `pg` (as loaded: its exports, or a default export that has them). */
export function postgresDriver(loaded: unknown): SqlDriver {
  const pg = ((loaded as { readonly default?: Pg }).default ?? loaded) as Pg;
  return {
    async connect(target) {
      const config = postgresConfig(target.dsn, target.env);
      return connection(pg, config, await open(pg, config, target));
    },
    explain: explainError,
  };
}

async function open(pg: Pg, config: PostgresConfig, target: SqlTarget): Promise<PgClient> {
  const limits = { statement_timeout: Math.ceil(target.timeoutMs) };
  try {
    return await openWith(pg, { ...config, ...limits });
  } catch (error) {
    // A pooler in between may know no such parameter; then only our own clock ends a statement.
    const { code, message } = error as PgError;
    if (code !== '08P01' || !message.includes('startup parameter')) throw error;
    return openWith(pg, config);
  }
}

async function openWith(pg: Pg, config: object): Promise<PgClient> {
  const client = new pg.Client({ ...config, keepAlive: true, types: AS_TEXT });
  // A connection that breaks later is told by the query; without a listener it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function connection(pg: Pg, config: PostgresConfig, client: PgClient): SqlConnection {
  return {
    query(text, params, rows) {
      const query = new pg.Query({ text, values: params.map(bound), rowMode: 'array', types: AS_TEXT });
      // The client itself keeps only the first word of a tag. A statement with rows says enough by them.
      let hasRows = false;
      client.connection.on('rowDescription', () => (hasRows = true));
      client.connection.on('commandComplete', ({ text: tag }: { readonly text: string }) => {
        if (!hasRows) rows.done(tag);
        hasRows = false;
      });
      client.on('notice', (notice: PgError) => rows.notice(`${notice.severity ?? 'NOTICE'}:  ${notice.message}`));
      return new Promise((resolve, reject) => {
        query.on('row', (texts: readonly (string | null)[], result: PgResult) => {
          const names = result.fields.map(({ name }) => name);
          const values = texts.map((each, index) => typed(each, result.fields[index]?.dataTypeID ?? 0));
          if (!rows.row(names, texts, values)) client.connection.stream.destroy();
        });
        query.on('end', () => resolve());
        query.on('error', reject);
        client.query(query);
      });
    },
    async cancel() {
      if (client.processID === null) return;
      const other = await openWith(pg, { ...config, connectionTimeoutMillis: CANCEL_MS, query_timeout: CANCEL_MS });
      try {
        await other.query('select pg_cancel_backend($1)', [client.processID]);
      } finally {
        other.connection.stream.destroy();
      }
    },
    destroy() {
      client.connection.stream.destroy();
    },
  };
}

/** The driver makes arrays of lists and JSON of maps by itself. */
function bound(value: Value): unknown {
  return value;
}

const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);
const JSONS: ReadonlySet<number> = new Set([114, 3802]);
const BOOL = 16;

function typed(text: string | null, type: number): Value {
  if (text === null) return null;
  if (type === BOOL) return text === 't';
  if (NUMBERS.has(type)) return numberOrText(text);
  return JSONS.has(type) ? (JSON.parse(text) as Value) : text;
}

function explainError(error: unknown): SqlError {
  const { code = '', severity, message, detail, hint } = error as PgError;
  if (severity === undefined || !/^[0-9A-Z]{5}$/u.test(code)) {
    return { sqlstate: null, text: `connection: ${systemText(error)}`, disconnected: true, unknown: true };
  }
  const lines = [`${severity}:  ${code}: ${message}`];
  if (detail !== undefined) lines.push(`DETAIL:  ${detail}`);
  if (hint !== undefined) lines.push(`HINT:  ${hint}`);
  const disconnected = severity === 'FATAL' || severity === 'PANIC';
  // 40003: the server itself does not know. 08 and 57P: the connection went while something may have been committed.
  return { sqlstate: code, text: lines.join('\n'), disconnected, unknown: /^(?:08|57P|40003)/u.test(code) };
}

/** Several addresses that were tried are one error each. */
export function systemText(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(systemText).join('; ');
  return error instanceof Error && error.message !== '' ? error.message : String((error as { code?: unknown }).code ?? error);
}
