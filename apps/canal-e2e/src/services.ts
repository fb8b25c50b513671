/** Services in front of pods of the suite: HTTP on port 80, UDP on port 90. */
import { eventually } from './eventually.ts';
import { familyOf } from './pods.ts';
import type { World } from './world.ts';

export interface ServiceOptions {
  readonly type?: 'ClusterIP' | 'NodePort';
  readonly isHeadless?: boolean;
  readonly externalTrafficPolicy?: 'Cluster' | 'Local';
}

export interface ServiceAddresses {
  /** Empty for a headless one. */
  readonly clusterIps: readonly string[];
  /** 0 where it has none. */
  readonly nodePorts: { readonly tcp: number; readonly udp: number };
}

export function serviceManifest(
  name: string,
  selector: Readonly<Record<string, string>>,
  options: ServiceOptions = {},
): object {
  const { type = 'ClusterIP', isHeadless = false, externalTrafficPolicy } = options;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: {
      type,
      selector,
      ipFamilyPolicy: 'PreferDualStack',
      ...(isHeadless ? { clusterIP: 'None' } : {}),
      ...(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }),
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 },
        { name: 'udp', protocol: 'UDP', port: 90, targetPort: 8081 },
      ],
    },
  };
}

interface ServiceObject {
  readonly spec: {
    readonly clusterIPs?: readonly string[];
    readonly ports: readonly { readonly name: string; readonly nodePort?: number }[];
  };
}

interface EndpointSliceList {
  readonly items: readonly {
    readonly addressType: string;
    readonly endpoints?: readonly { readonly conditions: { readonly ready?: boolean } }[] | null;
  }[];
}

/** Waits until all backends of each family are in its EndpointSlices. */
export async function waitForService(
  world: World,
  namespace: string,
  name: string,
  backends: number,
): Promise<ServiceAddresses> {
  const get = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await world.kubectl(['get', '-n', namespace, '-o', 'json', ...args])).stdout) as T;
  await eventually(
    `${backends} ready endpoints of service ${name}`,
    async () => {
      const { items } = await get<EndpointSliceList>('endpointslices', '-l', `kubernetes.io/service-name=${name}`);
      const ready = items.flatMap(({ endpoints }) => endpoints ?? []).filter(({ conditions }) => conditions.ready);
      return ready.length === backends * world.settings.families.length;
    },
    { withinMs: 20_000 },
  );
  const { spec } = await get<ServiceObject>('service', name);
  const port = (wanted: string): number => spec.ports.find((one) => one.name === wanted)?.nodePort ?? 0;
  return {
    clusterIps: (spec.clusterIPs ?? []).filter((ip) => ip !== 'None'),
    nodePorts: { tcp: port('http'), udp: port('udp') },
  };
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function endpointText(ip: string, port: number): string {
  return familyOf(ip) === 'ipv6' ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** The address of such a text. */
export function endpointHost(endpoint: string): string {
  return endpoint.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
