import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blobPath } from '../../activities/store/blob-store.ts';
import { homePaths } from '../../activities/store/home-paths.ts';
import { writeTestcaseRecord } from '../../activities/store/run-store.ts';
import { writeReports } from '../../activities/store/write-reports.ts';
import type { TestcaseRecord } from '../../dsl/model/record.ts';
import { hasAnalytics, stripAnalytics } from '../../report/strip-analytics.ts';
import { finishedRun, records } from './finished-sample.ts';

const root = mkdtempSync(path.join(tmpdir(), 'onetear-reports-'));
const home = homePaths(path.join(root, 'home'));
const results = path.join(root, 'results');
const vendor = path.join(import.meta.dirname, '..', 'vendor');
const bigLog = 'line of a long log\n'.repeat(2000);
const reference = `sha256:${createHash('sha256').update(bigLog).digest('hex')}`;

/** The sample with a log that is kept whole in the store. */
const written: readonly TestcaseRecord[] = records.map((record) => {
  if (record.testcase !== 'good') return record;
  const steps = record.steps.map((step) =>
    step.step === 'one'
      ? {
          ...step,
          results: step.results.map((result) => ({
            ...result,
            stdout: { text: bigLog.slice(0, 8000), bytes: bigLog.length, truncated: true, artifact: reference },
          })),
        }
      : step,
  );
  return { ...record, steps };
});

beforeAll(async () => {
  for (const record of written) await writeTestcaseRecord(home, record);
  const blob = blobPath(home.storeDir, reference);
  mkdirSync(path.dirname(blob), { recursive: true });
  writeFileSync(blob, bigLog);
  expect(await writeReports({ home, storeDir: home.storeDir, run: finishedRun, resultsDir: results })).toEqual({ missing: [] });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Path → hash of every file below a folder. */
function snapshot(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const named = files.map((entry) => path.join(entry.parentPath, entry.name)).toSorted();
  return Object.fromEntries(named.map((file) => [path.relative(dir, file), createHash('sha256').update(readFileSync(file)).digest('hex')]));
}

describe('reports of a run', () => {
  test('are all there', () => {
    const names = Object.keys(snapshot(results)).filter((name) => !name.startsWith('allure-results/'));
    expect(names).toEqual([
      '.onetear-files',
      'artifacts/good.a1/one/local.stdout.txt',
      'ctrf.json',
      'events.ndjson',
      'junit.xml',
      'run.json',
      'summary.md',
      'testcases/faulty.a1.json',
      'testcases/flaky.a1.json',
      'testcases/flaky.a2.json',
      'testcases/good.a1.json',
      'testcases/hostile[a%7Cb-%3C1%3E].a1.json',
      'testcases/late.a0.json',
    ]);
    expect(readFileSync(path.join(results, 'artifacts/good.a1/one/local.stdout.txt'), 'utf8')).toBe(bigLog);
    expect(statSync(path.join(results, 'artifacts/good.a1/one/local.stdout.txt')).nlink).toBe(2);
  });

  test('events.ndjson numbers its lines, is in the order of time and ends with run.json', () => {
    const lines = readFileSync(path.join(results, 'events.ndjson'), 'utf8').trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.map((event) => event['seq'])).toEqual(events.map((_event, index) => index + 1));
    expect(events[0]).toMatchObject({ v: 1, type: 'run_started', run: finishedRun.run, total: 5 });
    const times = events.slice(1, -1).map((event) => String(event['ts']));
    expect(times).toEqual(times.toSorted());
    expect(JSON.parse(readFileSync(path.join(results, 'run.json'), 'utf8'))).toEqual(events.at(-1));
    expect(events.at(-1)).toMatchObject({ type: 'run_finished', exit: 10, recovery: 'owed' });
    const order = events.flatMap((event) =>
      event['type'] === 'testcase_finished' ? [`${String(event['testcase'])}.a${String(event['attempt'])}`] : [],
    );
    expect(order).toEqual(['good.a1', 'hostile[a|b-<1>].a1', 'flaky.a1', 'flaky.a2', 'faulty.a1', 'late.a0']);
    const flooded = events.find((event) => event['step'] === 'one' && event['type'] === 'step_finished');
    expect(flooded?.['results']).toMatchObject([
      { truncated: true, artifact: 'artifacts/good.a1/one/local.stdout.txt', stdout_bytes: bigLog.length },
    ]);
  });

  test('junit.xml is valid by the schema of the CI servers, whatever was printed', () => {
    const file = path.join(results, 'junit.xml');
    execFileSync('xmllint', ['--noout', '--schema', path.join(vendor, 'junit-10.xsd'), file], { stdio: 'pipe' });
    const count = (expression: string): string => execFileSync('xmllint', ['--xpath', expression, file], { encoding: 'utf8' }).trim();
    expect(count('string(/testsuites/@tests)')).toBe('5');
    expect(count('count(//testcase)')).toBe('5');
    expect(count('count(//testcase[failure])')).toBe('1');
    expect(count('count(//testcase[error])')).toBe('1');
    expect(count('count(//testcase[skipped])')).toBe('1');
    expect(count('count(//testcase[@name="flaky"]/flakyError)')).toBe('1');
    expect(count('count(//testcase[not(@name=preceding::testcase/@name)])')).toBe('5');
    expect(count('string(//testcase[failure]/system-out)')).toContain('x ]]> <b>&amp; red  </script>');
    expect(count('string(//testcase[@name="good"]/system-out)')).toContain('[[ATTACHMENT|artifacts/good.a1/one/local.stdout.txt]]');
    expect(readFileSync(file, 'utf8')).not.toContain('\u001b');
  });

  test('ctrf.json is valid by the schema of its makers', () => {
    const require = createRequire(import.meta.url);
    const Ajv = require('ajv') as new (options: object) => { compile(schema: object): ((data: unknown) => boolean) & { errors?: unknown } };
    const addFormats = require('ajv-formats') as { default?: (ajv: object) => void } & ((ajv: object) => void);
    const ajv = new ((Ajv as unknown as { default?: typeof Ajv }).default ?? Ajv)({ allErrors: true, strict: false });
    (addFormats.default ?? addFormats)(ajv);
    const validate = ajv.compile(JSON.parse(readFileSync(path.join(vendor, 'ctrf-schema-0.0.json'), 'utf8')) as object);
    const report = JSON.parse(readFileSync(path.join(results, 'ctrf.json'), 'utf8')) as {
      results: { tests: { name: string; status: string; rawStatus: string }[] };
    };
    validate(report);
    expect(validate.errors).toBeNull();
    expect(report.results.tests.map((each) => `${each.name} ${each.status} ${each.rawStatus}`)).toEqual([
      'good passed passed',
      'hostile[a|b-<1>] failed failed',
      'flaky passed passed',
      'faulty failed broken',
      'late skipped skipped',
    ]);
  });

  test('writing again gives the same files, also over the leftovers of a killed writer', async () => {
    const before = snapshot(results);
    for (const dir of ['.', 'testcases', 'allure-results']) {
      writeFileSync(path.join(results, dir, '.onetear-write-0123'), 'half');
      writeFileSync(path.join(results, dir, '.allure-write-0123.tmp'), 'half');
    }
    await writeReports({ home, storeDir: home.storeDir, run: finishedRun, resultsDir: results });
    expect(snapshot(results)).toEqual(before);
  });

  test('killed anywhere and run again, the files are those of one that was not killed', async () => {
    const expected = snapshot(results);
    const writer = await bundleWriter();
    let kills = 0;
    for (let count = 0; ; count += 3) {
      const dir = path.join(root, `killed-${count}`);
      const signal = await killAtRename(writer, dir, count);
      if (signal === 'SIGKILL') kills += 1;
      await writeReports({ home, storeDir: home.storeDir, run: finishedRun, resultsDir: dir });
      expect(snapshot(dir)).toEqual(expected);
      if (signal === null) break;
    }
    expect(kills).toBeGreaterThan(7);
  }, 60_000);

  test('a folder with the results of another run is taken over, foreign files stay', async () => {
    const dir = path.join(root, 'reused');
    cpSync(results, dir, { recursive: true });
    const manifest = path.join(dir, '.onetear-files');
    const outside = path.join(root, 'outside.txt');
    const own = ['notes.txt', 'testcases/mine.json', 'testcases/sub/mine.a1.json', 'artifacts/core', 'allure-results/mine-result.json'];
    for (const file of [...own.map((name) => path.join(dir, name)), outside]) {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, 'mine');
    }
    for (const name of ['testcases/old.a1.json', 'artifacts/old.a1/one/n1.stdout.txt']) {
      mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
      writeFileSync(path.join(dir, name), '{}');
      appendFileSync(manifest, `${name}\n`);
    }
    appendFileSync(manifest, `../outside.txt\n${outside}\n`);
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(finishedRun.run, 'another-run'));
    await writeReports({ home, storeDir: home.storeDir, run: finishedRun, resultsDir: dir });
    expect(existsSync(path.join(dir, 'testcases', 'old.a1.json'))).toBe(false);
    expect(existsSync(path.join(dir, 'artifacts', 'old.a1'))).toBe(false);
    for (const name of own) {
      expect(readFileSync(path.join(dir, name), 'utf8')).toBe('mine');
      rmSync(path.join(dir, name));
    }
    expect(readFileSync(outside, 'utf8')).toBe('mine');
    expect(snapshot(dir)).toEqual(snapshot(results));
  });

  test('a log that the store has lost is named, and the reports are written', async () => {
    const dir = path.join(root, 'lost');
    const { missing } = await writeReports({ home, storeDir: path.join(root, 'no-store'), run: finishedRun, resultsDir: dir });
    expect(missing).toEqual(['artifacts/good.a1/one/local.stdout.txt']);
    expect(existsSync(path.join(dir, 'run.json'))).toBe(true);
  });
});

/** The writer as one JavaScript file, for a process of its own: Node 20 runs no TypeScript. */
async function bundleWriter(): Promise<string> {
  const entry = path.join(root, 'entry.ts');
  const writer = path.join(import.meta.dirname, '..', '..', 'activities', 'store', 'write-reports.ts');
  writeFileSync(
    entry,
    `import { readFileSync } from 'node:fs';
import { writeReports } from ${JSON.stringify(writer)};
await writeReports(JSON.parse(readFileSync(process.argv[2], 'utf8')));
`,
  );
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({ input: entry, platform: 'node', logLevel: 'silent' });
  const { output } = await bundle.write({ file: path.join(root, 'writer.mjs'), format: 'esm', codeSplitting: false });
  return path.join(root, output[0].fileName);
}

/** Writes reports in a process that is killed in the middle of its n-th rename, i.e. between two files. Resolves with the signal it died of. */
async function killAtRename(writer: string, dir: string, count: number): Promise<NodeJS.Signals | null> {
  const job = path.join(root, 'job.json');
  writeFileSync(job, JSON.stringify({ home, storeDir: home.storeDir, run: finishedRun, resultsDir: dir }));
  const main = path.join(root, 'killed.mjs');
  writeFileSync(
    main,
    `import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
let left = ${count};
for (const [owner, name] of [[promises, 'rename'], [fs, 'renameSync']]) {
  const real = owner[name];
  owner[name] = (...paths) => {
    left -= 1;
    if (left < 0) process.kill(process.pid, 'SIGKILL');
    return real(...paths);
  };
}
syncBuiltinESMExports();
await import(${JSON.stringify(writer)});
`,
  );
  const child = spawn(process.execPath, [main, job], { stdio: 'inherit' });
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal;
}

describe('allure', () => {
  test('reads the results: counts, retries, fixtures; the page talks to nobody', () => {
    const out = path.join(root, 'allure-report');
    const cli = path.join(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'allure');
    execFileSync(cli, ['awesome', path.join(results, 'allure-results'), '-o', out], { cwd: root, stdio: 'pipe', timeout: 60_000 });
    const statistic = JSON.parse(readFileSync(path.join(out, 'widgets', 'statistic.json'), 'utf8')) as object;
    expect(statistic).toMatchObject({ total: 5, passed: 2, failed: 1, broken: 1, skipped: 1 });
    const cases = readdirSync(path.join(out, 'data', 'test-results')).map(
      (name) => JSON.parse(readFileSync(path.join(out, 'data', 'test-results', name), 'utf8')) as Record<string, any>,
    );
    const byName = (name: string) => cases.find((each) => each['name'] === name && each['isRetry'] !== true && each['hidden'] !== true);
    expect(byName('flaky')?.['retries']).toHaveLength(1);
    expect(byName('good')?.['setup']).toMatchObject([{ name: 'title of testcase.before#1' }]);
    const faults = byName('faulty')?.['steps'][0].steps.filter((step: { name: string }) => step.name.startsWith('fault '));
    expect(faults.map((step: { name: string }) => step.name)).toEqual(['fault kill on n1: recovered', 'fault kill on n2: owed']);
    expect(byName('hostile[a|b-<1>]')?.['error']).toMatchObject({ expected: '0', actual: '1' });
    const page = readFileSync(path.join(out, 'index.html'), 'utf8');
    expect(hasAnalytics(page)).toBe(true);
    const stripped = stripAnalytics(page);
    expect(hasAnalytics(stripped)).toBe(false);
    expect(stripped.length).toBeGreaterThan(page.length - 1500);
    expect(stripped.match(/<script/gu)?.length).toBe(page.match(/<\/script>/gu)!.length - 2);
  }, 90_000);

  test('attempts of one testcase never share a start', () => {
    const files = readdirSync(path.join(results, 'allure-results')).filter((name) => name.endsWith('-result.json'));
    const starts = files.map(
      (name) => JSON.parse(readFileSync(path.join(results, 'allure-results', name), 'utf8')) as { testCaseId: string; start: number },
    );
    const keys = starts.map((each) => `${each.testCaseId} ${each.start}`);
    expect(files).toHaveLength(6);
    expect(new Set(keys).size).toBe(6);
  });
});
