import type { Ip } from 'net-types';
import type { AttributeCodec } from '../wire/attribute-codec.ts';
import { familyOfIp } from '../rtnetlink/family.ts';
import { readIp, writeIp } from '../wire/scalars.ts';

/** RTA_VIA, struct rtvia: a gateway of the other family, preceded by that family (an IPv4 route over IPv6). */
export const via: AttributeCodec<Ip> = {
  encode: (writer, gateway) => {
    writer.u16(familyOfIp(gateway));
    writeIp(writer, gateway);
  },
  decode: (source, start, end) => {
    const family = source.u16(start);
    const gateway = readIp(source, start + 2, end);
    return gateway === undefined || family !== familyOfIp(gateway) ? undefined : gateway;
  },
};
