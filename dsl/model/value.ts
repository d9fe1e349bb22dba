/** A JSON value: what params, inputs, outputs, labels and expression scopes hold. Numbers are finite. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

/** A JSON object with string keys. */
export type ValueMap = { readonly [key: string]: Value };

/** Text that may contain `${{ expr }}` marks, not yet rendered. */
export type Template = string;

/** A bare CEL expression, without the `${{ }}` around it. */
export type Expression = string;

/** A selector text of suite-language §2, may be one whole mark. */
export type SelectorText = string;
