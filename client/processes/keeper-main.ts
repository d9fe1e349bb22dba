import { logLine } from '../../worker/json-log.ts';
import { parseKeeperArguments } from './keeper-config.ts';
import { runKeeper } from './keeper.ts';

/** Process entry of the keeper. Exit 0: stopped, idle, or another keeper holds the lock; 1: it cannot do its work. */
try {
  await runKeeper(parseKeeperArguments(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  logLine('ERROR', 'keeper stopped by an error', { error });
  process.exit(1);
}
