/** Addresses of pods: what each node has of them, who has which, and what nobody gave back. */
import * as z from 'zod';
import { ipAddress, ipPrefix, objectName, reference, time } from './field.ts';

export const addressPool = z
  .strictObject({
    node: objectName,
    subnet: ipPrefix,
    capacity: z
      .string()
      .regex(/^\d+$/)
      .meta({ description: 'Addresses that pods can get; a text, for IPv6 has more than JSON numbers hold' }),
    inUse: z.int().min(0),
    leaked: z.int().min(0).meta({ description: 'Held by sandboxes that are gone' }),
  })
  .meta({ id: 'AddressPool' });

export const addressAssignment = z
  .strictObject({
    address: ipAddress,
    node: objectName,
    state: z.enum(['in-use', 'leaked']),
    containerId: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .meta({ description: 'Absent, as the interface is, where the file of the address names nobody' }),
    interface: z.string().min(1).max(15).optional(),
    pod: reference.optional().meta({ description: 'Absent when the runtime did not say' }),
    since: time.optional(),
    releasable: z
      .boolean()
      .optional()
      .meta({ description: 'Of a leaked one: its sandbox is gone for sure, so that it can be released on demand' }),
  })
  .meta({ id: 'AddressAssignment' });

/** Both may be left out: then it is whoever has leaked the address. */
export const releaseRequest = z
  .strictObject({
    node: objectName.optional().meta({ description: 'Needed where two nodes hold the address' }),
    containerId: z.string().min(1).max(128).optional().meta({ description: 'Another holder is refused' }),
  })
  .meta({ id: 'ReleaseRequest' });

export const addressRelease = z
  .strictObject({
    applied: z.boolean().meta({ description: 'False: a trial' }),
    address: ipAddress,
    node: objectName,
    containerId: z.string(),
    pod: reference.optional(),
    detail: z.string().meta({ description: 'What the node says that it has released' }),
  })
  .meta({ id: 'AddressRelease' });

export type AddressPool = z.infer<typeof addressPool>;
export type AddressAssignment = z.infer<typeof addressAssignment>;
