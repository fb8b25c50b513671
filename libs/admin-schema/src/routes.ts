/** The operations of version 1. Additions only: what is here stays, and means what it means. */
import * as z from 'zod';
import { pageOf, pageQuery } from './page.ts';
import { diffRequest, policyDiff } from './resources/diff.ts';
import { explanation, question } from './resources/explanation.ts';
import { objectName } from './resources/field.ts';
import { flow, flowQuery } from './resources/flow.ts';
import { addressAssignment, addressPool } from './resources/ipam.ts';
import { netConfText, netConfVerdict } from './resources/net-conf.ts';
import { lease, node, nodeSummary } from './resources/node.ts';
import { endpoint, policy } from './resources/policy.ts';
import { auditRecord, diagnosis, event } from './resources/record.ts';
import type { RouteContract } from './route.ts';

/**
 * Of the document (Semantic Versioning): a change that breaks clients raises the first number that is not 0, and needs a
 * reason; `bun libs/admin-client/generate.ts --write` renders the document anew.
 */
export const API_VERSION = '0.2.0';

const namedNode = z.strictObject({ name: objectName });
const inNamespace = pageQuery.extend({ namespace: objectName.optional() });

export const ROUTES = [
  {
    id: 'listNodes',
    method: 'GET',
    path: '/v1/nodes',
    tag: 'nodes',
    summary: 'Nodes, with the state of their agents',
    role: 'view',
    query: pageQuery,
    answer: { status: 200, description: 'A page of nodes', schema: pageOf('Node', nodeSummary) },
    problems: ['cursor-expired'],
  },
  {
    id: 'getNode',
    method: 'GET',
    path: '/v1/nodes/{name}',
    tag: 'nodes',
    summary: 'One node, with its peers',
    role: 'view',
    params: namedNode,
    answer: { status: 200, description: 'The node', schema: node },
  },
  {
    id: 'listLeases',
    method: 'GET',
    path: '/v1/leases',
    tag: 'nodes',
    summary: 'Pod subnets of the nodes',
    role: 'view',
    query: pageQuery,
    answer: { status: 200, description: 'A page of leases', schema: pageOf('Lease', lease) },
    problems: ['cursor-expired'],
  },
  {
    id: 'listEndpoints',
    method: 'GET',
    path: '/v1/endpoints',
    tag: 'policy',
    summary: 'Pods on their nodes, with the policies that isolate them',
    role: 'view',
    query: inNamespace.extend({ node: objectName.optional() }),
    answer: { status: 200, description: 'A page of endpoints', schema: pageOf('Endpoint', endpoint) },
    problems: ['cursor-expired'],
  },
  {
    id: 'listPolicies',
    method: 'GET',
    path: '/v1/policies',
    tag: 'policy',
    summary: 'Policies, whom they select, and what of them could not be read',
    role: 'view',
    query: inNamespace,
    answer: { status: 200, description: 'A page of policies', schema: pageOf('Policy', policy) },
    problems: ['cursor-expired'],
  },
  {
    id: 'explain',
    method: 'POST',
    path: '/v1/explain',
    tag: 'policy',
    summary: 'Whether a flow passes, and why',
    role: 'view',
    body: question,
    answer: { status: 200, description: 'The verdict at both ends', schema: explanation },
    problems: ['not-found'],
  },
  {
    id: 'diff',
    method: 'POST',
    path: '/v1/diff',
    tag: 'policy',
    summary: 'Which flows would open or close if objects were applied or removed',
    role: 'view',
    body: diffRequest,
    answer: { status: 200, description: 'The flows that change', schema: policyDiff },
  },
  {
    id: 'listFlows',
    method: 'GET',
    path: '/v1/flows',
    tag: 'flows',
    summary: 'Verdicts that the nodes remember, newest first',
    role: 'view',
    query: pageQuery.extend(flowQuery.shape),
    answer: { status: 200, description: 'A page of flows', schema: pageOf('Flow', flow) },
    problems: ['cursor-expired'],
  },
  {
    id: 'streamFlows',
    method: 'GET',
    path: '/v1/flows/stream',
    tag: 'flows',
    summary: 'Verdicts as they fall',
    role: 'view',
    query: flowQuery,
    answer: {
      status: 200,
      description: 'Events `flow`, and `resync` when some were left out',
      schema: flow,
      stream: true,
      event: 'flow',
    },
  },
  {
    id: 'listAddressPools',
    method: 'GET',
    path: '/v1/ipam/pools',
    tag: 'ipam',
    summary: 'Addresses of each node: capacity, in use, leaked',
    role: 'view',
    query: pageQuery.extend({ node: objectName.optional() }),
    answer: { status: 200, description: 'A page of pools', schema: pageOf('AddressPool', addressPool) },
    problems: ['cursor-expired'],
  },
  {
    id: 'listAddresses',
    method: 'GET',
    path: '/v1/ipam/addresses',
    tag: 'ipam',
    summary: 'Who has which address',
    role: 'view',
    query: pageQuery.extend({ node: objectName.optional(), state: z.enum(['in-use', 'leaked']).optional() }),
    answer: { status: 200, description: 'A page of addresses', schema: pageOf('AddressAssignment', addressAssignment) },
    problems: ['cursor-expired'],
  },
  {
    id: 'getNetConf',
    method: 'GET',
    path: '/v1/config/net-conf',
    tag: 'config',
    summary: 'net-conf.json as the ConfigMap has it',
    role: 'view',
    answer: { status: 200, description: 'The configuration; its ETag is needed to change it', schema: netConfText },
    problems: ['not-found', 'conflict'],
  },
  {
    id: 'validateNetConf',
    method: 'POST',
    path: '/v1/config/net-conf/validate',
    tag: 'config',
    summary: 'Whether agents would take a configuration, and what it would change',
    role: 'view',
    body: netConfText,
    answer: { status: 200, description: 'The verdict', schema: netConfVerdict },
  },
  {
    id: 'putNetConf',
    method: 'PUT',
    path: '/v1/config/net-conf',
    tag: 'config',
    summary: 'Changes net-conf.json; what agents would not take is refused',
    role: 'admin',
    body: netConfText,
    answer: { status: 200, description: 'The verdict', schema: netConfVerdict },
    problems: ['not-found'],
    ifMatch: true,
    dryRun: true,
  },
  {
    id: 'listEvents',
    method: 'GET',
    path: '/v1/events',
    tag: 'records',
    summary: 'Kubernetes Events of canal, newest first',
    role: 'view',
    query: inNamespace,
    answer: { status: 200, description: 'A page of Events', schema: pageOf('ClusterEvent', event) },
    problems: ['cursor-expired'],
  },
  {
    id: 'listAuditRecords',
    method: 'GET',
    path: '/v1/audit',
    tag: 'records',
    summary: 'Who changed what through this API, newest first',
    role: 'admin',
    query: pageQuery,
    answer: { status: 200, description: 'A page of records', schema: pageOf('AuditRecord', auditRecord) },
    problems: ['cursor-expired'],
  },
  {
    id: 'diagnose',
    method: 'GET',
    path: '/v1/diag',
    tag: 'records',
    summary: 'What a person needs who looks for a fault from afar, without secrets',
    role: 'admin',
    answer: { status: 200, description: 'The bundle', schema: diagnosis },
  },
] as const satisfies readonly RouteContract[];
