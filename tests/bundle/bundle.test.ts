import { builtinModules } from 'node:module';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

/** Characters. Measured, plus about 15 %; every cached workflow pays for what stands here. */
const CEILING = 1_700_000;

let code: string;
beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  ({ code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') }));
}, 60_000);

/** Paths of the modules in the bundle, as webpack names them. */
function modules(): string[] {
  return [...code.matchAll(/^\/\*\*\*\/ "([^"]+)"$/gm)].map((match) => match[1] as string);
}

describe('workflow bundle', () => {
  it('holds our workflows and no parser, no schema library, no Node module', () => {
    const names = modules();
    expect(names.length).toBeGreaterThan(50);
    expect(names.some((name) => name.includes('workflows/suite/suite.ts'))).toBe(true);
    const forbidden =
      /node_modules\/(?:yaml|zod|ssh2|commander|allure[^/]*|@temporalio\/(?:client|worker|activity))\/|^(?:\.\/)?(?:activities|client|worker|report|dsl\/parse|dsl\/compile)\//;
    expect(names.filter((name) => forbidden.test(name))).toEqual([]);
    expect(/require\(["']node:/.test(code)).toBe(false);
    const builtins = new Set(builtinModules);
    const external = names.filter((name) => name.startsWith('external ')).map((name) => name.replaceAll(/external |"/g, ''));
    // The sandbox itself offers these.
    expect(external.filter((name) => builtins.has(name) && !['assert', 'url', 'util'].includes(name))).toEqual([]);
  });

  it('is small', () => {
    // The inline source map is never loaded into a workflow.
    const size = code.replace(/\/\/# sourceMappingURL=.*$/s, '').length;
    expect(size).toBeLessThan(CEILING);
  });
});
