/** backend-data of the vxlan backend: `{"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:ff"}`, byte for byte what flannel writes. */
import {
  err,
  isUnicastMac,
  type Mac,
  ok,
  parseMac,
  parseVni,
  type ParseError,
  type Result,
  unwrap,
  type Vni,
} from 'net-types';
import * as z from 'zod/mini';
import { readGoObject } from './go-object.ts';
import { parsedText, wholeNumber } from './schema-parts.ts';

export interface Vtep {
  readonly vni: Vni;
  readonly mac: Mac;
}

const FIELDS = { names: ['VNI', 'VtepMAC'], booleans: [] };
const SCHEMA = z.object({
  VNI: z._default(wholeNumber(0, 0xff_ffff), 0),
  VtepMAC: parsedText(parseUnicastMac, 'a MAC address'),
});
const EXPECTED = 'vxlan backend data such as {"VNI":1,"VtepMAC":"0a:58:0a:f4:01:00"} with a unicast address';

/** Longer than any honest value: what another node wrote is not parsed before it is measured. */
const MAX_LENGTH = 512;

export function parseVtep(text: string): Result<Vtep, ParseError> {
  const refused = err({ input: text, expected: EXPECTED });
  if (text.length > MAX_LENGTH) return refused;
  const parsed = z.safeParse(SCHEMA, readGoObject(parseJson(text), FIELDS, '', []));
  if (!parsed.success) return refused;
  return ok({ vni: unwrap(parseVni(String(parsed.data.VNI))), mac: parsed.data.VtepMAC });
}

export function formatVtep(vtep: Vtep): string {
  return JSON.stringify({ VNI: vtep.vni, VtepMAC: vtep.mac });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A group address as VTEP would send one peer's frames to many. */
function parseUnicastMac(text: string): Result<Mac, ParseError> {
  const mac = parseMac(text);
  return !mac.ok || isUnicastMac(mac.value) ? mac : err({ input: text, expected: 'a unicast MAC address' });
}
