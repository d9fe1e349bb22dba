// History events per serial step: the difference between two runs that differ only in their number of steps.
import { createRequire } from 'node:module';

const { Client, Connection } = createRequire(import.meta.url)('@temporalio/client');
const suiteOf = (steps) =>
  `commands: [{ name: noop, cmd: "true" }]\ntestcases:\n  - { name: t, steps: [${Array(steps).fill('noop').join(', ')}] }\n`;

export async function run(bench) {
  const lengths = [];
  for (const steps of [10, 60]) {
    const events = bench.start('events', suiteOf(steps));
    const { workflow_id: workflowId } = events.find((event) => event.type === 'testcase_started');
    const { address, namespace } = bench.status();
    const connection = await Connection.connect({ address });
    const description = await new Client({ connection, namespace }).workflow.getHandle(workflowId).describe();
    lengths.push(description.historyLength);
    await connection.close();
  }
  const perStep = (lengths[1] - lengths[0]) / 50;
  return [{ scenario: 'events', figure: 'history events per serial step', ours: perStep, target: '<= 6', ok: perStep <= 6 }];
}
