// Makes one call of client/processes in a process of its own, as a CLI does: node driver.mjs PROGRAM REQUEST
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [program, text] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(path.join(program, 'dist', file)).href);
const { do: what, home, action, options } = JSON.parse(text);
const progress = [];
const startedAt = performance.now();
const elapsedMs = () => Math.round(performance.now() - startedAt);
let result;
try {
  if (what === 'server') {
    const { server } = await load('client/verbs/server.js');
    let stdout = '';
    let stderr = '';
    const io = { out: (part) => (stdout += part), err: (part) => (stderr += part), env: process.env };
    const exit = await server(action, options, io);
    result = { exit, stdout, stderr };
  } else if (what === 'ensure') {
    const { ensureKeeper } = await load('client/processes/ensure-keeper.js');
    const value = await ensureKeeper(home, { env: process.env, onProgress: (line) => progress.push(line), ...options });
    result = { ok: true, value, elapsedMs: elapsedMs(), progress };
  } else {
    const { connect } = await load('client/processes/connect.js');
    const { connection, endpoint, kind } = await connect({ home, env: process.env, onProgress: (line) => progress.push(line), ...options });
    await connection.close();
    result = { ok: true, value: { ...endpoint, kind }, elapsedMs: elapsedMs(), progress };
  }
} catch (error) {
  result = { ok: false, code: String(error.code), message: error.message, elapsedMs: elapsedMs() };
}
process.stdout.write(JSON.stringify(result), () => process.exit(0));
