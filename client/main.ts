#!/usr/bin/env node
/**
 * Process entry of `onetear`, and the only place that ends the process. Everything else returns an exit code.
 */
import { flushIo, processIo } from './cli/io.ts';
import { runCli } from './cli/run-cli.ts';

const io = processIo();
const exit = await runCli(process.argv.slice(2), io);
await flushIo();
process.exit(exit);
