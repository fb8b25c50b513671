/** Policies and whom they select; endpoints and what isolates them. */
import * as z from 'zod';
import { ipAddress, objectName, qualifiedName, reference, time } from './field.ts';

const policyProblem = z
  .strictObject({
    code: z.string().meta({ example: 'InvalidPeer' }),
    field: z.string().meta({ example: 'spec.ingress[1].from[0].ipBlock.cidr' }),
    message: z.string(),
  })
  .meta({ id: 'PolicyProblem', description: 'What could not be read or is too much, and what follows' });

const ruleHits = z
  .strictObject({
    direction: z.enum(['ingress', 'egress']),
    rule: z.int().min(0).optional().meta({
      description: 'Its place in the list; absent: what no rule of any policy allowed, at pods that this one isolates',
    }),
    packets: z.int().min(0),
    bytes: z.int().min(0),
    sharedPackets: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'Of the packets, those that this rule or one of others allowed: nobody can tell which' }),
    since: time.meta({ description: 'The oldest start of counting among the nodes' }),
  })
  .meta({
    id: 'RuleHits',
    description:
      'Packets of new flows that the rule allowed, over all nodes that were asked: the first of each flow, and those ' +
      'after it until the flow is answered',
  });

export const policy = z
  .strictObject({
    namespace: objectName,
    name: objectName,
    kind: z.literal('NetworkPolicy'),
    directions: z.array(z.enum(['ingress', 'egress'])),
    selects: z.int().min(0).meta({ description: 'Pods that it isolates' }),
    problems: z.array(policyProblem),
    hits: z
      .array(ruleHits)
      .optional()
      .meta({ description: 'Of the rules that an agent counts for; absent where none does' }),
  })
  .meta({ id: 'Policy' });

export const endpoint = z
  .strictObject({
    node: objectName,
    pod: reference.optional().meta({ description: 'Absent when the runtime did not say' }),
    interface: z.string().min(1).max(15),
    addresses: z.array(ipAddress),
    state: z.enum(['policed', 'unknown-pod', 'address-taken']),
    ingress: z.array(qualifiedName).meta({ description: 'Policies that isolate it for ingress' }),
    egress: z.array(qualifiedName),
  })
  .meta({ id: 'Endpoint', description: "A pod's interface on its node, with the policies in effect" });

export type Policy = z.infer<typeof policy>;
export type Endpoint = z.infer<typeof endpoint>;
