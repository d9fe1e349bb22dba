// The sample cases of the suite language, run from beside the project when they are there. Cases of features that are not executable yet
// (tests/conformance-later.json) must end in "not supported yet": a wrong verdict is a failure here.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './setup.mjs';

const runner = process.env.ONETEAR_CONFORMANCE ?? join(root, '..', 'shared', 'conformance', 'run');
if (!existsSync(runner)) {
  process.stdout.write('the sample cases are not beside this checkout; nothing to run\n0 passed, 0 failed\n');
  process.exit(0);
}
const later = new Set(JSON.parse(readFileSync(join(root, 'tests', 'conformance-later.json'), 'utf8')));
const home = mkdtempSync(join(tmpdir(), 'onetear-conformance-'));
const cli = join(root, 'dist', 'client', 'main.js');
const env = { ...process.env, ONETEAR: `${process.execPath} ${cli}`, ONETEAR_HOME: home };

/** The runner's line holds only the tail of what was said, so ask again. */
function saysNotSupported(name) {
  const suite = join(dirname(runner), 'cases', name, 'suite.yaml');
  const { status, stdout } = spawnSync(process.execPath, [cli, 'start', suite, '--output', 'json', '--results', join(home, 'later')], {
    encoding: 'utf8',
    env,
  });
  return status === 4 && stdout.includes('SUITE_NOT_SUPPORTED') && stdout.includes('not supported yet');
}

try {
  const { stdout } = spawnSync(runner, ['-v', '-j', '2'], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20 * 60_000,
  });
  let [passed, failed] = [0, 0];
  for (const line of stdout.split('\n')) {
    const [, word, name] = /^(ok|FAIL)\s+(\S+)/.exec(line) ?? [];
    if (!name) continue;
    const known = later.has(name) && word === 'FAIL' && saysNotSupported(name);
    const good = word === 'ok' || known;
    if (word === 'ok' && later.has(name)) process.stdout.write(`${name} passes: take it out of tests/conformance-later.json\n`);
    if (good) passed += 1;
    else failed += 1;
    process.stdout.write(
      `${good ? (known ? 'later' : 'ok   ') : 'FAIL '} ${known ? `${name}: not supported yet, and says so` : line.replace(/^\w+\s+/, '')}\n`,
    );
  }
  if (passed + failed === 0) failed = 1;
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
} finally {
  spawnSync(process.execPath, [cli, 'server', 'stop'], { env, stdio: 'ignore', timeout: 60_000 });
  rmSync(home, { recursive: true, force: true });
}
