import { slug } from '../../dsl/expand/slug.ts';
import type { RunInfo } from '../../dsl/model/workflow-io.ts';

/** Workflow ids come from data alone, so that a person, the CLI and a replay name the same thing. */

/** `<run>` or `<run>/i<n>` inside a soak. */
export function runKey(run: Pick<RunInfo, 'run' | 'iteration'>): string {
  return run.iteration === undefined ? run.run : `${run.run}/i${run.iteration}`;
}

/** `onetear/<suite-slug>/<run>[/i<n>]`: what the client starts. */
export function suiteWorkflowId(run: Pick<RunInfo, 'run' | 'iteration' | 'slug'>): string {
  return `onetear/${run.slug}/${runKey(run)}`;
}

export function shardWorkflowId(run: RunInfo, index: number): string {
  return `${suiteWorkflowId(run)}/s${index}`;
}

export function testcaseWorkflowId(run: RunInfo, testcase: string, attempt: number): string {
  return `${suiteWorkflowId(run)}/c/${slug(testcase)}/a${attempt}`;
}

/** Id of a fault: the id of its workflow without `onetear/fault/`. */
export function faultId(run: RunInfo, testcase: string, attempt: number, step: string): string {
  return `${runKey(run)}/${slug(testcase)}/a${attempt}/${slug(step)}`;
}

export function faultWorkflowId(id: string): string {
  return `onetear/fault/${id}`;
}
