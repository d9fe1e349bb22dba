import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compileSuite } from '../../dsl/compile/compile-suite.ts';
import { describePlan, planText } from '../../dsl/compile/describe-plan.ts';
import { renderDiagnostic } from '../../dsl/parse/code-frame.ts';
import { parseSuite } from '../../dsl/parse/parse-suite.ts';

/**
 * Every example and every suite in this folder compiles to exactly the stored plan (plan.json, and plan.txt for people), or to exactly
 * the stored diagnostics (diagnostics.txt). `UPDATE_GOLDENS=1` writes them anew: read the difference before it is committed.
 */
const here = dirname(fileURLToPath(import.meta.url));
const examples = join(here, '../../examples');
const update = process.env['UPDATE_GOLDENS'] === '1';

function suitesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'suite.yaml')))
    .map((entry) => join(folder, entry.name))
    .sort();
}

interface Outcome {
  readonly plan?: string;
  readonly text?: string;
  readonly diagnostics: string;
}

function compile(folder: string, execute: boolean): Outcome {
  const parsed = parseSuite({ file: 'suite.yaml', text: readFileSync(join(folder, 'suite.yaml'), 'utf8') }, (path) => {
    const file = join(folder, path);
    return existsSync(file) ? { text: readFileSync(file, 'utf8') } : { problem: 'no such file' };
  });
  const compiled = parsed.suite && compileSuite(parsed.suite, { seed: 1, digest: '0'.repeat(64), execute });
  const diagnostics = [...parsed.diagnostics, ...(compiled?.diagnostics ?? [])]
    .map((each) => renderDiagnostic(each, parsed.sources))
    .join('\n');
  if (!compiled?.plan) return { diagnostics };
  return {
    plan: `${JSON.stringify(compiled.plan, null, 1)}\n`,
    text: `${planText(describePlan(compiled.plan, compiled.diagnostics))}\n`,
    diagnostics,
  };
}

/** The stored text; with UPDATE_GOLDENS=1 what was found becomes it. */
function stored(file: string, actual: string | undefined): string | undefined {
  if (update && actual !== undefined) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
  }
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

describe.each(suitesIn(examples))('%s', (folder) => {
  it('compiles to the stored plan', () => {
    const found = compile(folder, false);
    expect(found.diagnostics).toBe('');
    expect(found.plan).toBe(stored(join(here, 'examples', basename(folder), 'plan.json'), found.plan));
    expect(found.text).toBe(stored(join(here, 'examples', basename(folder), 'plan.txt'), found.text));
  });
});

describe.each(suitesIn(here))('%s', (folder) => {
  it('compiles to the stored plan or the stored diagnostics', () => {
    const found = compile(folder, basename(folder) === 'not-supported');
    expect(found.plan).toBe(stored(join(folder, 'plan.json'), found.plan));
    expect(found.text).toBe(stored(join(folder, 'plan.txt'), found.text));
    expect(found.diagnostics === '' ? undefined : `${found.diagnostics}\n`).toBe(
      stored(join(folder, 'diagnostics.txt'), found.diagnostics === '' ? undefined : `${found.diagnostics}\n`),
    );
  });

  it('is the same plan every time, and survives JSON', () => {
    const { plan } = compile(folder, false);
    expect(compile(folder, false).plan).toBe(plan);
    expect(plan === undefined || `${JSON.stringify(JSON.parse(plan), null, 1)}\n` === plan).toBe(true);
  });
});
