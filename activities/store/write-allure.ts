import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { TestResult, TestResultContainer } from 'allure-js-commons';
import type { Category } from 'allure-js-commons/sdk';
import { FileSystemWriter } from 'allure-js-commons/sdk/reporter';
import type { AllureAttempt } from '../../report/allure-model.ts';
import { ALLURE_CATEGORIES, allureEnvironment, allureExecutor } from '../../report/allure.ts';
import type { FinishedRun } from '../../report/report-model.ts';
import { writeFileQuick } from './atomic-file.ts';
import { blobPath } from './blob-store.ts';

/** Writes Allure results; each file is flushed and renamed into place by Allure's own writer, so writing again replaces, never doubles. Both give the names of their files. */
export interface AllureWriter {
  /** Files, then container, then result: a result that can be seen never names a missing file. */
  readonly attempt: (attempt: AllureAttempt) => readonly string[];
  readonly run: (run: FinishedRun) => Promise<readonly string[]>;
}

export function createAllureWriter(dir: string, storeDir: string): AllureWriter {
  mkdirSync(dir, { recursive: true });
  const writer = new FileSystemWriter({ resultsDir: dir });
  return {
    attempt: ({ files, container, result }) => {
      const names = [
        ...files.map(({ source }) => source),
        ...(container ? [`${container.uuid}-container.json`] : []),
        `${result.uuid}-result.json`,
      ];
      // The result comes last, so one that is there has all its files. An attempt of the activity that was cut off goes on where it was.
      if (isWritten(path.join(dir, `${result.uuid}-result.json`), JSON.stringify(result))) return names;
      for (const file of files) {
        if (file.kind === 'text') {
          writer.writeAttachment(file.source, Buffer.from(file.text));
          continue;
        }
        // A log that the store has lost is no reason to have no report: its excerpt is in the record.
        const blob = blobPath(storeDir, file.reference);
        if (existsSync(blob)) writer.writeAttachmentFromPath(file.source, blob);
        else writer.writeAttachment(file.source, Buffer.from(file.fallback));
      }
      // The writer's types are enums and mutable arrays; it only serializes what it is given.
      if (container) writer.writeGroup(container as unknown as TestResultContainer);
      writer.writeResult(result as unknown as TestResult);
      return names;
    },
    run: async (run) => {
      writer.writeEnvironmentInfo(allureEnvironment(run));
      writer.writeCategoriesDefinitions(ALLURE_CATEGORIES as unknown as Category[]);
      await writeFileQuick(path.join(dir, 'executor.json'), JSON.stringify(allureExecutor(run)));
      return ['environment.properties', 'categories.json', 'executor.json'];
    },
  };
}

function isWritten(file: string, text: string): boolean {
  return existsSync(file) && readFileSync(file, 'utf8') === text;
}
