#!/usr/bin/env node
/**
 * Process entry of `onetear`, and the only place that ends the process. Everything else returns an exit code.
 */
import { engineVersion } from './cli/engine-version.ts';
import { flushIo, processIo } from './cli/io.ts';

const args = process.argv.slice(2);
const io = processIo();
let exit = 0;
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // Asked often by scripts and editors: not worth loading the command line for.
  io.out(`${engineVersion()}\n`);
} else {
  const { runCli } = await import('./cli/run-cli.ts');
  exit = await runCli(args, io);
}
await flushIo();
process.exit(exit);
