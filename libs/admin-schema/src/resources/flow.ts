/** Verdicts of nodes' kernels, joined with pods and policies. */
import * as z from 'zod';
import { objectName, port, protocol, qualifiedName, reference, time } from './field.ts';

const recordedEnd = z
  .strictObject({ address: z.string(), port: port.optional(), pod: reference.optional() })
  .meta({ id: 'RecordedEnd' });

export const flow = z
  .strictObject({
    node: objectName,
    time,
    verdict: z.enum(['allow', 'deny']),
    reason: z.string(),
    direction: z.enum(['ingress', 'egress']).optional(),
    source: recordedEnd,
    destination: recordedEnd,
    protocol,
    rule: z.strictObject({ policy: qualifiedName, index: z.int().min(0) }).optional(),
    isolatedBy: z.array(qualifiedName).optional(),
    lost: z.int().min(0).meta({ description: 'Records of this node that were lost before this one' }),
  })
  .meta({ id: 'Flow' });

export const flowQuery = z.strictObject({
  node: objectName.optional(),
  verdict: z.enum(['allow', 'deny']).optional(),
  namespace: objectName.optional().meta({ description: 'Of either end' }),
});

export type Flow = z.infer<typeof flow>;
export type FlowFilter = z.infer<typeof flowQuery>;
