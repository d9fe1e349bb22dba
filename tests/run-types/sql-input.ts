import { renderCommand } from '../../dsl/expand/render-command.ts';
import type { Value, ValueMap } from '../../dsl/model/value.ts';
import type { RunCommandInput } from '../../dsl/model/workflow-io.ts';
import { commandInput, type World } from '../nodes/support.ts';

let steps = 0;

/** Input of a sql command, its query rendered as a workflow renders it. */
export function sqlInput(
  world: World,
  options: { readonly dsn: string; readonly query: string } & ValueMap,
  more: Partial<RunCommandInput> & {
    readonly params?: { readonly [name: string]: Value };
    readonly env?: { readonly [name: string]: string };
  } = {},
): RunCommandInput {
  const { params = {}, env = {}, ...rest } = more;
  const command = renderCommand(
    {
      name: 's',
      title: 's',
      run: 'sql',
      options,
      pick: 'all',
      env,
      shell: 'sh',
      sudo: false,
      inputs: {},
      expect: {},
      outputs: {},
      retry: { max: 0, delayMs: 1, backoff: 1, maxDelayMs: 1, when: [] },
      timeoutMs: 60_000,
      maxParallel: 1,
      hooks: { before: [], after: [], onFail: [] },
      location: { file: 's.yaml', line: 1, column: 1 },
    },
    { values: { params } },
  );
  return commandInput(world, `sql${++steps}`, '', { command, ...rest });
}
