/** What a shape allows, as data: the source of the JSON Schema. Kept apart from zod, which parsing a suite never loads. */
export type Spec =
  | { readonly type: 'text'; readonly pattern?: string; readonly examples?: readonly string[] }
  | { readonly type: 'number' }
  | { readonly type: 'int'; readonly min?: number; readonly max?: number }
  | { readonly type: 'bool' }
  | { readonly type: 'null' }
  | { readonly type: 'words'; readonly words: readonly string[] }
  | { readonly type: 'any' }
  | { readonly type: 'list'; readonly of: Spec; readonly length?: number; readonly min?: number }
  | { readonly type: 'map'; readonly of: Spec }
  | ObjectSpec
  | { readonly type: 'union'; readonly of: readonly Spec[] }
  /** A shape that contains itself, or one that is used in many places. */
  | { readonly type: 'ref'; readonly id: string; readonly get: () => Spec };

export interface ObjectSpec {
  readonly type: 'object';
  readonly fields: { readonly [key: string]: FieldSpec };
  /** Other keys are allowed. */
  readonly open?: boolean;
}

export interface FieldSpec {
  readonly spec: Spec;
  /** Shown by editors. */
  readonly doc: string;
  readonly required: boolean;
}
