/** What happened: Events of the cluster, and what was done through this API. */
import * as z from 'zod';
import { objectName, time } from './field.ts';

export const event = z
  .strictObject({
    time,
    type: z.enum(['Normal', 'Warning']),
    reason: z.string().meta({ example: 'DataplaneDriftRepaired' }),
    message: z.string(),
    node: objectName.optional(),
    object: z.string().meta({ description: 'Kind and name', example: 'Pod shop/web-0' }),
  })
  .meta({ id: 'ClusterEvent' });

export const auditRecord = z
  .strictObject({
    time,
    requestId: z.string(),
    user: z.string().meta({ description: 'As TokenReview names it' }),
    credential: z.string().optional().meta({
      description: "Which of the user's tokens it was; the API server's audit log has it, with whom it was made for",
    }),
    operation: z.string().meta({ description: 'operationId' }),
    object: z.string(),
    dryRun: z.boolean(),
    status: z.int(),
    changes: z.array(z.string()).meta({ description: 'Lines of the difference; nothing secret is in them' }),
  })
  .meta({ id: 'AuditRecord' });

export const diagnosis = z
  .strictObject({
    time,
    entries: z.array(
      z.strictObject({
        path: z.string().meta({ example: 'nodes/a/policy-agent/status.json' }),
        content: z
          .string()
          .meta({ description: 'Only fields of a list of allowed ones; the rest is left out, not masked' }),
      }),
    ),
    missing: z.array(z.strictObject({ path: z.string(), reason: z.string() })),
  })
  .meta({ id: 'Diagnosis' });

export type ClusterEvent = z.infer<typeof event>;
export type AuditRecord = z.infer<typeof auditRecord>;
export type Diagnosis = z.infer<typeof diagnosis>;
