/** Allure's result files, as far as we write them; the writer's own types are enums that plain data does not fit. */
export interface AllureDetails {
  readonly message?: string;
  readonly trace?: string;
  readonly actual?: string;
  readonly expected?: string;
  readonly flaky?: boolean;
}

export type AllureStatus = 'passed' | 'failed' | 'broken' | 'skipped';

export interface AllureParameter {
  readonly name: string;
  readonly value: string;
  readonly excluded?: boolean;
}

export interface AllureAttachment {
  readonly name: string;
  readonly type: string;
  readonly source: string;
}

export interface AllureStep {
  readonly name: string;
  readonly status: AllureStatus;
  readonly statusDetails: AllureDetails;
  readonly stage: 'finished';
  readonly start: number;
  readonly stop: number;
  readonly steps: readonly AllureStep[];
  readonly attachments: readonly AllureAttachment[];
  readonly parameters: readonly AllureParameter[];
}

export interface AllureResult extends AllureStep {
  readonly uuid: string;
  readonly historyId: string;
  readonly testCaseId: string;
  readonly fullName: string;
  readonly titlePath: readonly string[];
  readonly description?: string;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly links: readonly { readonly name: string; readonly url: string; readonly type: string }[];
}

export interface AllureContainer {
  readonly uuid: string;
  readonly name: string;
  readonly children: readonly string[];
  readonly befores: readonly AllureStep[];
  readonly afters: readonly AllureStep[];
}

/** A file to write before the result that names it: text, or a copy of a blob of the store. */
export type AllureFile =
  | { readonly source: string; readonly kind: 'text'; readonly text: string }
  | { readonly source: string; readonly kind: 'blob'; readonly reference: string; readonly fallback: string };

/** Everything of one attempt, in the order in which it must be written: files, container, result. */
export interface AllureAttempt {
  readonly files: readonly AllureFile[];
  readonly container?: AllureContainer;
  readonly result: AllureResult;
}
