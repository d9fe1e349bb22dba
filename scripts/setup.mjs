// What a fresh clone needs before anything else can run: the npm packages of the lock file, then the build.
// Plain Node, no packages. Idempotent: does nothing when nothing changed (a fraction of a second).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a program in the project's folder with its output shown; ends this process with a clear message when it fails. */
export function run(program, args, options = {}) {
  const done = spawnSync(program, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (done.error) fail(`cannot run ${program}: ${done.error.message}`);
  if (done.status !== 0) fail(`${program} ${args.join(' ')} ended with ${done.status ?? done.signal}`);
}

export function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) fail(`onetear needs Node 20.19 or later, this is ${process.version}`);
}

/** `npm ci` when the lock file differs from the one that was installed last. */
function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.onetear-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('installing packages (once, about half a minute)\n');
  // No install scripts: nothing here needs them, and they are where supply-chain attacks live.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, lock);
}

export function setUp() {
  checkNode();
  installPackages();
  run(process.execPath, [join(root, 'scripts', 'build.mjs')]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp();
