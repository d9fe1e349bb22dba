import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { suiteJsonSchema, suiteJsonSchemaText, suiteZodSchema } from './json-schema.ts';
import { parseSuite } from './parse-suite.ts';

const examples = ['seed', 'quickstart', 'postgres-repmgr'].map((name) =>
  readFileSync(new URL(`../../examples/${name}/suite.yaml`, import.meta.url), 'utf8'),
);

// `npx vitest run dsl/parse -u` writes it anew.
test('docs/schema/suite.schema.json is up to date', async () => {
  await expect(suiteJsonSchemaText()).toMatchFileSnapshot('../../docs/schema/suite.schema.json');
});

test('it is draft 7, names its definitions and describes every key', () => {
  const schema = suiteJsonSchema() as {
    $schema: string;
    properties: { [key: string]: { description?: string } };
    definitions: { [name: string]: unknown };
    additionalProperties: boolean;
  };
  expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.definitions)).toEqual(expect.arrayContaining(['step', 'matcherBlock', 'hooks', 'retry', 'duration', 'verify']));
  for (const [key, { description }] of Object.entries(schema.properties)) expect(description, key).toMatch(/\.$/);
});

test('the schema accepts what the parser accepts', () => {
  const schema = suiteZodSchema();
  for (const text of examples) {
    const { success, error } = schema.safeParse(parse(text));
    expect(error?.issues ?? []).toEqual([]);
    expect(success).toBe(true);
  }
});

/** Wrong in shape, not in a rule over several keys: those are the parser's alone. */
test.each([
  'commands: [{ name: x, cmd: y, expct: 1 }]',
  'commands: [{ name: "a b", cmd: y }]',
  'commands: [{ cmd: y }]',
  'commands: [{ name: x, cmd: y, pick: some }]',
  'commands: [{ name: x, cmd: y, retry: -1 }]',
  'commands: [{ name: x, cmd: y, expect: { empty: 1 } }]',
  'testcases: [{ name: t, steps: [{ use: x, sleepy: 1 }] }]',
  'testcases: [{ name: t }]',
  'strategy: { max_parallel: 0 }',
  'context: { nodes: [{ name: a, port: 0 }] }',
])('the schema refuses what the parser refuses: %s', (text) => {
  expect(parseSuite({ file: 's.yaml', text }, () => ({ problem: '' })).suite).toBeUndefined();
  expect(suiteZodSchema().safeParse(parse(text)).success).toBe(false);
});
