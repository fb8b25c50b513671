/** Fields that several resources have. */
import * as z from 'zod';

/** RFC 1123 subdomain: names of nodes, namespaces, pods and policies. */
export const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'expected a name of small letters, digits, dashes and dots')
  .meta({ example: 'web-0' });

export const ipAddress = z.union([z.ipv4(), z.ipv6()]).meta({ example: '10.244.1.5' });
export const ipPrefix = z.union([z.cidrv4(), z.cidrv6()]).meta({ example: '10.244.1.0/24' });
export const time = z.iso.datetime({ offset: true, precision: 3 }).meta({ example: '2026-11-21T10:00:00.000Z' });

export const reference = z
  .strictObject({ namespace: objectName, name: objectName })
  .meta({ id: 'Reference', description: 'An object of a namespace' });

/** `namespace/name`, as explanations and flow records name policies. */
export const qualifiedName = z
  .string()
  .regex(/^[^/\s]+\/[^/\s]+$/, 'expected namespace/name')
  .meta({ example: 'shop/db-allow' });

export const protocol = z
  .string()
  .regex(/^(TCP|UDP|SCTP|ICMP|ICMPv6|\d{1,3})$/, 'expected TCP, UDP, SCTP, ICMP, ICMPv6 or a protocol number')
  .meta({ example: 'TCP' });

export const port = z.int().min(0).max(65_535).meta({ example: 5432 });

/** Something that is wrong, and what to do about it. */
export const fault = z
  .strictObject({
    severity: z.enum(['error', 'warning']),
    message: z.string().meta({ description: 'With cause and next step' }),
  })
  .meta({ id: 'Fault' });

type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/** Not z.json(): its inner schema has no name, and the document would get one that changes. */
export const jsonValue: z.ZodType<JsonValue> = z
  .lazy(() =>
    z.union([z.null(), z.boolean(), z.number(), z.string(), z.array(jsonValue), z.record(z.string(), jsonValue)]),
  )
  .meta({ id: 'JsonValue', description: 'Any JSON' });
