// `npm run bench [-- --only plan,steps]`: every performance claim of the project, as ratios against a peer in the same run where there is one.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setUp } from '../scripts/setup.mjs';
import { createBench, report, root } from './harness.mjs';

const { values: flags } = parseArgs({ options: { only: { type: 'string' }, out: { type: 'string' } } });
const names = ['plan', 'start', 'steps', 'ssh', 'events', 'memory', 'resume'].filter(
  (name) => !flags.only || flags.only.split(',').includes(name),
);

setUp();
const bench = createBench();
const rows = [];
try {
  for (const name of names) {
    process.stderr.write(`bench: ${name}\n`);
    const { run } = await import(`./scenarios/${name}.mjs`);
    rows.push(...(await run(bench)));
  }
} finally {
  bench.close();
}
report(rows, flags.out ?? join(root, 'docs', 'proof', `bench-${new Date().toISOString().slice(0, 10)}.json`));
process.exitCode = rows.some((row) => row.ok === false) ? 1 : 0;
