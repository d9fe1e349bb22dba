import type { ObjectSpec, Spec } from './spec.ts';
import { z } from 'zod';
import { suite } from './suite-shape.ts';

/** Definitions that are named in the schema: those that contain themselves or are used in many places. */
type Definitions = Map<string, z.ZodType>;

/**
 * The suite as a zod schema, built from the tables that `parseSuite` decodes with. It says what editors can check and complete;
 * rules over several keys (exactly one of …, cmd for shell) are left to `parseSuite`.
 */
export function suiteZodSchema(): z.ZodType {
  return toZod(suite.spec, new Map());
}

/** JSON Schema (draft 7, which the YAML language server reads) of a suite file. */
export function suiteJsonSchema(): object {
  const schema = z.toJSONSchema(suiteZodSchema(), {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      // zod writes the bounds of safe integers; they say nothing to a reader.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, title: 'onetear suite', ...rest };
}

/** The schema as docs/schema/suite.schema.json holds it. */
export function suiteJsonSchemaText(): string {
  return `${JSON.stringify(suiteJsonSchema(), null, 2)}\n`;
}

function toZod(spec: Spec, definitions: Definitions): z.ZodType {
  switch (spec.type) {
    case 'text':
      return textSchema(spec);
    case 'number':
      return z.number();
    case 'int':
      return z
        .int()
        .min(spec.min ?? Number.MIN_SAFE_INTEGER)
        .max(spec.max ?? Number.MAX_SAFE_INTEGER);
    case 'bool':
      return z.boolean();
    case 'null':
      return z.null();
    case 'words':
      return z.enum(spec.words as [string, ...string[]]);
    case 'any':
      return z.unknown();
    case 'list': {
      const items = z.array(toZod(spec.of, definitions));
      if (spec.length !== undefined) return items.length(spec.length);
      return spec.min === undefined ? items : items.min(spec.min);
    }
    case 'map':
      return z.record(z.string(), toZod(spec.of, definitions));
    case 'object':
      return objectSchema(spec, definitions);
    case 'union':
      return z.union(spec.of.map((part) => toZod(part, definitions)) as [z.ZodType, ...z.ZodType[]]);
    case 'ref':
      return definition(spec.id, spec.get, definitions);
    default:
      return spec satisfies never;
  }
}

function textSchema(spec: Extract<Spec, { type: 'text' }>): z.ZodType {
  const text = spec.pattern === undefined ? z.string() : z.string().regex(new RegExp(spec.pattern, 'u'));
  return spec.examples ? text.meta({ examples: [...spec.examples] }) : text;
}

function objectSchema(spec: ObjectSpec, definitions: Definitions): z.ZodType {
  const shape: { [key: string]: z.ZodType } = {};
  for (const [key, { spec: inner, doc, required }] of Object.entries(spec.fields)) {
    // A description beside a named definition would give the definition this field's words.
    const schema = toZod(inner, definitions);
    const described = inner.type === 'ref' ? z.union([schema]).describe(doc) : schema.describe(doc);
    shape[key] = required ? described : described.optional();
  }
  return spec.open ? z.looseObject(shape) : z.strictObject(shape);
}

function definition(id: string, get: () => Spec, definitions: Definitions): z.ZodType {
  const known = definitions.get(id);
  if (known) return known;
  const schema: z.ZodType = z.lazy(() => inner()).meta({ id });
  let built: z.ZodType | undefined;
  const inner = (): z.ZodType => (built ??= toZod(get(), definitions));
  definitions.set(id, schema);
  return schema;
}
