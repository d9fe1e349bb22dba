import { logLine } from './json-log.ts';
import { runWorker } from './run-worker.ts';
import { parseWorkerArguments } from './worker-config.ts';

/**
 * Process entry of a detached worker. Exit 0: stopped by SIGTERM or SIGINT; 1: it broke, the keeper starts another one.
 * `process.exit` is deliberate: an activity that hangs must not keep the process.
 */
try {
  await runWorker(parseWorkerArguments(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  logLine('ERROR', 'worker stopped by an error', { error });
  process.exit(1);
}
