import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createPlayground } from '../support/onetear.ts';
import { type Sshd, startSshd } from './sshd.ts';

/** The built program, a server, and machines behind sshd. */
describe('a suite over ssh', () => {
  let sshd: Sshd;
  const play = createPlayground();
  beforeAll(async () => {
    sshd = await startSshd();
    appendFileSync(
      sshd.configFile,
      ['pg1', 'pg2', 'pg3'].map((name) => `\nHost ${name}\n  HostName 127.0.0.1\n  Port ${sshd.port}\n`).join(''),
    );
  });
  afterAll(async () => {
    await play.close();
    await sshd.close();
  });

  const events = (stdout: string): { [key: string]: unknown }[] =>
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { [key: string]: unknown });

  it('runs on several nodes, injects and recovers, with the config that --ssh-config or the suite names', async () => {
    const mark = sshd.path('fault');
    const suite = (context: string): string => `
context:
  nodes: [pg1, pg2, pg3]
${context}
commands:
  - name: where
    nodes: all
    cmd: 'echo "$ONETEAR_NODE $(pwd)"; test -n "$SSH_CONNECTION"'
    outputs: { node: 'stdout.trim()' }
  - name: damage
    cmd: 'cat ${mark}'
    expect: { contains: broken by pg1 }
chaos:
  - name: break
    cmd: 'echo "broken by $ONETEAR_NODE" >${mark}'
    verify: { cmd: 'test -e ${mark}' }
    recover: { cmd: 'rm ${mark}', verify: { cmd: 'test ! -e ${mark}' } }
testcases:
  - name: all
    steps: [where, break, damage]
`;
    writeFileSync(join(play.dir, 'a.yaml'), suite(''));
    const started = await play.run(['start', 'a.yaml', '--ssh-config', sshd.configFile, '--output', 'json']);
    const all = events(started.stdout);
    expect([started.code, all.at(-1)]).toMatchObject([0, { type: 'run_finished', verdict: 'passed', recovery: 'clean' }]);
    const where = all.find((event) => event['type'] === 'step_finished' && event['step'] === 'where') as {
      results: { node: string; stdout: string }[];
    };
    expect(where.results.map(({ node, stdout }) => [node, stdout])).toEqual(['pg1', 'pg2', 'pg3'].map((name) => [name, `${name} /root\n`]));
    expect(all.filter((event) => event['type'] === 'fault').map((event) => event['state'])).toContain('recovered');

    // A path in the suite is relative to the suite.
    writeFileSync(join(play.dir, 'config'), readFileSync(sshd.configFile));
    writeFileSync(join(play.dir, 'b.yaml'), suite('  ssh: { config: config }'));
    const again = await play.run(['start', 'b.yaml', '--output', 'json']);
    expect(again.code).toBe(0);
  }, 60_000);

  it('is broken with exit 12 where a node is not to be trusted, and says what to do', async () => {
    writeFileSync(join(play.dir, 'known'), '');
    writeFileSync(
      join(play.dir, 'c.yaml'),
      `context: { nodes: [pg1], ssh: { config: ${sshd.configFile}, known_hosts: known } }\ntestcases: [{ name: t, steps: [{ cmd: 'true' }] }]\n`,
    );
    const started = await play.run(['start', 'c.yaml', '--output', 'json']);
    expect(started.code).toBe(12);
    const finished = events(started.stdout).find((event) => event['type'] === 'testcase_finished');
    expect(finished).toMatchObject({
      verdict: 'broken',
      reason: expect.stringMatching(/unknown host key: ssh-ed25519 SHA256:\S+ is in none of .*known\. .*then add this line/),
    });
  }, 60_000);
});
