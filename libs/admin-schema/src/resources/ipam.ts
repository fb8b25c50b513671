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
  })
  .meta({ id: 'AddressAssignment' });

export type AddressPool = z.infer<typeof addressPool>;
export type AddressAssignment = z.infer<typeof addressAssignment>;
