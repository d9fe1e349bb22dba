import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Value } from '../../dsl/model/value.ts';

/** A database we can talk to; one file each implements it. */
export interface SqlDriver {
  /** Rejects with the database's or the system's own error: then no statement was sent. */
  connect(target: SqlTarget): Promise<SqlConnection>;
  /** What an error of `connect` or `query` means. */
  explain(error: unknown): SqlError;
}

export interface SqlTarget {
  readonly dsn: string;
  /** Environment of the command: PGUSER, PGPASSWORD and the like. */
  readonly env: { readonly [name: string]: string };
  /** The server is told to end a statement after this. */
  readonly timeoutMs: number;
}

export interface SqlConnection {
  /** Sends the statement. Resolves when all its results came; rejects with the error of the database, or of the connection. */
  query(text: string, params: readonly Value[], rows: RowSink): Promise<void>;
  /** Asks the server, on another connection, to end the statement that runs. Rejects when it cannot be asked. */
  cancel(): Promise<void>;
  /** Drops the connection. */
  destroy(): void;
}

export interface RowSink {
  /** Another row. `texts` as the server writes them, `null` = NULL. False = enough. */
  row(columns: readonly string[], texts: readonly (string | null)[], values: readonly Value[]): boolean;
  /** A statement that gives no rows has ended: `INSERT 0 1`. */
  done(tag: string): void;
  notice(text: string): void;
}

export interface SqlError {
  readonly sqlstate: string | null;
  /** Lines for people, the error first. */
  readonly text: string;
  /** The connection is gone, or never was. */
  readonly disconnected: boolean;
  /** Whether the statement took effect is not known, given that it was sent. */
  readonly unknown: boolean;
}

/** Thrown for an address that cannot be read; one line. */
export class DsnError extends Error {
  readonly code = 'SQL_DSN';
}

/**
 * Loads the client package of a database when it is first needed: from where we are installed, else from the suite's folder.
 * `undefined` = it is not installed.
 */
export async function loadPackage(name: 'pg' | 'mysql2', suiteDir: string): Promise<unknown> {
  try {
    return await import(name);
  } catch (error) {
    if (!isMissing(error, name)) throw error;
  }
  try {
    return await import(pathToFileURL(createRequire(join(suiteDir, 'suite.js')).resolve(name)).href);
  } catch (error) {
    if (isMissing(error, name)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message = '' } = error as { readonly code?: string; readonly message?: string };
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(`'${name}'`);
}

/** A number that JSON keeps exactly, else the text. */
export function numberOrText(text: string): number | string {
  const value = Number(text);
  const digits = text.replace(/^[-+]?0*/u, '').replace(/[.eE].*$/u, '').length;
  if (!Number.isFinite(value) || text.trim() === '') return text;
  if (Number.isInteger(value) ? Number.isSafeInteger(value) : digits + (text.split('.')[1] ?? '').length <= 15) return value;
  return text;
}
