import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderDiagnostic } from './code-frame.ts';
import { parseSuite } from './parse-suite.ts';

/** All diagnostics as a person reads them. */
function show(text: string, includes: { readonly [path: string]: string } = {}): string {
  const { diagnostics, sources } = parseSuite({ file: 'suite.yaml', text }, (path) =>
    Object.hasOwn(includes, path) ? { text: includes[path] as string } : { problem: 'no such file' },
  );
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, sources)).join('\n');
}

function codes(text: string): string[] {
  return parseSuite({ file: 's.yaml', text }, () => ({ problem: 'no such file' })).diagnostics.map(({ code }) => code);
}

test('SUITE_UNKNOWN_KEY stands at the key and suggests', () => {
  expect(show('commands:\n  - name: x\n    cmd: echo hi\n    expct: { contains: [hi] }\n')).toMatchInlineSnapshot(`
    "suite.yaml:4:5: error SUITE_UNKNOWN_KEY: unknown key "expct" in a command
      2 |   - name: x
      3 |     cmd: echo hi
    > 4 |     expct: { contains: [hi] }
        |     ^^^^^
      hint: did you mean "expect"?"
  `);
});

test('SUITE_UNKNOWN_KEY knows the words of neighbours', () => {
  const hintFor = (text: string): string => /hint: (.*)/.exec(show(text))?.[1] ?? 'none';
  const command = (key: string): string => hintFor(`commands:\n  - { name: x, cmd: y, ${key}: z }\n`);
  const step = (key: string): string => hintFor(`testcases:\n  - { name: t, steps: [{ use: x, ${key}: z }] }\n`);
  const chaos = (key: string): string => hintFor(`chaos:\n  - { name: t, cmd: x, ${key}: z, irreversible: true }\n`);
  const top = (key: string): string => hintFor(`${key}: z\n`);
  expect({
    hosts: command('hosts'),
    on: command('on'),
    'runs-on': command('runs-on'),
    register: command('register'),
    retries: command('retries'),
    'timeout-minutes': command('timeout-minutes'),
    finally: command('finally'),
    assertions: command('assertions'),
    maxParallel: command('maxParallel'),
    environment: command('environment'),
    become: command('become'),
    depends_on: step('depends_on'),
    when: step('when'),
    ignore_errors: step('ignore_errors'),
    'continue-on-error': step('continue-on-error'),
    name: step('name'),
    rollback: chaos('rollback'),
    undo: chaos('undo'),
    tests: top('tests'),
    nodes: top('nodes'),
    matrix: top('matrix'),
    'fail-fast': top('fail-fast'),
    zzzzzz: top('zzzzzz').slice(0, 30),
  }).toMatchInlineSnapshot(`
    {
      "assertions": "did you mean "expect"?",
      "become": "did you mean "sudo"?",
      "continue-on-error": "did you mean "continue_on_error"?",
      "depends_on": "did you mean "needs"?",
      "environment": "did you mean "env"?",
      "fail-fast": "write strategy: { fail_fast: true }",
      "finally": "write hooks: { after: … }; it always runs",
      "hosts": "did you mean "nodes"?",
      "ignore_errors": "did you mean "continue_on_error"?",
      "matrix": ""params" belongs under "context"",
      "maxParallel": "did you mean "max_parallel"?",
      "name": "a step is named by "id"",
      "nodes": ""nodes" belongs under "context"",
      "on": "did you mean "nodes"?",
      "register": "did you mean "outputs"?",
      "retries": "did you mean "retry"? retry: 3 means up to 3 more tries; or retry: { max: 3, delay: 1s }",
      "rollback": "did you mean "recover"?",
      "runs-on": "did you mean "nodes"?",
      "tests": "did you mean "testcases"?",
      "timeout-minutes": "write timeout: 30m",
      "undo": "did you mean "recover"?",
      "when": "did you mean "if"?",
      "zzzzzz": "allowed in a suite: name, desc",
    }
  `);
});

test('SUITE_UNKNOWN_KEY where a step says nothing that it does', () => {
  expect(show('testcases:\n  - name: t\n    steps:\n      - comand: show\n      - show_cluster:\n')).toMatchInlineSnapshot(`
    "suite.yaml:4:9: error SUITE_UNKNOWN_KEY: unknown key "comand" in a step; a step needs one of use, cmd, run, parallel, recover, wait, hold, pause, sleep, nemesis
      2 |   - name: t
      3 |     steps:
    > 4 |       - comand: show
        |         ^^^^^^
      5 |       - show_cluster:
      hint: did you mean "use"?
    suite.yaml:5:9: error SUITE_UNKNOWN_KEY: unknown key "show_cluster" in a step; a step needs one of use, cmd, run, parallel, recover, wait, hold, pause, sleep, nemesis
      3 |     steps:
      4 |       - comand: show
    > 5 |       - show_cluster:
        |         ^^^^^^^^^^^^
      hint: to run the command "show_cluster", write - show_cluster or - use: show_cluster"
  `);
});

test('SUITE_MISSING_KEY', () => {
  expect(show('testcases:\n  - name: t\ncommands:\n  - name: x\nchaos:\n  - { name: c, cmd: y }\n')).toMatchInlineSnapshot(`
    "suite.yaml:2:5: error SUITE_MISSING_KEY: a testcase needs "steps"
      1 | testcases:
    > 2 |   - name: t
        |     ^
      3 | commands:
      4 |   - name: x
      hint: What is done, in order unless needs says otherwise.
    suite.yaml:4:5: error SUITE_MISSING_KEY: a command with run: shell needs "cmd"
      2 |   - name: t
      3 | commands:
    > 4 |   - name: x
        |     ^
      5 | chaos:
      6 |   - { name: c, cmd: y }
    suite.yaml:6:5: error SUITE_MISSING_KEY: a chaos needs "recover": how the fault is undone
      4 |   - name: x
      5 | chaos:
    > 6 |   - { name: c, cmd: y }
        |     ^
      hint: write recover: { cmd: … }, or irreversible: true when nothing can be undone"
  `);
});

test('SUITE_MISPLACED_KEY', () => {
  expect(show('commands:\n  - name: x\n    cmd: select 1\n    dsn: postgresql://pg1\n')).toMatchInlineSnapshot(`
    "suite.yaml:4:5: error SUITE_MISPLACED_KEY: "dsn" belongs to run: sql; this is run: shell
      2 |   - name: x
      3 |     cmd: select 1
    > 4 |     dsn: postgresql://pg1
        |     ^^^
      hint: write run: sql"
  `);
});

test('SUITE_TOO_MANY_KEYS', () => {
  expect(show('testcases:\n  - name: t\n    steps:\n      - use: x\n        sleep: 5s\n')).toMatchInlineSnapshot(`
    "suite.yaml:5:9: error SUITE_TOO_MANY_KEYS: a step does one thing; this one has "use" and "sleep"
      3 |     steps:
      4 |       - use: x
    > 5 |         sleep: 5s
        |         ^^^^^
      hint: make it two steps"
  `);
});

test('SUITE_WRONG_TYPE shows the allowed form', () => {
  expect(
    show(
      'timeout: soon\ntags:\ncommands:\n  - name: x\n    cmd: true\n    retry: many\n    timeout: ${{ params.t }}\n    sudo: yes\n    nodes: [pg1, pg2]\n    run: echo hi\n    pick: some\n',
    ),
  ).toMatchInlineSnapshot(`
    "suite.yaml:1:10: error SUITE_WRONG_TYPE: "timeout" must be a duration (a number of seconds, or 500ms, 30s, 1m30s, 2h, 1d), longer than 0; this is the text "soon"
    > 1 | timeout: soon
        |          ^^^^
      2 | tags:
      3 | commands:
    suite.yaml:2:6: error SUITE_WRONG_TYPE: "tags" has no value; it must be a list of texts
      1 | timeout: soon
    > 2 | tags:
        |      ^
      3 | commands:
      4 |   - name: x
    suite.yaml:5:10: error SUITE_WRONG_TYPE: "cmd" must be a shell text, or a list of program and arguments; this is true
      3 | commands:
      4 |   - name: x
    > 5 |     cmd: true
        |          ^^^^
      6 |     retry: many
      7 |     timeout: \${{ params.t }}
      hint: if it is meant as text, write it in quotes: "true"
    suite.yaml:6:12: error SUITE_WRONG_TYPE: "retry" must be a number of further tries, or a map with max, delay, backoff, max_delay; this is the text "many"
      4 |   - name: x
      5 |     cmd: true
    > 6 |     retry: many
        |            ^^^^
      7 |     timeout: \${{ params.t }}
      8 |     sudo: yes
    suite.yaml:7:14: error SUITE_WRONG_TYPE: "timeout" must be a duration (a number of seconds, or 500ms, 30s, 1m30s, 2h, 1d), longer than 0; this is the text "\${{ params.t }}"
      5 |     cmd: true
      6 |     retry: many
    > 7 |     timeout: \${{ params.t }}
        |              ^^^^^^^^^^^^^^^
      8 |     sudo: yes
      9 |     nodes: [pg1, pg2]
      hint: a mark cannot stand here: durations are read before anything runs
    suite.yaml:8:11: error SUITE_WRONG_TYPE: "sudo" must be true or false; this is the text "yes"
       6 |     retry: many
       7 |     timeout: \${{ params.t }}
    >  8 |     sudo: yes
         |           ^^^
       9 |     nodes: [pg1, pg2]
      10 |     run: echo hi
    suite.yaml:9:12: error SUITE_WRONG_TYPE: "nodes" must be a selector (one text, such as pg1, db:!primary or role=db); this is a list
       7 |     timeout: \${{ params.t }}
       8 |     sudo: yes
    >  9 |     nodes: [pg1, pg2]
         |            ^
      10 |     run: echo hi
      11 |     pick: some
      hint: write one text: "pg1,pg2"
    suite.yaml:10:10: error SUITE_WRONG_TYPE: "run" must be shell, sql, http, module, python, logs or prometheus; this is the text "echo hi"
       8 |     sudo: yes
       9 |     nodes: [pg1, pg2]
    > 10 |     run: echo hi
         |          ^^^^^^^
      11 |     pick: some
      hint: "run" says who executes it; write cmd: "echo hi"
    suite.yaml:11:11: error SUITE_WRONG_TYPE: "pick" must be all, one, first, random, minority, majority, or a number of nodes; this is the text "some"
       9 |     nodes: [pg1, pg2]
      10 |     run: echo hi
    > 11 |     pick: some
         |           ^^^^"
  `);
});

test('SUITE_BAD_NAME', () => {
  expect(
    show(
      'context:\n  nodes: [db1.example.com, "pg[3:1]"]\n  env: { my-var: 1 }\ncommands:\n  - { name: a.b, cmd: x, hooks: { after: echo done } }\n',
    ),
  ).toMatchInlineSnapshot(`
    "suite.yaml:2:11: error SUITE_BAD_NAME: "db1.example.com" is not a name (letters, digits, _ and -, starting with a letter or digit)
      1 | context:
    > 2 |   nodes: [db1.example.com, "pg[3:1]"]
        |           ^^^^^^^^^^^^^^^
      3 |   env: { my-var: 1 }
      4 | commands:
      hint: a host name with dots is written { name: db1, host: db1.example.com }
    suite.yaml:2:28: error SUITE_BAD_NAME: the range "pg[3:1]" runs backwards
      1 | context:
    > 2 |   nodes: [db1.example.com, "pg[3:1]"]
        |                            ^^^^^^^^^
      3 |   env: { my-var: 1 }
      4 | commands:
    suite.yaml:3:10: error SUITE_BAD_NAME: "my-var" cannot be the name of an environment variable (letters, digits and _, not starting with a digit)
      1 | context:
      2 |   nodes: [db1.example.com, "pg[3:1]"]
    > 3 |   env: { my-var: 1 }
        |          ^^^^^^
      4 | commands:
      5 |   - { name: a.b, cmd: x, hooks: { after: echo done } }
    suite.yaml:5:13: error SUITE_BAD_NAME: "a.b" is not a name (letters, digits, _ and -, starting with a letter or digit)
      3 |   env: { my-var: 1 }
      4 | commands:
    > 5 |   - { name: a.b, cmd: x, hooks: { after: echo done } }
        |             ^^^
    suite.yaml:5:42: error SUITE_BAD_NAME: "echo done" is not a name (letters, digits, _ and -, starting with a letter or digit)
      3 |   env: { my-var: 1 }
      4 | commands:
    > 5 |   - { name: a.b, cmd: x, hooks: { after: echo done } }
        |                                          ^^^^^^^^^
      hint: a text is the name of a command; an inline command is written { cmd: … }"
  `);
});

test('SUITE_MARK_NOT_ALLOWED', () => {
  expect(show('commands:\n  - name: "x-${{ params.a }}"\n    cmd: y\n')).toMatchInlineSnapshot(`
    "suite.yaml:2:11: error SUITE_MARK_NOT_ALLOWED: a mark \${{ }} cannot stand in a name: "x-\${{ params.a }}"
      1 | commands:
    > 2 |   - name: "x-\${{ params.a }}"
        |           ^^^^^^^^^^^^^^^^^^^
      3 |     cmd: y"
  `);
});

test('SUITE_MARK_IN_EXPRESSION', () => {
  expect(show('testcases:\n  - name: t\n    if: ${{ params.a }} == 1\n    steps: [x]\n')).toMatchInlineSnapshot(`
    "suite.yaml:3:9: error SUITE_MARK_IN_EXPRESSION: "if" is one expression; no text may stand around its mark \${{ }}
      1 | testcases:
      2 |   - name: t
    > 3 |     if: \${{ params.a }} == 1
        |         ^^^^^^^^^^^^^^^^^^^^
      4 |     steps: [x]
      hint: write the whole condition as CEL, without any mark: a == "b" && c > 1"
  `);
});

test('SUITE_BAD_REGEX', () => {
  expect(show('commands:\n  - name: x\n    cmd: y\n    expect:\n      matches: "(["\n')).toMatchInlineSnapshot(`
    "suite.yaml:5:16: error SUITE_BAD_REGEX: "([" is not a regular expression: Unterminated character class
      3 |     cmd: y
      4 |     expect:
    > 5 |       matches: "(["
        |                ^^^^
      hint: JavaScript syntax with the flags m and u"
  `);
});

test('SUITE_DUPLICATE_KEY', () => {
  expect(show('commands:\n  - name: x\n    cmd: a\n    cmd: b\n')).toMatchInlineSnapshot(`
    "suite.yaml:4:5: error SUITE_DUPLICATE_KEY: the key "cmd" is written twice in this map
      2 |   - name: x
      3 |     cmd: a
    > 4 |     cmd: b
        |     ^^^"
  `);
});

test('SUITE_DUPLICATE_NAME over commands and chaos, nodes and groups and roles, and includes', () => {
  const main = `include: lib.yaml
context: { nodes: [n1, "n[1:2]"], groups: { db: n1 } }
roles: { db: { cmd: x } }
commands: [{ name: x, cmd: y }]
chaos: [{ name: x, cmd: y, irreversible: true }]
testcases:
  - { name: t, steps: [{ id: a, use: x }, { parallel: [{ id: a, use: x }] }] }
`;
  expect(show(main.replace('{ id: a, use: x }, ', ''), { 'lib.yaml': 'commands: [{ name: x, cmd: z }]\n' })).toMatchInlineSnapshot(`
    "suite.yaml:2:24: error SUITE_DUPLICATE_NAME: the name "n1" of this node is already used, as a node at suite.yaml:2
      1 | include: lib.yaml
    > 2 | context: { nodes: [n1, "n[1:2]"], groups: { db: n1 } }
        |                        ^
      3 | roles: { db: { cmd: x } }
      4 | commands: [{ name: x, cmd: y }]
    suite.yaml:3:14: error SUITE_DUPLICATE_NAME: the name "db" of this role is already used, as a group
      1 | include: lib.yaml
      2 | context: { nodes: [n1, "n[1:2]"], groups: { db: n1 } }
    > 3 | roles: { db: { cmd: x } }
        |              ^
      4 | commands: [{ name: x, cmd: y }]
      5 | chaos: [{ name: x, cmd: y, irreversible: true }]
    suite.yaml:4:12: error SUITE_DUPLICATE_NAME: the name "x" of this command is already used, as a command at lib.yaml:1
      2 | context: { nodes: [n1, "n[1:2]"], groups: { db: n1 } }
      3 | roles: { db: { cmd: x } }
    > 4 | commands: [{ name: x, cmd: y }]
        |            ^
      5 | chaos: [{ name: x, cmd: y, irreversible: true }]
      6 | testcases:
    suite.yaml:5:9: error SUITE_DUPLICATE_NAME: the name "x" of this chaos is already used, as a command at lib.yaml:1
      3 | roles: { db: { cmd: x } }
      4 | commands: [{ name: x, cmd: y }]
    > 5 | chaos: [{ name: x, cmd: y, irreversible: true }]
        |         ^
      6 | testcases:
      7 |   - { name: t, steps: [{ parallel: [{ id: a, use: x }] }] }"
  `);
  expect(show(main, { 'lib.yaml': '{}' })).toMatchInlineSnapshot(`
    "suite.yaml:2:24: error SUITE_DUPLICATE_NAME: the name "n1" of this node is already used, as a node at suite.yaml:2
      1 | include: lib.yaml
    > 2 | context: { nodes: [n1, "n[1:2]"], groups: { db: n1 } }
        |                        ^
      3 | roles: { db: { cmd: x } }
      4 | commands: [{ name: x, cmd: y }]
    suite.yaml:3:14: error SUITE_DUPLICATE_NAME: the name "db" of this role is already used, as a group
      1 | include: lib.yaml
      2 | context: { nodes: [n1, "n[1:2]"], groups: { db: n1 } }
    > 3 | roles: { db: { cmd: x } }
        |              ^
      4 | commands: [{ name: x, cmd: y }]
      5 | chaos: [{ name: x, cmd: y, irreversible: true }]
    suite.yaml:5:9: error SUITE_DUPLICATE_NAME: the name "x" of this chaos is already used, as a command at suite.yaml:4
      3 | roles: { db: { cmd: x } }
      4 | commands: [{ name: x, cmd: y }]
    > 5 | chaos: [{ name: x, cmd: y, irreversible: true }]
        |         ^
      6 | testcases:
      7 |   - { name: t, steps: [{ id: a, use: x }, { parallel: [{ id: a, use: x }] }] }
    suite.yaml:7:56: error SUITE_DUPLICATE_ID: the step id "a" is used twice in this testcase; first on line 7
      5 | chaos: [{ name: x, cmd: y, irreversible: true }]
      6 | testcases:
    > 7 |   - { name: t, steps: [{ id: a, use: x }, { parallel: [{ id: a, use: x }] }] }
        |                                                        ^"
  `);
});

test('SUITE_FORBIDDEN_KEY', () => {
  expect(show('context:\n  env: { __proto__: { polluted: "yes" } }\n  params: { constructor: 1, a: { prototype: 2 } }\n'))
    .toMatchInlineSnapshot(`
    "suite.yaml:2:10: error SUITE_FORBIDDEN_KEY: the key "__proto__" is not allowed anywhere in a suite
      1 | context:
    > 2 |   env: { __proto__: { polluted: "yes" } }
        |          ^^^^^^^^^
      3 |   params: { constructor: 1, a: { prototype: 2 } }
    suite.yaml:3:13: error SUITE_FORBIDDEN_KEY: the key "constructor" is not allowed anywhere in a suite
      1 | context:
      2 |   env: { __proto__: { polluted: "yes" } }
    > 3 |   params: { constructor: 1, a: { prototype: 2 } }
        |             ^^^^^^^^^^^
    suite.yaml:3:34: error SUITE_FORBIDDEN_KEY: the key "prototype" is not allowed anywhere in a suite
      1 | context:
      2 |   env: { __proto__: { polluted: "yes" } }
    > 3 |   params: { constructor: 1, a: { prototype: 2 } }
        |                                  ^^^^^^^^^"
  `);
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

test('SUITE_MERGE_KEY', () => {
  expect(show('context:\n  params:\n    <<: { x: 1 }\n')).toMatchInlineSnapshot(`
    "suite.yaml:3:5: error SUITE_MERGE_KEY: merge keys (<<) are not part of YAML 1.2
      1 | context:
      2 |   params:
    > 3 |     <<: { x: 1 }
        |     ^^
      hint: write the keys out, or move what is shared to context.defaults, context.env or a command with inputs"
  `);
});

test('SUITE_BAD_NUMBER', () => {
  expect(show('context:\n  params:\n    lsn: 12345678901234567890\n    far: 1e400\n    nan: .nan\n')).toMatchInlineSnapshot(`
    "suite.yaml:3:10: error SUITE_BAD_NUMBER: the number 12345678901234567890 has too many digits to be kept exactly
      1 | context:
      2 |   params:
    > 3 |     lsn: 12345678901234567890
        |          ^^^^^^^^^^^^^^^^^^^^
      4 |     far: 1e400
      5 |     nan: .nan
      hint: write it in quotes if it is meant as text: "12345678901234567890"
    suite.yaml:4:10: error SUITE_BAD_NUMBER: 1e400 is not a finite number
      2 |   params:
      3 |     lsn: 12345678901234567890
    > 4 |     far: 1e400
        |          ^^^^^
      5 |     nan: .nan
      hint: write it in quotes if it is meant as text: "1e400"
    suite.yaml:5:10: error SUITE_BAD_NUMBER: .nan is not a finite number
      3 |     lsn: 12345678901234567890
      4 |     far: 1e400
    > 5 |     nan: .nan
        |          ^^^^
      hint: write it in quotes if it is meant as text: ".nan""
  `);
});

test('SUITE_EMPTY', () => {
  expect(show('# nothing\n')).toMatchInlineSnapshot(`
    "suite.yaml:1:1: error SUITE_EMPTY: the file is empty
    > 1 | # nothing
        | ^"
  `);
  expect(codes('')).toEqual(['SUITE_EMPTY']);
  expect(codes('---\n')).toEqual(['SUITE_EMPTY']);
});

test('SUITE_NO_STEPS', () => {
  const text = 'testcases:\n  - { name: t, steps: [] }\n  - { name: p, steps: [{ parallel: [] }] }\n';
  expect(show(text)).toMatchInlineSnapshot(`
    "suite.yaml:2:23: error SUITE_NO_STEPS: "steps" has no steps: nothing is tested
      1 | testcases:
    > 2 |   - { name: t, steps: [] }
        |                       ^
      3 |   - { name: p, steps: [{ parallel: [] }] }
    suite.yaml:3:36: error SUITE_NO_STEPS: "parallel" has no steps: nothing is tested
      1 | testcases:
      2 |   - { name: t, steps: [] }
    > 3 |   - { name: p, steps: [{ parallel: [] }] }
        |                                    ^"
  `);
});

test('SUITE_INCLUDE: confined to the folder, readable, once', () => {
  const text = 'include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]\n';
  expect(show(text.replace('../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", ', ''), { 'lib/x.yaml': '{}' }))
    .toMatchInlineSnapshot(`
    "suite.yaml:1:11: error SUITE_INCLUDE: cannot include "gone.yaml": no such file
    > 1 | include: [gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |           ^^^^^^^^^
    suite.yaml:1:37: error SUITE_INCLUDE: "lib/x.yaml" is included twice
    > 1 | include: [gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |                                     ^^^^^^^^^^"
  `);
  expect(show(text)).toMatchInlineSnapshot(`
    "suite.yaml:1:11: error SUITE_INCLUDE: "../a.yaml" leaves the folder of the suite: ".." is not allowed
    > 1 | include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |           ^^^^^^^^^
    suite.yaml:1:22: error SUITE_INCLUDE: "/etc/a.yaml" leaves the folder of the suite; paths of includes are relative to it
    > 1 | include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |                      ^^^^^^^^^^^
    suite.yaml:1:35: error SUITE_INCLUDE: "file:///a" is not a path under the folder of the suite
    > 1 | include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |                                   ^^^^^^^^^^^
    suite.yaml:1:48: error SUITE_INCLUDE: "~/a" leaves the folder of the suite; paths of includes are relative to it
    > 1 | include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |                                                ^^^
    suite.yaml:1:53: error SUITE_INCLUDE: "a/../../b" leaves the folder of the suite: ".." is not allowed
    > 1 | include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |                                                     ^^^^^^^^^^^
    suite.yaml:1:66: error SUITE_INCLUDE: "a\\\\b" is not a path; folders are separated by /
    > 1 | include: [../a.yaml, /etc/a.yaml, "file:///a", ~/a, "a/../../b", "a\\\\b", gone.yaml, ./lib//x.yaml, lib/x.yaml]
        |                                                                  ^^^^^^"
  `);
});

test('an included file is a library', () => {
  expect(show('include: lib.yaml\n', { 'lib.yaml': 'testcases: []\ninclude: other.yaml\n' })).toMatchInlineSnapshot(`
    "lib.yaml:1:1: error SUITE_UNKNOWN_KEY: unknown key "testcases" in an included library
    > 1 | testcases: []
        | ^^^^^^^^^
      2 | include: other.yaml
      hint: allowed in an included library: roles, commands, chaos, probes
    lib.yaml:2:1: error SUITE_UNKNOWN_KEY: unknown key "include" in an included library
      1 | testcases: []
    > 2 | include: other.yaml
        | ^^^^^^^
      hint: allowed in an included library: roles, commands, chaos, probes"
  `);
});

test('SUITE_YAML: only the first syntax error', () => {
  expect(show('commands:\n  - name: x\n    cmd: echo hi\n  - name: y\n   cmd: echo there\n  - : : :\n')).toMatchInlineSnapshot(`
    "suite.yaml:5:4: error SUITE_YAML: an item of a list must start with "- "
      3 |     cmd: echo hi
      4 |   - name: y
    > 5 |    cmd: echo there
        |    ^
      6 |   - : : :"
  `);
});

test('errors of testcases before a syntax error are not shown beside it', () => {
  const text = 'testcases:\n  - { name: t, stepz: [x] }\n  - name: u\n    steps: [x]\nhooks: {{ x }}\n';
  expect(codes(text)).toEqual(['SUITE_YAML']);
  expect(codes(text.replace('hooks: {{ x }}', 'zzz: 1'))).toEqual(['SUITE_MISSING_KEY', 'SUITE_UNKNOWN_KEY', 'SUITE_UNKNOWN_KEY']);
  expect(codes('testcases: &t\n  - { name: a, steps: [x] }\ncommands: *t\n').length).toBeGreaterThan(0);
});

test.each([
  ['a tab', 'commands:\n\t- name: x\n'],
  ['an unknown tag', 'testcases:\n  - { name: t, if: !failed, steps: [x] }\n'],
  ['an unclosed quote', 'name: "abc\ncommands: []\n'],
  ['two documents', 'name: a\n---\nname: b\n'],
  ['an alias to nothing', 'name: *glob\n'],
  ['an alias inside its anchor', 'tags: &a [x, *a]\n'],
  ['a control character', 'name: "a\u0007b"\n'],
  ['a lone carriage return', 'name: a\rtags: []\n'],
  ['a colon in a mark', 'commands:\n  - name: x\n    cmd: echo ${{ a ? "x" : "y" }}\n'],
  ['a mark in a flow map', 'commands:\n  - { name: x, cmd: echo ${{ params.a }} }\n'],
  ['a mark without its dollar', 'commands:\n  - name: x\n    cmd: {{ params.a }}\n'],
  ['an at sign', 'commands:\n  - name: x\n    nodes: @primary\n'],
  ['a list in a flow list', 'context:\n  nodes: [pg[1:3]]\n'],
  ['a complex key', '? [a, b]\n: c\n'],
])('SUITE_YAML: %s', (_, text) => {
  expect(show(text)).toMatchSnapshot();
});

test('SUITE_TOO_DEEP, SUITE_TOO_LARGE, SUITE_ALIAS_LIMIT', () => {
  expect(show(`tags: ${'['.repeat(200)}`).split('\n')[0]).toMatchInlineSnapshot(
    `"suite.yaml:1:106: error SUITE_TOO_DEEP: values are nested more than 100 levels deep here"`,
  );
  expect(show(' '.repeat(8 * 1024 * 1024 + 1)).split('\n')[0]).toMatchInlineSnapshot(
    `"suite.yaml:1:1: error SUITE_TOO_LARGE: a suite and what it includes may have 8 MiB in all; this file goes beyond"`,
  );
  expect(show(`name: x\ntags: [${'1,'.repeat(1_500_001)}]`).split('\n')[0]).toMatchInlineSnapshot(
    `"suite.yaml:2:3000002: error SUITE_TOO_LARGE: the file holds more than 1,500,000 values"`,
  );
  const row = (n: number): string =>
    `a${n}: &a${n} [${Array(9)
      .fill(`*a${n - 1}`)
      .join(', ')}]`;
  const bomb = ['a0: &a0 [x]', ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(row), 'commands: *a9'].join('\n');
  expect(show(bomb).split('\n')[0]).toMatchInlineSnapshot(
    `"suite.yaml:4:10: error SUITE_ALIAS_LIMIT: the aliases of this file would expand to too many values"`,
  );
});

test('depth 100 is allowed, 101 is not, in every style', () => {
  const nested = (depth: number): string[] => [
    `context: { params: { p: ${'['.repeat(depth - 3)}${']'.repeat(depth - 3)} } }`,
    `context:\n  params:\n    p:\n      ${'- '.repeat(depth - 3)}x`,
    `context:\n  params:\n    p: !!seq ${'['.repeat(depth - 3)}${']'.repeat(depth - 3)}`,
  ];
  for (const text of nested(100)) expect(codes(text)).toEqual([]);
  for (const text of nested(101)) expect(codes(text)).toEqual(['SUITE_TOO_DEEP']);
});

test('the limit of 8 MiB counts bytes and includes', () => {
  const half = `# ${'é'.repeat(2 * 1024 * 1024)}\n{}`;
  const result = parseSuite({ file: 's.yaml', text: `include: [a.yaml, b.yaml]\n` }, () => ({ text: half }));
  expect(result.diagnostics.map(({ code, location }) => [code, location.file])).toEqual([['SUITE_TOO_LARGE', 'b.yaml']]);
});

test('several semantic errors at once, sorted, at most 20 and a count', () => {
  const text = `testcases:\n${Array.from({ length: 30 }, (_, i) => `  - { name: t${i}, stepz: [x], steps: [y] }\n`).join('')}`;
  const { diagnostics } = parseSuite({ file: 's.yaml', text }, () => ({ problem: '' }));
  expect(diagnostics).toHaveLength(21);
  expect(diagnostics.map(({ location }) => location.line)).toEqual(Array.from({ length: 21 }, (_, i) => i + 2));
  expect(diagnostics.at(-1)).toMatchObject({ code: 'SUITE_MORE_ERRORS', message: '10 more problems are not shown' });
});

test('byte order mark and CRLF are read, with the same places', () => {
  const text = '\ufeffcommands:\r\n  - name: x\r\n    cmd: |\r\n      a\r\n      b\r\n    expct: 1\r\n';
  expect(show(text)).toContain('suite.yaml:6:5: error SUITE_UNKNOWN_KEY');
  const good = parseSuite({ file: 's.yaml', text: text.replace('    expct: 1\r\n', '') }, () => ({ problem: '' }));
  expect(good.suite?.commands[0]?.cmd).toBe('a\nb\n');
});

test('every code has a section in docs/diagnostics.md', () => {
  const folders = ['./', '../compile/'].map((folder) => new URL(folder, import.meta.url));
  const sources = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => readFileSync(new URL(file, folder), 'utf8')),
  );
  const used = new Set(sources.flatMap((source) => source.match(/(?<=')SUITE_[A-Z_]+(?=')/g) ?? []));
  const page = readFileSync(new URL('../../docs/diagnostics.md', import.meta.url), 'utf8');
  const sections = new Set(page.match(/(?<=^### )SUITE_[A-Z_]+$/gm));
  expect([...used].filter((code) => !sections.has(code))).toEqual([]);
});
