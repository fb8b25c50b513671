/** Nodes: what runs on each, how it is, and how its peers are reached. */
import * as z from 'zod';
import { fault, ipAddress, ipPrefix, objectName, time } from './field.ts';

const agent = z
  .strictObject({
    name: z.enum(['flanneld', 'policy-agent']),
    state: z.enum(['ready', 'not-ready', 'unreachable']),
    version: z.string().optional(),
    lastSync: time.optional().meta({ description: 'When the kernel was last as wanted' }),
    faults: z.array(fault),
  })
  .meta({ id: 'Agent' });

const peer = z
  .strictObject({
    node: objectName,
    address: ipAddress,
    via: z.enum(['vxlan', 'direct', 'host-gw', 'udp']),
    reachable: z.boolean().optional().meta({ description: 'Absent when it was not tried' }),
    roundTripSeconds: z.number().min(0).optional(),
  })
  .meta({ id: 'Peer' });

export const nodeSummary = z
  .strictObject({
    name: objectName,
    state: z.enum(['ready', 'degraded', 'not-ready', 'unreachable']),
    backend: z.string().optional().meta({ example: 'vxlan' }),
    addresses: z.array(ipAddress),
    subnets: z.array(ipPrefix),
    agents: z.array(agent),
  })
  .meta({ id: 'NodeSummary' });

export const node = nodeSummary
  .extend({
    podMtuBytes: z.int().positive().optional(),
    peers: z.array(peer),
  })
  .meta({ id: 'Node' });

export const lease = z
  .strictObject({
    node: objectName,
    family: z.union([z.literal(4), z.literal(6)]),
    subnet: ipPrefix,
    publicIp: ipAddress.optional(),
    backend: z.string().optional(),
    faults: z.array(fault),
  })
  .meta({ id: 'Lease', description: 'The pod subnet of a node, as its Node object tells it' });

export type Agent = z.infer<typeof agent>;
export type NodeSummary = z.infer<typeof nodeSummary>;
export type Peer = z.infer<typeof peer>;
export type Lease = z.infer<typeof lease>;
