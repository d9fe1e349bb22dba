import type { Command } from '../../dsl/model/command.ts';
import type { Execution, JobContext } from '../run-types.ts';

/** `run: module`. */
export const moduleCommand: Command<JobContext, Execution> | undefined = undefined;
