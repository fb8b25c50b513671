import { expect, test } from 'vitest';

import { isRouted } from './free-underlay.ts';

const HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (destination: string, mask: string): string =>
  `eth0\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;

// As /proc/net/route prints them: 172.30.2.0 is 00021EAC.
test.each([
  ['nothing', '', []],
  ['the default route', route('00000000', '00000000'), []],
  ['172.30.2.0/24', route('00021EAC', '00FFFFFF'), [2]],
  ['172.30.2.7/32', route('07021EAC', 'FFFFFFFF'), [2]],
  ['172.30.2.0/23', route('00021EAC', '00FEFFFF'), [2, 3]],
  ['172.30.0.0/16, as Docker takes it', route('00001EAC', '0000FFFF'), [1, 2, 3, 4]],
  ['172.16.0.0/12', route('000010AC', '0000F0FF'), [1, 2, 3, 4]],
  ['192.0.2.0/24 and 172.31.0.0/16', route('000200C0', '00FFFFFF') + route('00001FAC', '0000FFFF'), []],
])('%s', (_name, lines, taken) => {
  expect([1, 2, 3, 4].filter((number) => isRouted(number, HEADER + lines))).toEqual(taken);
});
