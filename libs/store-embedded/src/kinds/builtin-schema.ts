import { checkFields } from '../fields/check-fields.ts';
import { readFieldTables } from '../fields/field-table.ts';
import type { Json } from '../json.ts';
import { publishedSchemas } from '../fields/published-schema.ts';
import { strategicMergePatch } from '../patch/strategic-merge-patch.ts';
import type { ObjectSchema } from '../resource.ts';

export type SchemaMaker = (kind: string, setDefaults?: (object: Json) => void) => ObjectSchema;

/** Schemas of built-in kinds from the generated field tables, which are read once. */
export function createBuiltinSchemas(): SchemaMaker {
  const tables = readFieldTables();
  return (kind, setDefaults) => ({
    check: (object) => checkFields(tables, kind, object),
    published: () => publishedSchemas(tables, kind),
    strategicMerge: (object, patch) => strategicMergePatch(tables, kind, object, patch),
    ...(setDefaults === undefined ? {} : { setDefaults }),
  });
}
