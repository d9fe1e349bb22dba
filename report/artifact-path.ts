import { slug } from '../dsl/expand/slug.ts';
import type { StepRecord } from '../dsl/model/record.ts';

/** One full output that is kept beside the reports because its excerpt is cut. */
export interface StepArtifact {
  /** Reference into the store, `sha256:<hex>`. */
  readonly reference: string;
  /** Relative to the results folder. */
  readonly path: string;
  readonly node: string;
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: number;
}

/** File name of an attempt without extension: the same in the records, the results folder and the archive. */
export function attemptFileName(testcase: string, attempt: number): string {
  return `${slug(testcase)}.a${attempt}`;
}

/** Full outputs of a step, named by where they came from: `artifacts/<testcase>.a<attempt>/<step>/<node>.<stream>.txt`. */
export function stepArtifacts(testcase: string, attempt: number, step: StepRecord): StepArtifact[] {
  const folder = testcase === '' ? 'suite' : attemptFileName(testcase, attempt);
  return step.results.flatMap((result) =>
    (['stdout', 'stderr'] as const).flatMap((stream) => {
      const { artifact, bytes } = result[stream];
      if (artifact === undefined) return [];
      const path = `artifacts/${folder}/${slug(step.step)}/${slug(result.node)}.${stream}.txt`;
      return [{ reference: artifact, path, node: result.node, stream, bytes }];
    }),
  );
}
