/** The Backend object of net-conf.json: one row of the table for each backend that canal has. */
import type { BackendConf } from '@canal/model';
import { err, ok, parsePort, parseVni, type Result, unwrap } from 'net-types';
import * as z from 'zod/mini';
import { type FieldError, fieldErrors } from './field-error.ts';
import { type GoFields, readGoObject } from './go-object.ts';
import { trueOrFalse, wholeNumber } from './schema-parts.ts';

interface BackendSchema {
  readonly fields: GoFields;
  readonly schema: z.ZodMiniType<BackendConf>;
}

/** What flannel means by Port 0: the vxlan module's own default (drivers/net/vxlan, parameter udp_port). */
const KERNEL_VXLAN_PORT = 8472;

const VXLAN: BackendSchema = {
  fields: {
    // MacPrefix and Name are for Windows nodes, which may share the file.
    names: ['Type', 'VNI', 'Port', 'GBP', 'Learning', 'DirectRouting', 'MTU', 'MacPrefix', 'Name'],
    booleans: ['GBP', 'Learning', 'DirectRouting'],
  },
  schema: z.pipe(
    z.object({
      VNI: z._default(wholeNumber(0, 0xff_ffff), 1),
      Port: z._default(wholeNumber(0, 65535), 0),
      GBP: z._default(trueOrFalse(), false),
      Learning: z._default(trueOrFalse(), false),
      DirectRouting: z._default(trueOrFalse(), false),
      MTU: z._default(mtu(), 0),
    }),
    z.transform((conf): BackendConf => ({
      type: 'vxlan',
      vni: unwrap(parseVni(String(conf.VNI))),
      port: unwrap(parsePort(String(conf.Port === 0 ? KERNEL_VXLAN_PORT : conf.Port))),
      gbp: conf.GBP,
      learning: conf.Learning,
      directRouting: conf.DirectRouting,
      ...(conf.MTU !== 0 && { mtuBytes: conf.MTU }),
    })),
  ),
};

const HOST_GW: BackendSchema = {
  fields: { names: ['Type'], booleans: [] },
  schema: z.pipe(
    z.object({}),
    z.transform((): BackendConf => ({ type: 'host-gw' })),
  ),
};

const BACKENDS: Readonly<Record<string, BackendSchema>> = { vxlan: VXLAN, 'host-gw': HOST_GW };

const LATER = ['udp', 'wireguard', 'ipip', 'ipsec', 'alloc', 'extension', 'tencent-vpc'];
const REMOVED = ['aws-vpc', 'gce', 'ali-vpc'];
const SUPPORTED = Object.keys(BACKENDS).join(' or ');

/** Zero is the external interface's; the least that an IPv4 host must take is 576 (RFC 1122 §3.3.2). */
function mtu(): z.ZodMiniType<number> {
  const expected = 'an MTU within 576..65535, or 0 for that of the external interface';
  const isMtu = (value: number): boolean =>
    Number.isInteger(value) && (value === 0 || (value >= 576 && value <= 65535));
  return z.number(expected).check(z.refine(isMtu, expected));
}

export function parseBackendConf(input: unknown, warnings: string[]): Result<BackendConf, readonly FieldError[]> {
  if (input === undefined) return err([absentBackend()]);
  const typeOnly = readGoObject(input, { names: ['Type'], booleans: [] }, 'Backend.', []);
  if (typeOnly === undefined) return err([{ field: 'Backend', value: input, expected: 'an object with a Type' }]);
  const type = typeOnly['Type'];
  const name = typeof type === 'string' ? type.toLowerCase() : '';
  const backend = Object.hasOwn(BACKENDS, name) ? BACKENDS[name] : undefined;
  if (backend === undefined) return err([{ field: 'Backend.Type', value: type, expected: expectedType(name) }]);
  const read = readGoObject(input, backend.fields, 'Backend.', warnings);
  const parsed = z.safeParse(backend.schema, read);
  return parsed.success ? ok(parsed.data) : err(fieldErrors(parsed.error, read, 'Backend'));
}

/** flannel's documentation says vxlan, its code takes udp: guessing either would split a mixed cluster. */
function absentBackend(): FieldError {
  const expected = `an object such as {"Type": "vxlan"} (flannel takes udp when it is absent, which is not supported yet)`;
  return { field: 'Backend', value: undefined, expected };
}

function expectedType(name: string): string {
  if (LATER.includes(name)) return `${SUPPORTED} (${name} is not supported yet)`;
  if (REMOVED.includes(name)) return `${SUPPORTED} (flannel has dropped ${name} in 2022)`;
  return SUPPORTED;
}
