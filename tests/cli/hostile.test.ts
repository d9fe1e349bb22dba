import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlayground, root, type Playground } from '../support/onetear.ts';

/** Texts that are small as a file and large as anything else, read by a process that may use little memory. */

let play: Playground;
beforeAll(() => {
  play = createPlayground();
});
afterAll(() => play.close());

const bomb = Array.from({ length: 30 }, (_, level) =>
  level === 0
    ? 'a0: &a0 [x, x, x, x, x, x, x, x, x]'
    : `a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`,
).join('\n');

it.each([
  ['aliases of aliases', `${bomb}\ntestcases: *a29\n`],
  ['100,000 nested lists', `testcases: ${'['.repeat(100_000)}${']'.repeat(100_000)}\n`],
  [
    'a matrix of 100^6 cells',
    `commands: [{ name: c, cmd: "true" }]
testcases:
  - name: t
    strategy: { matrix: { ${['a', 'b', 'c', 'd', 'e', 'f'].map((axis) => `${axis}: [${Array.from({ length: 100 }, (_, i) => i).join(', ')}]`).join(', ')} } }
    steps: [c]
`,
  ],
])('%s: a diagnostic, not the end of the process', (name, text) => {
  const file = join(play.dir, 'hostile.yaml');
  writeFileSync(file, text);
  const began = Date.now();
  const { status, signal, stderr, stdout } = spawnSync(
    process.execPath,
    ['--max-old-space-size=512', join(root, 'dist/client/main.js'), 'validate', file],
    { encoding: 'utf8', timeout: 25_000, env: { ...process.env, ONETEAR_HOME: play.home, NO_COLOR: '1' } },
  );
  expect({ name, signal, status, tail: (stderr + stdout).slice(-300) }).toMatchObject({ signal: null, status: 4 });
  expect(stderr + stdout).toMatch(/error [A-Z_]+:/);
  expect(Date.now() - began).toBeLessThan(20_000);
});
