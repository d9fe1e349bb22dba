import { EXIT } from '../../report/exit-code.ts';
import type { CliIo } from '../cli/io.ts';
import { suiteJsonSchema } from '../../dsl/parse/json-schema.ts';

/** `onetear schema`: the JSON Schema of the language on stdout. */
export function schema(io: CliIo): number {
  io.out(`${JSON.stringify(suiteJsonSchema(), null, 2)}\n`);
  return EXIT.passed;
}
