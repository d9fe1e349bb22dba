import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../dsl/model/events.ts';
import { createMarkdownSummary } from '../../report/markdown.ts';
import { recordEvents } from '../../report/record-events.ts';
import { PLAIN_PALETTE } from '../../report/terminal/palette.ts';
import { failureBlock, failureBlockFromEvents, renderFailure } from '../../report/terminal/render-failure.ts';
import { createLiveState } from '../../report/terminal/render-live.ts';
import { renderSummary } from '../../report/terminal/render-summary.ts';
import { renderTestcaseLine } from '../../report/terminal/render-testcase.ts';
import { columns } from '../../report/terminal/terminal-text.ts';
import { allureTestcase } from '../../report/allure.ts';
import { finishedRun, records, testcases } from './finished-sample.ts';
import { T0 } from './sample-run.ts';

type Finished = Extract<RunEvent, { type: 'testcase_finished' }>;
const events = records.flatMap(recordEvents);
const finished = events.filter((event): event is Finished => event.type === 'testcase_finished');

describe('terminal', () => {
  test('a line per attempt, never wider than the terminal', () => {
    for (const width of [40, 80, 120]) {
      for (const event of finished)
        expect(columns(renderTestcaseLine(event, PLAIN_PALETTE, width))).toBeLessThanOrEqual(Math.max(width, 60));
    }
    expect(finished.map((event) => renderTestcaseLine(event, PLAIN_PALETTE, 80))).toMatchInlineSnapshot(`
      [
        "✓ good 99ms",
        "✗ hostile[a|b-<1>] [failed] 99ms  exit_code: expected 0, got 1 x ]]> <b>&amp; ␛…",
        "! flaky [broken] 99ms  node pg1 not reachable",
        "✓ flaky [flaky, attempt 2] 99ms",
        "! faulty [broken, recovery owed] 199ms  recovery owed on n2",
        "- late [skipped]  needs faulty, which did not pass",
      ]
    `);
  });

  test('a failure says the reason first, then what was wanted, where, and how to run it again', () => {
    const block = failureBlock(records[1]!);
    const text = renderFailure(block!, PLAIN_PALETTE, 80);
    expect(text).toMatchInlineSnapshot(`
      "✗ hostile[a|b-<1>] failed
        exit_code: expected 0, got 1 x ]]> <b>&amp; ␛[31mred␛[0m ␁ </script> � ￾
        expected  exit_code: 0
        actual    1
        at suite.yaml:12 step bad on local
        stdout
        │ x ]]> <b>&amp; ␛[31mred␛[0m ␁ </script> � ￾
        stderr
        │ oops ]]> ␛[2J"
    `);
    expect(text).not.toContain('\u001b');
    const steps = recordEvents(records[1]!).filter((event) => event.type === 'step_finished');
    const fromEvents = failureBlockFromEvents(finished[1]!, steps, { where: 'suite.yaml:12' });
    expect(renderFailure(fromEvents!, PLAIN_PALETTE, 80)).toBe(text);
  });

  test('of several nodes the one that decided is shown, and of an excerpt no count of lines', () => {
    const record = records[1]!;
    const steps = record.steps.map((step) => {
      if (step.step !== 'bad') return step;
      const result = step.results[0]!;
      const text = Array.from({ length: 30 }, (_, index) => `line ${index}`).join('\n');
      const first = { ...result, node: 'n1', verdict: 'broken' as const, reason: 'gone', checks: [] };
      const second = { ...result, node: 'n2', stdout: { text, bytes: 1e6, truncated: true } };
      return { ...step, results: [first, second] };
    });
    const text = renderFailure(failureBlock({ ...record, steps })!, PLAIN_PALETTE, 80);
    expect(text).toContain('step bad on n2');
    expect(text).toContain('expected  exit_code: 0');
    expect(text).toContain('  stdout (last 10 lines)\n');
    expect(text).toContain('│ line 29');
  });

  test('the summary ends with what is owed and the command to undo it by hand', () => {
    expect(renderSummary(finishedRun.finished, PLAIN_PALETTE, 60)).toMatchInlineSnapshot(`
      "✓ good              passed       99ms
      ✗ hostile[a|b-<1>]  failed       99ms
      ✓ flaky             passed       1.1s  flaky, 2 attempts
      ! faulty            broken      199ms
      - late              skipped          

      failed: 1 failed, 1 broken, 2 passed, 1 skipped (1 flaky) in 6.0s  recovery owed 

       RECOVERY OWED: 1 fault is not confirmed undone 
        n2  20261124t0900-abc/faulty/a1/kill
          undo by hand:
            undo on n2 <now>
        owed when the run ended, and recovery went on; how it is now: onetear faults, onetear recover"
    `);
  });

  test('the live block has at most eight lines', () => {
    const live = createLiveState();
    expect(live.render(T0, PLAIN_PALETTE, 80)).toEqual([]);
    live.apply({
      type: 'run_started',
      ts: new Date(T0).toISOString(),
      suite: 's',
      file: 'f',
      seed: 1,
      total: 30,
      workflow_id: 'w',
      url: null,
      results: 'r',
    });
    for (const name of Array.from({ length: 20 }, (_unused, index) => `case${index}`)) {
      live.apply({ ...(events[0] as Extract<RunEvent, { type: 'testcase_started' }>), testcase: name });
    }
    const faults = recordEvents(records[4]!).filter((event) => event.type === 'fault' && event.state === 'verified');
    for (const fault of faults) live.apply(fault);
    const lines = live.render(T0 + 61_000, PLAIN_PALETTE, 40);
    expect(lines).toHaveLength(8);
    expect(lines[0]).toBe('0/30 done, 1m01s');
    expect(lines.at(-1)).toBe('  fault kill on n2: verified');
  });
});

describe('markdown', () => {
  test('shows failures, nothing of the output is markup', () => {
    const summary = createMarkdownSummary(finishedRun);
    for (const testcase of testcases) summary.add(testcase);
    expect(summary.text()).toMatchInlineSnapshot(`
      "# ❌ reports &lt;&amp;&gt; "suite": failed

      2 passed, 1 failed, 1 broken, 1 skipped (1 flaky) in 6.0 s · run \`20261124t0900-abc\` · seed 7 · [workflow](http://127.0.0.1:8233/namespaces/default/workflows/onetear%2Freports%2F20261124t0900-abc/run-of-onetear%2Freports%2F20261124t0900-abc/history)

      > [!CAUTION]
      > **Recovery is owed**: these faults are not confirmed undone.

      - **n2** (20261124t0900\\-abc/faulty/a1/kill), undo by hand:
      \`\`\`text
      undo on n2 <now>
      \`\`\`


      ## Not passed

      ### ❌ hostile\\[a\\|b\\-&lt;1&gt;\\]

      **exit\\_code\\: expected 0, got 1 x \\]\\]&gt; &lt;b&gt;&amp;amp; red ␁ &lt;/script&gt; � ￾**

      step bad on local, at \`suite.yaml:12\`

      \`\`\`text
      expected: exit_code: 0
      actual:   1
      \`\`\`

      \`\`\`text
      x ]]> <b>&amp; red ␁ </script> � ￾

      oops ]]> 
      \`\`\`

      ### 💥 faulty

      **recovery owed on n2**

      step kill on n1, at \`suite.yaml:12\`

      ## Testcases

      | | testcase | reason | attempts | time |
      | --- | --- | --- | ---: | ---: |
      | ✅ | good |  | 1 | 0.1 s |
      | ❌ | hostile\\[a\\|b\\-&lt;1&gt;\\] | exit\\_code\\: expected 0, got 1 x \\]\\]&gt; &lt;b&gt;&amp;amp; red ␁ &lt;/script&gt; � ￾ | 1 | 0.1 s |
      | ✅ | flaky (flaky) |  | 2 | 1.1 s |
      | 💥 | faulty | recovery owed on n2 | 1 | 0.2 s |
      | ⏭️ | late | needs faulty, which did not pass | 0 | 0.0 s |
      "
    `);
  });

  test('stays under what GitHub takes', () => {
    const summary = createMarkdownSummary(finishedRun);
    for (let index = 0; index < 20_000; index++)
      summary.add({ ...testcases[1]!, summary: { ...testcases[1]!.summary, reason: 'x|`<'.repeat(100) } });
    const text = summary.text();
    expect(Buffer.byteLength(text)).toBeLessThan(900_000);
    expect(text).toMatch(/… and 1\d{4} more\./u);
  });
});

describe('allure', () => {
  test('result and container of a testcase with hook, axes and failure', () => {
    expect(allureTestcase(finishedRun, testcases[0]!, 1)).toMatchSnapshot('passed with a hook');
    expect(allureTestcase(finishedRun, testcases[1]!, 1)[0]?.result).toMatchSnapshot('failed');
    expect(allureTestcase(finishedRun, testcases[3]!, 1)[0]?.result.steps).toMatchSnapshot('fault');
  });

  test('at most 500 steps, the rest is counted', () => {
    const record = records[0]!;
    const steps = Array.from({ length: 800 }, (_unused, index) => ({ ...record.steps[1]!, step: `s${index}` }));
    const [attempt] = allureTestcase(finishedRun, { ...testcases[0]!, attempts: [{ ...record, steps }] }, 1);
    expect(attempt?.result.steps).toHaveLength(501);
    expect(attempt?.result.steps.at(-1)?.name).toBe('300 more steps: see the record in testcases/');
    expect(attempt?.files.length).toBeLessThanOrEqual(20);
  });
});
