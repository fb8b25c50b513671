/** Whether a flow passes, and why: the same answer as `canalctl policy explain` gives. */
import * as z from 'zod';
import { port, qualifiedName, reference } from './field.ts';

const end = z
  .string()
  .min(1)
  .max(512)
  .meta({ description: 'An address, or `namespace/name` of a pod', example: 'shop/web-0' });

export const question = z
  .strictObject({
    source: end,
    destination: end,
    protocol: z.string().min(1).max(16).default('TCP').meta({ description: 'TCP, UDP, SCTP, ICMP or a number' }),
    port: z
      .union([port, z.string().min(1).max(63)])
      .optional()
      .meta({ description: 'Number, or name of a port of the destination pod' }),
  })
  .meta({ id: 'FlowQuestion' });

const flowEnd = z
  .strictObject({
    address: z.string(),
    pod: reference.optional(),
    kind: z.enum(['pod', 'host', 'outside']),
  })
  .meta({ id: 'FlowEnd' });

const ruleReference = { policy: qualifiedName, index: z.int().min(0) };

const endVerdict = z
  .strictObject({
    direction: z.enum(['ingress', 'egress']),
    verdict: z.enum(['allow', 'deny']),
    reason: z.enum([
      'not-isolated',
      'allowed-by-rule',
      'no-rule-allows',
      'too-many-rules',
      'own-node',
      'same-pod',
      'unknown-pod',
      'address-taken',
    ]),
    policies: z.array(qualifiedName),
    rule: z.strictObject(ruleReference).optional(),
    misses: z.array(z.strictObject({ ...ruleReference, missed: z.enum(['peer', 'port', 'peer-and-port']) })),
  })
  .meta({ id: 'EndVerdict' });

export const explanation = z
  .strictObject({
    verdict: z.enum(['allow', 'deny']),
    source: flowEnd,
    destination: flowEnd,
    protocol: z.string(),
    port: port.optional(),
    egress: endVerdict.optional(),
    ingress: endVerdict.optional(),
    words: z.array(z.string()).meta({ description: 'The same for people, a sentence a line' }),
  })
  .meta({ id: 'Explanation' });

export type Explanation = z.infer<typeof explanation>;
