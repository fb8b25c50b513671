/** net-conf.json of the ConfigMap, and what of it would change. */
import * as z from 'zod';
import { jsonValue } from './field.ts';

const netConfProblem = z
  .strictObject({
    pointer: z.string().meta({ description: 'JSON Pointer into net-conf.json', example: '/Backend/Type' }),
    detail: z.string(),
  })
  .meta({ id: 'NetConfProblem' });

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

export type NetConfVerdict = z.infer<typeof netConfVerdict>;
