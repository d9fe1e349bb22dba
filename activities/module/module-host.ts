/**
 * The program in which a `run: module` file runs, as text for `node --input-type=module --eval`: the worker's own sources cannot be loaded by a bare
 * `node` in every way they are run. It reads `{file, context}` from standard input and leaves `{result}`, `{error}` or, for a file that is no module of ours, `{mistake, error}` in `$ONETEAR_RESULT`,
 * written beside it and renamed, so that a result is whole or not there. What the module prints goes where the job's output goes.
 */
export const MODULE_HOST = `
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
const target = process.env.ONETEAR_RESULT;
delete process.env.ONETEAR_RESULT;
const { file, context } = JSON.parse(readFileSync(0, 'utf8'));
const leave = (answer) => {
  writeFileSync(target + '.part', JSON.stringify(answer));
  renameSync(target + '.part', target);
};
const name = basename(file);
// The last line is what a reason shows: what went wrong, and where in the module.
const tell = (error) => {
  const stack = String(error?.stack ?? error);
  const said = error instanceof Error ? String(error) : 'threw ' + String(error);
  const [what = ''] = said.split('\\n').filter((line) => line.trim() !== '');
  const place = stack.split('\\n').find((line) => line.includes(name + ':'));
  const at = place === undefined ? '' : place.slice(place.lastIndexOf(name + ':') + name.length).match(/^:[0-9]+/)?.[0] ?? '';
  return stack + '\\n' + what + ' (' + name + at + ')';
};
// Also a rejection that nobody handles comes here.
process.on('uncaughtException', (error) => {
  leave({ error: tell(error) });
  process.exit(0);
});
try {
  let loaded;
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (error) {
    const wrong = error instanceof SyntaxError || error?.code === 'ERR_MODULE_NOT_FOUND' || error?.code === 'ERR_INVALID_TYPESCRIPT_SYNTAX';
    if (!wrong) throw error;
    leave({ mistake: 'cannot load the module: ' + tell(error).split('\\n').at(-1), error: tell(error) });
    process.exit(0);
  }
  const command = loaded.default;
  if (typeof command?.execute !== 'function') {
    const mistake = 'the default export of ' + name + ' has no execute(context)';
    leave({ mistake, error: mistake });
    process.exit(0);
  }
  const result = await command.execute(context);
  leave({ result: result ?? {} });
} catch (error) {
  leave({ error: tell(error) });
}
process.exit(0);
`;
