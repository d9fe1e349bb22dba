// Parse, check and plan 10,000 testcases of four steps in one process that has done it before (what `start` pays), and as a whole process.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../harness.mjs';

export function largeSuite(testcases) {
  const lines = ['commands:', '  - { name: a, cmd: "true" }', '  - { name: b, cmd: echo hi, expect: { contains: hi } }', 'testcases:'];
  for (let i = 0; i < testcases; i += 1) {
    lines.push(`  - name: case_${i}`, '    description: a testcase of a large suite', `    tags: [t${i % 7}]`, '    steps:');
    lines.push('      - a', '      - use: b', '        timeout: 20s', '      - { id: c, use: a, retry: 2 }', '      - cmd: echo done');
  }
  return `${lines.join('\n')}\n`;
}

export async function run(bench) {
  const { parseSuite } = await import('../../dist/dsl/parse/parse-suite.js');
  const { compileSuite } = await import('../../dist/dsl/compile/compile-suite.js');
  const text = largeSuite(10_000);
  const times = [];
  for (let i = 0; i < 4; i += 1) {
    const began = performance.now();
    const { suite, diagnostics } = parseSuite({ file: 'suite.yaml', text }, () => ({ problem: 'no includes here' }));
    if (!suite) throw new Error(JSON.stringify(diagnostics.slice(0, 3)));
    const { plan } = compileSuite(suite, { seed: 1, digest: '', envOverrides: {}, paramOverrides: {}, selection: {}, execute: true });
    if (plan?.cells.length !== 10_000) throw new Error('the plan is not complete');
    times.push(performance.now() - began);
  }
  const file = join(bench.scratch, 'large.yaml');
  writeFileSync(file, text);
  const began = performance.now();
  const done = bench.onetear(['validate', file]);
  const whole = performance.now() - began;
  if (done.status !== 0) throw new Error(done.stderr.slice(0, 500));
  return [
    { scenario: 'plan', figure: '10,000 testcases, first time (s)', ours: times[0] / 1000, target: '<= 0.8', ok: times[0] <= 800 },
    { scenario: 'plan', figure: '10,000 testcases, median of 4 (s)', ours: median(times) / 1000 },
    { scenario: 'plan', figure: 'onetear validate, whole process (s)', ours: whole / 1000 },
  ];
}
