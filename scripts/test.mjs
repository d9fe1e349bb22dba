// `npm test`: set up, then every layer that this machine can run. The last line is `N passed, N failed[, N skipped]`, true totals.
//   --long           also the long set          --only a,b   these layers          --skip a,b   all but these
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setUp } from './setup.mjs';
import { layers } from './test-layers.mjs';
import { isDebianRoot, missingNeed, notApplicable } from './test-needs.mjs';

const { values: flags } = parseArgs({ options: { long: { type: 'boolean' }, only: { type: 'string' }, skip: { type: 'string' } } });
const listed = (text) => text?.split(',').filter(Boolean) ?? [];
const bin = (name) => join(root, 'node_modules', '.bin', name);
const env = { ...process.env, ...(flags.long ? { ONETEAR_LONG: '1' } : {}) };

const kinds = { checks: runChecks, vitest: runVitest, command: runCommand };
const chosen = layers.filter(
  (layer) =>
    (flags.long || !layer.long) && (!flags.only || listed(flags.only).includes(layer.name)) && !listed(flags.skip).includes(layer.name),
);

setUp();
await provideTemporal();
const scratch = mkdtempSync(join(tmpdir(), 'onetear-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const add = (counts) => Object.keys(total).forEach((key) => (total[key] += counts[key] ?? 0));

/** Tests that start a server of their own use the binary that onetear itself finds or fetches; one install for all layers. */
async function provideTemporal() {
  if (env.ONETEAR_TEMPORAL_BIN || !chosen.some((layer) => layer.needs?.includes('temporal')) || missingNeed(['temporal'])) return;
  const { locateTemporal } = await import('../dist/client/processes/locate-temporal.js');
  const { resolveHome } = await import('../dist/activities/store/home-paths.js');
  const onProgress = (text) => process.stderr.write(`${text}\n`);
  try {
    env.ONETEAR_TEMPORAL_BIN = (await locateTemporal({ home: resolveHome(env), env, onProgress })).path;
  } catch (error) {
    // The layers that need it will say so.
    process.stderr.write(`${error.message}\n`);
  }
}

function runChecks() {
  const checks = [
    { name: 'types', program: 'tsc', args: ['-p', 'tsconfig.json'] },
    { name: 'lint', program: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
    { name: 'format', program: 'oxfmt', args: ['--check', '.'] },
  ];
  const counts = { passed: 0, failed: 0 };
  for (const { name, program, args } of checks) {
    const { status, stdout, stderr } = spawnSync(bin(program), args, { cwd: root, encoding: 'utf8' });
    counts[status === 0 ? 'passed' : 'failed'] += 1;
    if (status !== 0) process.stdout.write(`FAIL ${name}\n${stdout}${stderr}\n`);
  }
  return counts;
}

function runVitest(layer) {
  const report = join(scratch, `${layer.name}.json`);
  const folders = layer.folders.filter((folder) => existsSync(join(root, folder)));
  // vitest takes a filter as part of a path: `workflows` would also mean tests/workflows.
  const outside = folders.some((folder) => folder.startsWith('tests/')) ? [] : ['--exclude', 'tests/**'];
  const args = ['run', ...folders, ...outside, '--reporter=default', '--reporter=json', `--outputFile=${report}`];
  const { status } = spawnSync(bin('vitest'), args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env });
  if (!existsSync(report)) return { failed: 1 };
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const allowed = notApplicable();
  const open = result.testResults
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status === 'skipped' || test.status === 'pending' || test.status === 'todo');
  const skipped = open.filter((test) => !allowed.some((entry) => test.fullName.includes(entry.test)));
  for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
  // A file that could not be loaded has no tests to count: it is one failure.
  const unloaded = result.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  const counts = { passed: result.numPassedTests, failed: result.numFailedTests + unloaded, skipped: skipped.length };
  // vitest also ends badly for errors outside of tests (an unhandled rejection); never let that pass.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed + counts.failed + counts.skipped === 0) counts.failed = 1;
  return counts;
}

function runCommand(layer) {
  const { status, stdout } = spawnSync(process.execPath, layer.command, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  process.stdout.write(stdout);
  const match = /(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/.exec(stdout);
  if (!match) return { failed: 1 };
  const counts = { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3] ?? 0) };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

try {
  for (const layer of chosen) {
    const reason = missingNeed(layer.needs);
    const began = Date.now();
    process.stdout.write(`\n== ${layer.name}\n`);
    const counts = reason ? { skipped: 1 } : kinds[layer.kind](layer);
    if (reason) process.stdout.write(`skipped: ${reason}\n`);
    process.stdout.write(
      `== ${layer.name}: ${counts.passed ?? 0} passed, ${counts.failed ?? 0} failed, ${counts.skipped ?? 0} skipped (${((Date.now() - began) / 1000).toFixed(1)} s)\n`,
    );
    add(counts);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
// Where everything can be installed, a skip hides something.
const hidden = isDebianRoot() && total.skipped > 0;
if (hidden) process.stdout.write('\nOn a Debian machine with root nothing may be skipped: the skipped ones above count as failures.\n');
const failed = total.failed + (hidden ? total.skipped : 0);
process.stdout.write(`\n${total.passed} passed, ${failed} failed${!hidden && total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 ? 1 : 0;
