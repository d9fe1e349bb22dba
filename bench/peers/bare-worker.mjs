// Hosts the peer workflow: `node bare-worker.mjs ADDRESS QUEUE`; prints `ready`, ends on SIGTERM.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { NativeConnection, Runtime, Worker, bundleWorkflowCode, DefaultLogger } = createRequire(import.meta.url)('@temporalio/worker');

function spawnCommand(command) {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.resume();
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve({ code, stdout }) : reject(new Error(`exit ${code}`))));
  });
}

const [address, taskQueue] = process.argv.slice(2);
const logger = new DefaultLogger('ERROR');
Runtime.install({ logger });
const workflowBundle = await bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL('bare-workflows.mjs', import.meta.url)), logger });
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle,
  activities: { spawnCommand },
});
process.stdout.write('ready\n');
await worker.run();
