import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HomePaths } from '../../activities/store/home-paths.ts';
import { recordFileName, runFolder } from '../../activities/store/run-store.ts';
import type { TestcaseRecord } from '../../dsl/model/record.ts';
import { failureBlock } from '../../report/terminal/render-failure.ts';
import type { RecordedBlock } from './end-text.ts';

/** Failures of a run from this home's records. A worker on another host keeps them there: then there is none. */
export function recordedBlock(home: HomePaths, run: string): RecordedBlock {
  return (testcase, attempt) => {
    const file = join(runFolder(home, run).testcasesDir, recordFileName({ testcase, attempt }));
    try {
      return failureBlock(JSON.parse(readFileSync(file, 'utf8')) as TestcaseRecord);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };
}
