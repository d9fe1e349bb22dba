import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { runCommand } from '../../activities/run-command.ts';
import { attend, commandInput, makeWorld, settle, SHELLS, type World } from './support.ts';

describe.each(SHELLS)('runCommand under %s %s', (...shell) => {
  let world: World;
  beforeEach(() => {
    world = makeWorld(shell.filter((word) => word !== undefined));
  });
  afterEach(() => world.close());

  it('passes a command that exits 0 and shows its output', async () => {
    const result = await runCommand(world.deps, commandInput(world, 'a', 'echo hello; echo oops >&2; pwd'), attend());
    expect(result.verdict).toBe('passed');
    expect(result.stdout.text).toBe(`hello\n${world.root}\n`);
    expect(result.stderr.text).toBe('oops\n');
    expect(result.tries).toBe(1);
  });

  it('fails a command with another exit code, once and for all', async () => {
    const { result, failure } = await settle(runCommand(world.deps, commandInput(world, 'a', 'exit 3'), attend()));
    expect(result).toMatchObject({ verdict: 'failed', exitCode: 3 });
    expect(failure).toMatchObject({ type: 'StepFailed', retryable: false });
  });
});
