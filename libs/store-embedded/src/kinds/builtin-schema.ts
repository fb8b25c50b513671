import { checkFields } from '../fields/check-fields.ts';
import { readFieldTables } from '../fields/field-table.ts';
import type { Json } from '../json.ts';
import type { ObjectSchema } from '../resource.ts';

export type SchemaMaker = (kind: string, setDefaults?: (object: Json) => void) => ObjectSchema;

/** Schemas of built-in kinds from the generated field tables, which are read once. */
export function createBuiltinSchemas(): SchemaMaker {
  const tables = readFieldTables();
  return (kind, setDefaults) => ({
    check: (object) => checkFields(tables, kind, object),
    ...(setDefaults === undefined ? {} : { setDefaults }),
  });
}
