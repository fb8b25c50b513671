/** net-conf.json of the ConfigMap, and what of it would change. */
import * as z from 'zod';

const netConfProblem = z
  .strictObject({
    pointer: z.string().meta({ description: 'JSON Pointer into net-conf.json', example: '/Backend/Type' }),
    detail: z.string(),
  })
  .meta({ id: 'NetConfProblem' });

type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/** Not z.json(): its inner schema has no name, and the document would get one that changes. */
const jsonValue: z.ZodType<JsonValue> = z
  .lazy(() =>
    z.union([z.null(), z.boolean(), z.number(), z.string(), z.array(jsonValue), z.record(z.string(), jsonValue)]),
  )
  .meta({ id: 'JsonValue', description: 'Any JSON' });

/** As the file has it: flannel's names, and fields that newer agents know are kept. */
export const netConfText = z.strictObject({ netConf: z.record(z.string().max(64), jsonValue) }).meta({ id: 'NetConf' });

export const netConfVerdict = z
  .strictObject({
    applied: z.boolean().meta({ description: 'False: a trial, or refused' }),
    problems: z.array(netConfProblem).meta({ description: 'Errors: agents keep the configuration that they have' }),
    warnings: z.array(netConfProblem),
    effects: z.array(z.string()).meta({ description: 'What nodes and pods will see, a sentence each' }),
  })
  .meta({ id: 'NetConfVerdict' });
