import { Client, Connection } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { homePaths, resolveHome } from '../activities/store/home-paths.ts';
import type { HomePaths } from '../activities/store/home-paths.ts';
import { EXIT } from '../report/exit-code.ts';
import { dataConverter } from '../worker/data-converter.ts';
import { CliError, usageError } from './cli/cli-error.ts';
import type { CliIo } from './cli/io.ts';
import type { ConnectionOptions } from './cli/options.ts';
import type { LinkedServer } from './follow/server-link.ts';
import { connect, type Target } from './processes/connect.ts';
import type { Endpoint } from './processes/ensure-keeper.ts';

/** A Temporal server that answers, and what our workflows need to know of it. */
export interface OpenServer extends LinkedServer {
  readonly client: Client;
  readonly converter: LoadedDataConverter;
  /** Base URL of the Web UI, when known. */
  readonly ui: string | undefined;
  readonly queues: Endpoint['queues'];
  readonly searchAttributes: boolean;
}

export interface ServerChoice extends ConnectionOptions {
  /** False = start no worker here. */
  readonly worker: boolean;
}
