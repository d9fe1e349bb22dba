import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Whether messages and stacks of failures become payloads, which a codec can encrypt. One bundle serves both ways: a worker that encrypts
 * replaces this text when it loads the bundle (worker/create-worker.ts), since code in the sandbox cannot know how its worker was started.
 * What a failure's text looks like is no decision of a workflow, so both ways replay the same.
 */
const FAILURE_TEXTS: string = 'onetear:failure-texts=clear';

/** Used by Temporal's runtime in the sandbox. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: !FAILURE_TEXTS.endsWith('clear') });
