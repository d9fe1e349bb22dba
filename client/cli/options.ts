import { InvalidArgumentError, Option, type Command } from 'commander';
import { envNameProblem } from '../../dsl/parse/scalar-shapes.ts';

/** Which testcases of a suite (suite-language §14). The same options on `start`, `list`, `plan` and `validate`. */
export interface SelectionOptions {
  readonly k?: string;
  readonly m?: string;
  readonly cell?: readonly string[];
  readonly limit?: string;
  readonly lf?: true;
  readonly x?: true;
  readonly maxfail?: number;
  readonly shard?: { readonly index: number; readonly of: number };
}

/** Values that outrank the suite's own, and the root of random choices. */
export interface SuiteOptions extends SelectionOptions {
  readonly env?: readonly string[];
  readonly param?: readonly string[];
  readonly seed?: number;
}

/** Which Temporal: none of these (and no TEMPORAL_ADDRESS) = the embedded server of `$ONETEAR_HOME`. */
export interface ConnectionOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
}

export type OutputMode = 'live' | 'plain' | 'json' | 'quiet';

export const OUTPUT_MODES: readonly OutputMode[] = ['live', 'plain', 'json', 'quiet'];

/** Adds `-k -m --cell --limit --lf -x --maxfail --shard`. */
export function addSelectionOptions(command: Command): Command {
  return command
    .option('-k <expr>', 'testcases whose id matches: substrings with and, or, not, ( )')
    .option('-m <expr>', 'testcases whose tags match: tags with and, or, not, ( )')
    .option('--cell <k=v>', 'only matrix cells with this parameter (repeat it to narrow)', collectPairs('--cell'))
    .option('--limit <selector>', 'only these nodes')
    .option('--lf', 'only testcases that did not pass in the last run of this suite')
    .option('-x', 'stop after the first testcase that does not pass')
    .option('--maxfail <n>', 'stop after N testcases that did not pass', parseCount)
    .option('--shard <i/n>', 'the i-th of n equal parts of the list', parseShard);
}

/** Adds `--env --param --seed`. */
export function addSuiteOptions(command: Command): Command {
  return command
    .option('--env <k=v>', 'environment variable of every command, the strongest level (repeatable)', collectEnv)
    .option('--param <k=v>', 'parameter, overrides the suite (repeatable)', collectPairs('--param'))
    .option('--seed <n>', 'root of all random choices', parseSeed);
}

/** Adds `--address --namespace --profile`. */
export function addConnectionOptions(command: Command): Command {
  return command
    .option('--address <host:port>', 'Temporal frontend; default $TEMPORAL_ADDRESS, else a server of our own')
    .option('--namespace <name>', 'Temporal namespace; default $TEMPORAL_NAMESPACE, else default')
    .option('--profile <name>', 'profile of the Temporal configuration file');
}

/** `--output live|plain|json|quiet`. */
export function outputOption(): Option {
  return new Option(
    '--output <mode>',
    'live (a terminal), plain (a log), json (event lines on stdout), quiet (only what went wrong)',
  ).choices(OUTPUT_MODES);
}

/** Reads `K=V` and refuses everything else, so that a forgotten `=` is not silently an empty value. */
export function collectPairs(flag: string): (value: string, previous: readonly string[] | undefined) => readonly string[] {
  return (value, previous) => {
    if (value.indexOf('=') < 1) throw new InvalidArgumentError(`Write it as ${flag} NAME=VALUE.`);
    return [...(previous ?? []), value];
  };
}

/** As {@link collectPairs}; the name must be one that `context.env` takes. */
function collectEnv(value: string, previous: readonly string[] | undefined): readonly string[] {
  const pairs = collectPairs('--env')(value, previous);
  const problem = envNameProblem(value.slice(0, value.indexOf('=')));
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  return pairs;
}

/** `["A=1", "B=x=y"]` → `{A: "1", B: "x=y"}`; the last one of a name wins. */
export function pairsToMap(pairs: readonly string[] | undefined): { readonly [name: string]: string } {
  const map: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const pair of pairs ?? []) {
    const at = pair.indexOf('=');
    map[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return { ...map };
}

export function parseCount(value: string): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('Write a whole number, 1 or more.');
  return count;
}

export function parseSeed(value: string): number {
  const seed = Number(value);
  if (!/^\d+$/.test(value) || seed > 0x7fffffff) throw new InvalidArgumentError('Write a whole number from 0 to 2147483647.');
  return seed;
}

function parseShard(value: string): { index: number; of: number } {
  const match = /^(\d+)\/(\d+)$/.exec(value);
  const index = Number(match?.[1]);
  const of = Number(match?.[2]);
  if (!match || index < 1 || of < 1 || index > of) throw new InvalidArgumentError('Write it as I/N with 1 ≤ I ≤ N, such as 2/4.');
  return { index, of };
}
