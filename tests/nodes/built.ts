import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** A private build of the activities, for tests that need them in a process of their own. */
export function buildActivities(): { readonly url: (path: string) => string; remove(): void } {
  const cache = join(PROJECT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'onetear-nodes-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}\n');
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(PROJECT, 'tsconfig.build.json'),
      compilerOptions: {
        outDir: join(folder, 'dist'),
        rootDir: PROJECT,
        declaration: false,
        sourceMap: false,
        types: ['node'],
        typeRoots: [join(PROJECT, 'node_modules', '@types')],
      },
      include: [join(PROJECT, 'activities/run-command.ts'), join(PROJECT, 'activities/sample-command.ts')],
      exclude: [],
    }),
  );
  const { status, stdout } = spawnSync(join(PROJECT, 'node_modules', '.bin', 'tsc'), ['-p', folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the activities do not build:\n${stdout}`);
  return {
    url: (path) => new URL(`file://${folder}/dist/${path}`).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
