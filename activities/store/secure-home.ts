import { chmodSync, existsSync, lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes `$ONETEAR_HOME` for this user alone: 0700, for it holds outputs, histories and the server's database, which others must not read. One that is
 * there and open is closed if it is certainly ours: our user's, and with our host id in it. Nothing else is changed, a `/tmp` given by mistake
 * least of all.
 */
export function secureHome(home: string): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const stat = lstatSync(home);
  if (!stat.isDirectory() || (stat.mode & 0o077) === 0 || (stat.mode & 0o1000) !== 0 || stat.uid !== process.getuid?.()) return;
  if (existsSync(path.join(home, 'host-id'))) chmodSync(home, 0o700);
}
