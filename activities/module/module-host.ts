/**
 * The program in which a `run: module` file runs, as text for `node --input-type=module --eval`: the worker's own sources cannot be loaded by a bare
 * `node` in every way they are run. It reads `{file, context}` from standard input and leaves `{result}` or `{error}` in `$ONETEAR_RESULT`,
 * written beside it and renamed, so that a result is whole or not there. What the module prints goes where the job's output goes.
 */
export const MODULE_HOST = `
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
const target = process.env.ONETEAR_RESULT;
delete process.env.ONETEAR_RESULT;
const { file, context } = JSON.parse(readFileSync(0, 'utf8'));
const leave = (answer) => {
  writeFileSync(target + '.part', JSON.stringify(answer));
  renameSync(target + '.part', target);
};
try {
  const { default: command } = await import(pathToFileURL(file).href);
  if (typeof command?.execute !== 'function') throw new TypeError('the default export of ' + file + ' has no execute(context)');
  const result = await command.execute(context);
  leave({ result: result ?? {} });
} catch (error) {
  leave({ error: String(error?.stack ?? error) });
}
process.exit(0);
`;
