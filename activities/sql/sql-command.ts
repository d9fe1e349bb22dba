import { sqlDialect, type SqlDialect } from '../../dsl/expression/sql.ts';
import type { Command } from '../../dsl/model/command.ts';
import type { Value, ValueMap } from '../../dsl/model/value.ts';
import type { Execution, JobContext } from '../run-types.ts';
import { runWorkerJob, type WorkerAnswer, type WorkerWork } from '../worker-jobs/worker-job.ts';
import { mysqlDriver } from './mysql-driver.ts';
import { postgresDriver } from './postgres-driver.ts';
import { DsnError, loadPackage, type RowSink, type SqlConnection, type SqlDriver, type SqlTarget } from './sql-driver.ts';

const PACKAGES = { postgres: 'pg', mysql: 'mysql2' } as const satisfies { readonly [dialect in SqlDialect]: string };
const DATABASES = { postgres: 'PostgreSQL', mysql: 'MySQL and MariaDB' } as const;
/** More rows than this are no answer that a test looks at. */
const ROW_LIMIT = 1_000_000;

/** Statements that only show something: they may be sent again. A SELECT may call a function that does anything (`pg_promote()`), so it is not one. */
const SHOWS = /^\s*show\b[^;]*;?\s*$/iu;

/**
 * `run: sql`: one statement (or several, without marks) on a connection of its own. stdout = rows as `psql -At` prints them, exit code 0 = executed,
 * 1 = an error of the database, 2 = no connection. Marks of the query are bind parameters.
 */
export const sqlCommand: Command<JobContext, Execution> = {
  async execute(context) {
    const { options, env } = context.command;
    const dsn = options['dsn'];
    const query = options['query'];
    if (typeof dsn !== 'string' || typeof query !== 'string') return refused('dsn and query must be texts');
    const dialect = sqlDialect(dsn);
    if (dialect === undefined)
      return refused('dsn: is not the address of a database; write postgres://user@host/db or mysql://user@host/db');
    const loaded = await loadPackage(PACKAGES[dialect], context.run.suiteDir);
    if (loaded === undefined) {
      const name = PACKAGES[dialect];
      return refused(
        `run: sql for ${DATABASES[dialect]} needs the package ${name}: npm install ${name} (where onetear is installed, or beside the suite)`,
      );
    }
    const driver = dialect === 'postgres' ? postgresDriver(loaded) : mysqlDriver(loaded);
    const idempotent = typeof options['idempotent'] === 'boolean' ? options['idempotent'] : SHOWS.test(query);
    const params = Array.isArray(options['params']) ? (options['params'] as readonly Value[]) : [];
    return runWorkerJob(context.place, {
      job: context.job,
      idempotent,
      timeoutMs: context.timeoutMs,
      run: (work) => runStatement(driver, { dsn, env, timeoutMs: context.timeoutMs }, query, params, work),
    });
  },
};

function refused(why: string): Execution {
  return { kind: 'not_run', code: 'refused', why };
}

async function runStatement(
  driver: SqlDriver,
  target: SqlTarget,
  query: string,
  params: readonly Value[],
  { signal, stdout }: WorkerWork,
): Promise<WorkerAnswer> {
  const rows: ValueMap[] = [];
  const stderr: string[] = [];
  const answer = (exitCode: number, sqlstate: string | null, outcomeUnknown = false): WorkerAnswer => ({
    exitCode,
    stderr: stderr.map((line) => `${line}\n`).join(''),
    facts: { rows, sqlstate },
    jsonIsRows: true,
    outcomeUnknown,
  });
  let connection: SqlConnection;
  const connecting = driver.connect(target);
  try {
    connection = await orAborted(connecting, signal);
  } catch (error) {
    if (signal.aborted) {
      // It may still come; nobody will use it.
      connecting.then(
        (late) => late.destroy(),
        () => undefined,
      );
      stderr.push('no connection yet');
      return answer(2, null);
    }
    if (error instanceof DsnError) stderr.push(error.message);
    else stderr.push(driver.explain(error).text);
    return answer(2, error instanceof DsnError ? null : driver.explain(error).sqlstate);
  }

  let tooMuch = false;
  const sink: RowSink = {
    row(columns, texts, values) {
      if (tooMuch) return false;
      tooMuch = !stdout.write(`${texts.map((text) => text ?? '').join('|')}\n`) || rows.length >= ROW_LIMIT;
      if (!tooMuch) rows.push(Object.fromEntries(columns.map((name, index) => [name, values[index] as Value])));
      return !tooMuch;
    },
    done: (tag) => void stdout.write(`${tag}\n`),
    notice: (text) => void stderr.push(text),
  };
  const onAbort = (): void => {
    // The server should not go on with what nobody waits for; if it cannot be told, the connection is dropped below all the same.
    connection.cancel().catch(() => undefined);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) return answer(2, null);
    await connection.query(query, params, sink);
    if (!tooMuch) return answer(0, null);
  } catch (error) {
    if (!tooMuch) {
      const { sqlstate, text, disconnected, unknown } = driver.explain(error);
      stderr.push(text);
      return answer(disconnected ? 2 : 1, sqlstate, unknown);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    connection.destroy();
  }
  stderr.push('the rows are more than 64 MiB or a million');
  return answer(63, null, true);
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      const stop = (): void => reject(new Error('aborted'));
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }),
  ]);
}
