/** Which flows a change of objects would open and close: PolicyDiff of policy-diff, bounded. */
import * as z from 'zod';
import { jsonValue, objectName, qualifiedName } from './field.ts';

export const DIFF_KINDS = ['NetworkPolicy', 'Namespace', 'Pod'] as const;

const MAX_OBJECTS = 1_000;
/** Of opened, and of closed ones; what is more is counted. */
export const MAX_DIFF_GROUPS = 1_000;

export const diffRequest = z
  .strictObject({
    objects: z
      .array(z.record(z.string().max(256), jsonValue))
      .max(MAX_OBJECTS)
      .meta({ description: 'As they would be applied: NetworkPolicies, Namespaces, and Pods for their labels' }),
    removed: z
      .array(z.strictObject({ kind: z.enum(DIFF_KINDS), namespace: objectName.optional(), name: objectName }))
      .max(MAX_OBJECTS)
      .optional(),
  })
  .meta({ id: 'DiffRequest' });

const families = z.array(z.union([z.literal(4), z.literal(6)]));
const count = z.int().min(0);

export type DiffPods =
  | { type: 'pods'; pods: number; but?: DiffPods[] | undefined }
  | { type: 'namespace'; name: string; pods: number; but?: DiffPods[] | undefined }
  | { type: 'workload'; name: string; pods: number; of: number; only?: string[] | undefined };

const diffPods: z.ZodType<DiffPods> = z
  .lazy(() =>
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('pods'), pods: count, but: z.array(diffPods).optional() }),
      z.strictObject({
        type: z.literal('namespace'),
        name: z.string(),
        pods: count,
        but: z.array(diffPods).optional(),
      }),
      z.strictObject({
        type: z.literal('workload'),
        name: z.string().meta({ example: 'shop/web' }),
        pods: count,
        of: count,
        only: z.array(qualifiedName).optional(),
      }),
    ]),
  )
  .meta({ id: 'DiffPods', description: 'Every pod, those of a namespace, or those of a workload' });

const diffEnd = z
  .union([
    diffPods,
    z.strictObject({
      type: z.literal('nodes'),
      addresses: z.union([z.literal('all'), z.array(z.strictObject({ node: z.string(), address: z.string() }))]),
    }),
    z.strictObject({
      type: z.literal('outside'),
      ranges: z.union([z.literal('all'), z.array(z.string())]).meta({ description: 'Blocks, or first-last' }),
    }),
  ])
  .meta({ id: 'DiffEnd' });

const diffPorts = z
  .union([
    z.literal('all'),
    z.array(
      z.union([
        z.strictObject({ protocol: z.enum(['TCP', 'UDP', 'SCTP']), first: count, last: count }),
        z.strictObject({ protocol: z.literal('other') }),
      ]),
    ),
  ])
  .meta({ id: 'DiffPorts', description: '`other` is ICMP, and whatever else has no ports' });

const change = z.enum(['added', 'removed', 'changed']);

const diffCause = z
  .union([
    z.strictObject({ type: z.enum(['policy', 'namespace']), name: z.string(), change }),
    z.strictObject({ type: z.literal('pods'), workload: z.string() }),
  ])
  .meta({ id: 'DiffCause' });

const flowGroup = z
  .strictObject({
    sources: z.array(diffEnd),
    destinations: z.array(diffEnd),
    families,
    ports: diffPorts,
    causes: z.array(diffCause),
  })
  .meta({ id: 'FlowGroup', description: 'Every source to every destination at every one of the ports' });

const podChange = z
  .strictObject({ pod: qualifiedName, workload: z.string(), families })
  .meta({ id: 'PodChange', description: 'A pod that comes or goes: its flows are not compared' });

const objectProblem = z
  .strictObject({
    object: z.string().meta({ description: 'JSON Pointer into the request', example: '/objects/0' }),
    code: z.string(),
    field: z.string(),
    message: z.string(),
  })
  .meta({ id: 'ObjectProblem', description: 'What of an object could not be read, and what follows' });

export const policyDiff = z
  .strictObject({
    opens: z.array(flowGroup).max(MAX_DIFF_GROUPS),
    closes: z.array(flowGroup).max(MAX_DIFF_GROUPS),
    omitted: count.meta({ description: 'Groups that are more than an answer holds' }),
    came: z.array(podChange),
    went: z.array(podChange),
    compared: z.strictObject({ pods: count, workloads: count, families }),
    problems: z.array(objectProblem),
    words: z.array(z.string()).meta({ description: 'The same for people, a line a group' }),
  })
  .meta({ id: 'PolicyDiff' });

export type DiffRequest = z.infer<typeof diffRequest>;
export type PolicyDiff = z.infer<typeof policyDiff>;
