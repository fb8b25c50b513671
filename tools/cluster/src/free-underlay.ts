/** Which underlay networks the machine's own routes leave free. */

/** True when a route of `/proc/net/route` (IPv4, but for the default one) leads into 172.30.`number`.0/24 or around it. */
export function isRouted(number: number, routes: string): boolean {
  const network = ((172 << 24) | (30 << 16) | (number << 8)) >>> 0;
  return routes
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .some(([, destination = '', , , , , , mask = '']) => {
      const common = (address(mask) & 0xffffff00) >>> 0;
      return address(mask) !== 0 && ((address(destination) ^ network) & common) === 0;
    });
}

/** The kernel prints the bytes of an address as one number of the machine's order, which is little-endian. */
function address(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE();
}
