// `npm run demo`: set up, run the quick-start suite, say where the evidence is and what to try next.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

setUp();
const cli = join(root, 'dist', 'client', 'main.js');
const results = join(root, 'onetear-results', 'demo');
const suite = join('examples', 'quickstart', 'suite.yaml');
const started = spawnSync(process.execPath, [cli, 'start', suite, '--results', results, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
if (started.status !== 0) process.exit(started.status ?? 1);

const { run } = JSON.parse(readFileSync(join(results, 'run.json'), 'utf8'));
spawnSync(process.execPath, [cli, 'report', run, '--html', join(results, 'html')], { cwd: root, stdio: 'inherit' });
const status = JSON.parse(spawnSync(process.execPath, [cli, 'server', 'status', '--json'], { cwd: root, encoding: 'utf8' }).stdout || '{}');
const onetear = 'node dist/client/main.js';
process.stdout.write(`
Report        ${join(results, 'html', 'index.html')}
JUnit, JSON   ${results}
Web UI        ${status.ui ?? 'see: onetear server status'}

Next:
  ${onetear} show last                                   what happened, step by step
  ${onetear} start ${suite} --param lossy=true    the same suite against a service that loses writes
  ${onetear} plan ${suite}                        what would run
  ${onetear} server stop                                 stop the local Temporal server (it also stops by itself when idle)
`);
