import { parseArgs } from 'node:util';
import { resolveHome } from '../activities/store/home-paths.ts';

/** Task queue names of a worker; `main` and `host` are the same in embedded mode, so that eager dispatch works. */
export interface WorkerQueues {
  readonly main: string;
  readonly host: string;
  readonly control: string;
}

/** How a worker process is told what to do: command line arguments, never secrets (those stay in the environment). */
export interface WorkerConfig {
  readonly home: string;
  /** `host:port` of the embedded server, or what overrides profile and environment. */
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
  /** The embedded server: `TEMPORAL_*` and profiles of the user are not for it. */
  readonly embedded: boolean;
  readonly queues: WorkerQueues;
  /** Where the worker says who it is and whether it polls. */
  readonly stateFile?: string;
  /** Where secrets come from that the starter of a run did not leave on this host; else the environment. */
  readonly secretsFile?: string;
  readonly secretsProgram?: string;
}

/** The inverse of {@link parseWorkerArguments}. */
export function workerArguments(config: WorkerConfig): string[] {
  const args = ['--home', config.home, '--main', config.queues.main, '--host', config.queues.host, '--control', config.queues.control];
  if (config.embedded) args.push('--embedded');
  if (config.address !== undefined) args.push('--address', config.address);
  if (config.namespace !== undefined) args.push('--namespace', config.namespace);
  if (config.profile !== undefined) args.push('--profile', config.profile);
  if (config.stateFile !== undefined) args.push('--state-file', config.stateFile);
  return args;
}

/** Throws on unknown or missing options. */
export function parseWorkerArguments(args: readonly string[]): WorkerConfig {
  const { values } = parseArgs({
    args: [...args],
    options: {
      home: { type: 'string' },
      main: { type: 'string' },
      host: { type: 'string' },
      control: { type: 'string' },
      embedded: { type: 'boolean', default: false },
      address: { type: 'string' },
      namespace: { type: 'string' },
      profile: { type: 'string' },
      'state-file': { type: 'string' },
    },
  });
  const { main, host, control } = values;
  if (!main || !host || !control) throw new Error('a worker needs --main, --host and --control');
  return {
    home: values.home ?? resolveHome(process.env),
    embedded: values.embedded,
    queues: { main, host, control },
    ...(values.address === undefined ? {} : { address: values.address }),
    ...(values.namespace === undefined ? {} : { namespace: values.namespace }),
    ...(values.profile === undefined ? {} : { profile: values.profile }),
    ...(values['state-file'] === undefined ? {} : { stateFile: values['state-file'] }),
  };
}
