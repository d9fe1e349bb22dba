import { suggest } from '../expression/suggest.ts';

/** A word of a neighbour tool, and what it is called here: the first of these keys that may stand in the map is offered. */
type Neighbour = readonly { readonly key: string; readonly hint: string }[];

function is(...keys: readonly string[]): Neighbour {
  return keys.map((key) => ({ key, hint: `did you mean "${key}"?` }));
}

function says(key: string, hint: string): Neighbour {
  return [{ key, hint }];
}

const NODES = [...is('nodes'), ...says('context', 'nodes are listed under context.nodes')];
const RETRY = says('retry', 'did you mean "retry"? retry: 3 means up to 3 more tries; or retry: { max: 3, delay: 1s }');
const CONTINUE = is('continue_on_error');
const AFTER = says('hooks', 'write hooks: { after: … }; it always runs');
const BEFORE = says('hooks', 'write hooks: { before: … }');
const ON_FAIL = says('hooks', 'write hooks: { on_fail: … }');
const EXPECT = is('expect', 'assert', 'match');
const IN_CONTEXT = (key: string): Neighbour => says('context', `"${key}" belongs under "context"`);

/** research of neighbours: Ansible, GitHub Actions, GitLab, pytest, Venom, Chaos Toolkit, Chaos Mesh, docker compose, Taskfile. */
const NEIGHBOURS: { readonly [key: string]: Neighbour } = {
  runson: NODES,
  hosts: NODES,
  host: NODES,
  on: NODES,
  where: NODES,
  target: NODES,
  targets: NODES,
  node: NODES,
  nodes: IN_CONTEXT('nodes'),
  servers: NODES,
  script: is('cmd'),
  command: is('use', 'cmd'),
  commands: is('cmd'),
  cmds: is('cmd'),
  exec: is('cmd'),
  shellcommand: is('cmd'),
  dependson: is('needs'),
  depends: is('needs'),
  requires: is('needs'),
  register: is('outputs'),
  output: is('outputs'),
  outputsfrom: is('outputs'),
  capture: is('outputs'),
  extract: is('outputs'),
  export: is('outputs'),
  when: is('if'),
  skip: says('if', 'did you mean "if"? a step or testcase whose "if" is false is skipped'),
  skipif: says('if', 'did you mean "if"? a step or testcase whose "if" is false is skipped'),
  onlyif: is('if'),
  condition: is('if'),
  retries: RETRY,
  maxretries: RETRY,
  attempts: RETRY,
  retrycount: RETRY,
  ignoreerrors: CONTINUE,
  allowfailure: CONTINUE,
  continueonfailure: CONTINUE,
  timeoutminutes: says('timeout', 'write timeout: 30m'),
  timeoutseconds: says('timeout', 'write timeout: 30s'),
  deadline: is('timeout', 'within'),
  finally: AFTER,
  defer: AFTER,
  always: AFTER,
  after: AFTER,
  teardown: AFTER,
  aftereach: AFTER,
  setup: BEFORE,
  before: BEFORE,
  onfail: ON_FAIL,
  onfailure: ON_FAIL,
  onerror: ON_FAIL,
  catch: ON_FAIL,
  assertions: EXPECT,
  assertion: EXPECT,
  asserts: is('assert', 'expect'),
  assert: is('expect', 'match'),
  expect: is('assert', 'match', 'verify'),
  test: EXPECT,
  check: EXPECT,
  checks: EXPECT,
  validate: EXPECT,
  rollback: is('recover'),
  rollbacks: is('recover'),
  undo: is('recover'),
  revert: is('recover'),
  restore: is('recover'),
  cleanup: [...is('recover'), ...AFTER],
  environment: is('env'),
  envs: is('env'),
  vars: is('env', 'vars', 'params', 'with'),
  variables: [...is('env', 'params'), ...IN_CONTEXT('params')],
  matrix: [...is('params'), ...IN_CONTEXT('params')],
  parametrize: is('params'),
  parallelism: is('max_parallel'),
  concurrency: is('max_parallel', 'locks'),
  forks: is('max_parallel'),
  serial: says('max_parallel', 'write max_parallel: 1'),
  maxparallel: [...is('max_parallel'), ...says('strategy', 'write strategy: { max_parallel: … }')],
  failfast: says('strategy', 'write strategy: { fail_fast: true }'),
  tests: is('testcases'),
  cases: is('testcases'),
  testcase: is('testcases'),
  scenarios: is('testcases'),
  jobs: is('testcases'),
  plays: is('testcases'),
  tasks: is('steps', 'commands'),
  sequence: is('steps'),
  faults: is('chaos'),
  experiments: is('chaos'),
  workdir: is('cwd'),
  workingdir: is('cwd'),
  workingdirectory: is('cwd'),
  directory: is('cwd'),
  chdir: is('cwd'),
  dir: is('cwd'),
  become: is('sudo'),
  becomeuser: is('user'),
  interval: is('every', 'delay'),
  period: is('every'),
  poll: is('every'),
  frequency: is('every'),
  within: says('for', 'did you mean "for"? here it is how long the condition is watched'),
  for: says('within', 'did you mean "within"?'),
  timeout: says('within', 'did you mean "within"?'),
  hold: is('duration'),
  stages: is('steps'),
  import: is('include'),
  imports: is('include'),
  includes: is('include'),
  extends: is('include'),
  args: is('with', 'inputs'),
  arguments: is('with', 'inputs'),
  inputs: is('with'),
  with: is('inputs'),
  parameters: is('params', 'with', 'inputs'),
  title: is('description'),
  desc: is('description'),
  labels: is('tags'),
  markers: is('tags'),
  name: says('id', 'a step is named by "id"'),
  id: is('name'),
  uses: is('use'),
  module: says('file', 'write run: module and file: …'),
  python: says('file', 'write run: python and file: …'),
  regex: is('matches'),
  regexp: is('matches'),
  match: is('matches', 'expect'),
  contain: is('contains'),
  exitcode: is('exit_code'),
  rc: is('exit_code'),
  status: is('exit_code'),
  equal: is('equals'),
  groups: IN_CONTEXT('groups'),
  inventory: IN_CONTEXT('inventory'),
  params: IN_CONTEXT('params'),
  env: IN_CONTEXT('env'),
  defaults: IN_CONTEXT('defaults'),
  ssh: IN_CONTEXT('ssh'),
  cluster: IN_CONTEXT('cluster'),
};

/** How to write what an unknown key was meant to be: the same word in another spelling, a misspelling, a neighbour's word, or what is allowed. */
export function keyHint(key: string, allowed: readonly string[], what: string): string {
  const plain = fold(key);
  const same = allowed.find((candidate) => fold(candidate) === plain);
  if (same !== undefined) return `did you mean "${same}"?`;
  const foreign = neighbourHint(plain, allowed);
  if (foreign !== undefined) return foreign;
  const near = suggest(key, allowed);
  if (near !== undefined) return `did you mean "${near}"?`;
  const nearForeign = neighbourHint(suggest(plain, Object.keys(NEIGHBOURS)) ?? '', allowed);
  if (nearForeign !== undefined) return nearForeign;
  return `allowed in ${what}: ${allowed.join(', ')}`;
}

function neighbourHint(plain: string, allowed: readonly string[]): string | undefined {
  const neighbour = Object.hasOwn(NEIGHBOURS, plain) ? NEIGHBOURS[plain] : undefined;
  return neighbour?.find((candidate) => allowed.includes(candidate.key))?.hint;
}

function fold(key: string): string {
  return key.toLowerCase().replaceAll(/[-_ ]/g, '');
}
