import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPlayground, eventsOf, type Finished, type Playground } from '../support/onetear.ts';

/**
 * One run that does with its secrets whatever a suite can do, and then a search for them in everything that is left of it and in the list of
 * processes while it ran.
 */

const SECRETS = {
  // From the environment.
  TOKEN: `t0k/Zq+8x=="'<&>-ünï-${'k3y'.repeat(4)}`,
  // From the file: with a line end, as keys have.
  PRIVATE_KEY: '-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEFAASC\nqgpJ+/xY92b0Zz\n-----END KEY-----',
  PIN: '90210887',
};

const SUITE = `
secrets: [TOKEN, PRIVATE_KEY, PIN]
context:
  env: { ALWAYS: "\${{ secrets.TOKEN }}" }
commands:
  - name: forms
    env: { T: "\${{ secrets.TOKEN }}", URL: "postgres://u:\${{ secrets.PIN }}@h/\${{ params.db }}" }
    cmd: |
      set -x
      echo "raw $T and $ALWAYS and $URL"
      echo "shell: " \${{ secrets.TOKEN }} "\${{ secrets.PRIVATE_KEY }}"
      printf '%s' "$T" | base64
      printf 'x%s' "$T" | base64 -w 20 >&2
      printf '%s' "$T" | od -An -v -tx1 | tr -d ' \\n'
      node -e 'const t=process.env.T; console.log(JSON.stringify({t}), encodeURIComponent(t), t.replaceAll("&","&amp;").replaceAll("<","&lt;"))'
  - name: pieces
    cmd: |
      printf '%s' "$ALWAYS" | head -c 9; sleep 0.3; printf '%s' "$ALWAYS" | tail -c +10
      echo
      seq 1 3000; echo "deep in a long log: $ALWAYS"; seq 1 3000
  - name: stdin
    stdin: "\${{ secrets.PRIVATE_KEY }} and \${{ params.db }}"
    cmd: cat; ls "$(dirname "$0")" 2>/dev/null; sha256sum /dev/null
  - name: named
    cmd: echo "{\\"t\\":\\"x\\",\\"pin\\":$PIN}"; echo "tail $ALWAYS"
    env: { PIN: "\${{ secrets.PIN }}" }
    outputs: { line: 'stdout.split("\\n")[1]', pin: 'int(stdout.split(":")[2].split("}")[0])' }
  - name: reads
    cmd: echo "got \${{ steps.named.outputs.line }} \${{ steps.named.stdout }}"
  - name: flaky
    cmd: echo "try with $ALWAYS" >&2; test -e again || { touch again; exit 3; }
    retry: { max: 2, delay: 0 }
  - name: wrong
    cmd: printf '%300s' ''; echo "so near $ALWAYS"
    expect: { equals: something else, not_contains: near, json: { a: 1 }, expr: ['int(stdout) > 0'] }
  - name: module
    run: module
    file: leaky.mjs
  - name: waits
    cmd: echo "$ALWAYS"
  - name: survivor
    cmd: echo "$ALWAYS"; sleep 30
    timeout: 1
chaos:
  - name: hurt
    cmd: echo "hurting with \${{ secrets.TOKEN }}"; touch hurt
    verify: { cmd: 'echo "seen \${{ secrets.TOKEN }}"; test -e hurt' }
    recover: { cmd: 'echo "healing $ALWAYS \${{ secrets.PIN }}"; rm hurt', verify: { cmd: '! test -e hurt' } }
testcases:
  - name: good
    params: { db: main }
    steps: [forms, pieces, stdin, named, reads, flaky, hurt, { cmd: 'sleep 1' }]
    assert: { eventually: { command: waits, contains: t0k, within: 5 } }
  - { name: bad, params: { db: main }, steps: [wrong], hooks: { on_fail: [{ cmd: 'echo "hook $ALWAYS"' }], after: [{ cmd: 'echo "after $ALWAYS"' }] } }
  - { name: throws, params: { db: main }, steps: [module] }
  - { name: slow, params: { db: main }, steps: [survivor] }
  - { name: never, params: { db: main }, steps: [{ cmd: 'true' }], assert: { eventually: { command: waits, equals: no, within: 1 } } }
`;

let play: Playground;
let finished: Finished;
const seenInProcesses = new Map<string, string>();
let modes: string | undefined;

/** Forms that a search would find; the masker knows more. */
function forms(): readonly (readonly [string, string])[] {
  return Object.entries(SECRETS).flatMap(([name, value]) => {
    const texts = [
      value,
      JSON.stringify(value).slice(1, -1),
      JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
      encodeURIComponent(value),
      Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1),
      Buffer.from(` ${value}`).toString('base64').slice(2, -4),
      Buffer.from(`  ${value}`).toString('base64').slice(3, -4),
      Buffer.from(value).toString('hex'),
      value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
      ...value.split('\n').filter((line) => line.length > 12 && !line.startsWith('-----')),
    ];
    return [...new Set(texts)].map((text) => [name, text] as const);
  });
}

function leaksIn(bytes: Buffer): readonly string[] {
  return [...new Set(forms().flatMap(([name, form]) => (bytes.includes(form) ? [`${name}: ${form.slice(0, 60)}`] : [])))];
}

function sampleProcesses(cli: number): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const read = (file: string): Buffer => {
      try {
        return readFileSync(`/proc/${pid}/${file}`);
      } catch {
        return Buffer.alloc(0);
      }
    };
    for (const leak of leaksIn(read('cmdline'))) seenInProcesses.set(`cmdline of ${read('comm').toString().trim()}`, leak);
    const environ = read('environ');
    // A command has its own secrets, and whoever called `start` has those it exported.
    if (Number(pid) === cli || Number(pid) === process.pid || environ.includes('ONETEAR_JOB=')) continue;
    for (const leak of leaksIn(environ)) seenInProcesses.set(`environ of ${read('comm').toString().trim()} ${pid}`, leak);
  }
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

beforeAll(async () => {
  play = createPlayground({ TOKEN: SECRETS.TOKEN });
  play.write('suite.yaml', SUITE);
  play.write(
    'leaky.mjs',
    `export default { async execute({ env }) { console.log('printed', env.ALWAYS); console.error(env.ALWAYS); throw new Error('cannot log in with ' + env.ALWAYS); } };\n`,
  );
  play.write('secrets.txt', `# of the test\nPRIVATE_KEY=${JSON.stringify(SECRETS.PRIVATE_KEY)}\nPIN=${SECRETS.PIN}\n`);
  expect((await play.run(['server', 'start'])).code).toBe(0);
  const started = play.spawn(['start', 'suite.yaml', '--secrets-file', 'secrets.txt', '--output', 'json', '--results', 'out']);
  const state = { over: false };
  void started.finished.finally(() => (state.over = true));
  const dir = join(play.home, 'secrets');
  while (!state.over) {
    sampleProcesses(started.child.pid ?? 0);
    if (modes === undefined && existsSync(dir)) {
      const [run] = readdirSync(dir).filter((name) => !name.startsWith('.'));
      if (run !== undefined) modes = [dir, join(dir, run)].map((path) => (lstatSync(path).mode & 0o777).toString(8)).join(' ');
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  finished = await started.finished;
}, 90_000);
afterAll(() => play.close());

describe('after a run with secrets', () => {
  test('it went as it should', () => {
    const verdicts = Object.fromEntries(
      eventsOf(finished.stdout).flatMap(({ type, testcase, verdict }) => (type === 'testcase_finished' ? [[testcase, verdict]] : [])),
    ) as unknown;
    expect(verdicts).toEqual({ good: 'passed', bad: 'failed', throws: 'failed', slow: 'failed', never: 'failed' });
  });

  test('commands had the values', () => {
    const step = (id: string): { readonly [key: string]: unknown } | undefined =>
      eventsOf(finished.stdout).find(({ type, step }) => type === 'step_finished' && step === id);
    const stdout = JSON.stringify(step('forms'));
    expect(stdout).toContain('raw ***TOKEN*** and ***TOKEN*** and postgres://u:***PIN***@h/main');
    expect(stdout).toContain('shell:  ***TOKEN*** ***PRIVATE_KEY***');
    expect(JSON.stringify(step('pieces'))).toContain('***TOKEN***\\\\n1\\\\n2'.replaceAll('\\\\', '\\'));
    expect(JSON.stringify(step('stdin'))).toContain('***PRIVATE_KEY*** and main');
    expect(step('named')).toMatchObject({ outputs: { line: 'tail ***TOKEN***', pin: '***PIN***' } });
    expect(JSON.stringify(step('wrong'))).toContain('***TOKEN***');
    expect(JSON.stringify(step('module'))).toContain('cannot log in with ***TOKEN***');
  });

  test('no secret is in its output', () => {
    expect(leaksIn(Buffer.from(finished.stdout + finished.stderr))).toEqual([]);
  });

  test('no secret is in results, records, histories, logs, the store and the database of the server', () => {
    const leaks: string[] = [];
    const looked = [...filesBelow(play.home), ...filesBelow(join(play.dir, 'out'))];
    for (const file of looked) {
      const bytes = readFileSync(file);
      for (const content of file.endsWith('.gz') ? [bytes, gunzipSync(bytes)] : [bytes]) {
        leaks.push(...leaksIn(content).map((leak) => `${file}: ${leak}`));
        // Payloads of an archived history are base64 inside its JSON.
        if (file.endsWith('.json.gz')) {
          for (const [, data = ''] of content.toString('utf8').matchAll(/"data":\s*"([A-Za-z0-9+/=]+)"/g)) {
            const raw = Buffer.from(data, 'base64');
            const plain = raw.subarray(0, 1_000).includes(Buffer.from([0x1f, 0x8b])) ? unpack(raw) : raw;
            leaks.push(...leaksIn(plain).map((leak) => `payload in ${file}: ${leak}`));
          }
        }
      }
    }
    expect(looked.some((file) => file.endsWith('.db'))).toBe(true);
    expect(looked.some((file) => file.includes('/store/'))).toBe(true);
    expect(looked.filter((file) => file.endsWith('.json.gz')).length).toBeGreaterThan(5);
    expect(leaks).toEqual([]);
  });

  test('no secret was in an argument list, nor in the environment of another process', () => {
    expect([...seenInProcesses]).toEqual([]);
  });

  test('the file with the values was for us alone, and is gone; so are the files of the node', () => {
    expect(modes).toBe('700 600');
    expect(readdirSync(join(play.home, 'secrets'))).toEqual([]);
    const run = String(eventsOf(finished.stdout)[0]?.['run']);
    expect(existsSync(`/var/tmp/onetear-${process.getuid?.() ?? 0}/${run}`)).toBe(false);
    expect(statSync(join(play.home, 'secrets')).mode & 0o077).toBe(0);
  });
});

function unpack(raw: Buffer): Buffer {
  try {
    return gunzipSync(raw);
  } catch {
    return raw;
  }
}
