import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { messageOf } from './process-error.ts';

// A CommonJS package whose names Node cannot see.
const { IndexedValueType } = proto.temporal.api.enums.v1;

/** What runs are found by in Temporal's UI and by our own verbs. */
export const SEARCH_ATTRIBUTES = [
  { name: 'OnetearSuite', type: 'Keyword' },
  { name: 'OnetearRun', type: 'Keyword' },
  { name: 'OnetearTestcase', type: 'Keyword' },
  { name: 'OnetearVerdict', type: 'Keyword' },
  { name: 'OnetearTags', type: 'KeywordList' },
] as const;

const TYPES = {
  Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  KeywordList: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
} as const;

/** Closed runs of a dev server vanish after 24 h unless told otherwise. */
const RETENTION_SECONDS = 30 * 24 * 3600;

/** `problem`: why the attributes are not all there. A workflow must not set them then, or its start fails. */
export interface SearchAttributeOutcome {
  readonly registered: boolean;
  readonly problem?: string;
}

/** Registers what is missing; a cluster that refuses costs filters, never a run. */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<SearchAttributeOutcome> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const wrong = SEARCH_ATTRIBUTES.filter(({ name, type }) => {
      const present = customAttributes[name];
      return present !== undefined && present !== TYPES[type];
    });
    if (wrong.length > 0) {
      return { registered: false, problem: `of another type on this cluster: ${wrong.map(({ name }) => name).join(', ')}` };
    }
    const missing = SEARCH_ATTRIBUTES.filter(({ name }) => customAttributes[name] === undefined);
    if (missing.length > 0) {
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, TYPES[type]])),
      });
    }
    return { registered: true };
  } catch (error) {
    return { registered: false, problem: messageOf(error) };
  }
}

/** Retention of the embedded server's namespace. Idempotent. */
export async function extendRetention(connection: Connection, namespace: string): Promise<void> {
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: { seconds: RETENTION_SECONDS as unknown as Long } },
  });
}

/** protobufjs accepts numbers where its types ask for Long. */
type Long = NonNullable<proto.temporal.api.namespace.v1.INamespaceConfig['workflowExecutionRetentionTtl']>['seconds'];
