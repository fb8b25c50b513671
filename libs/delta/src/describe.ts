/** Operations and targets in the words of iproute2, for logs and messages; never parsed. */
import type { ActualRoute, NetworkOperation } from '@canal/model';
import { formatCidr, formatInterfaceAddress, formatIp } from 'net-types';
import { sysctlPath } from './diff-sysctls.ts';

export function describeTarget(target: ActualRoute['target']): string {
  switch (target.type) {
    case 'nexthop':
      return `nhid ${target.id}`;
    case 'gateway':
      return `via ${formatIp(target.gateway)} dev ${target.link}${target.onlink ? ' onlink' : ''}`;
    case 'link':
      return `dev ${target.link}`;
    case 'blackhole':
      return 'blackhole';
    case 'other':
      return target.text;
  }
}

export function describeOperation(operation: NetworkOperation): string {
  switch (operation.type) {
    case 'link-add': {
      const { name, vni, local, underlay, port } = operation.link;
      return `link add ${name} vxlan id ${vni} local ${formatIp(local)} dev ${underlay} dstport ${port}`;
    }
    case 'link-change':
      return `link change ${operation.link.name}: ${operation.changes.join(', ')}`;
    case 'link-delete':
      return `link delete ${operation.name}`;
    case 'link-up':
      return `link set ${operation.name} up`;
    case 'port-set':
      return `port set ${operation.port.name} isolated ${operation.port.isolated ? 'on' : 'off'}`;
    case 'address-add':
    case 'address-delete': {
      const { link, address } = operation.address;
      return `${verb(operation.type)} ${formatInterfaceAddress(address)} dev ${link}`;
    }
    case 'neighbour-set':
    case 'neighbour-delete': {
      const { link, ip, mac } = operation.neighbour;
      return `${verb(operation.type)} ${formatIp(ip)} lladdr ${mac} dev ${link}`;
    }
    case 'proxy-set':
    case 'proxy-delete':
      return `${verb(operation.type)} ${formatIp(operation.proxy.ip)} dev ${operation.proxy.link}`;
    case 'fdb-set':
    case 'fdb-delete': {
      const { link, mac, remote } = operation.entry;
      return `${verb(operation.type)} ${mac} dst ${formatIp(remote)} dev ${link}`;
    }
    case 'nexthop-add':
    case 'nexthop-replace': {
      const { id, gateway, link } = operation.nexthop;
      return `${verb(operation.type)} id ${id} via ${formatIp(gateway)} dev ${link}`;
    }
    case 'nexthop-delete':
      return `nexthop delete id ${operation.id}`;
    case 'route-add':
    case 'route-replace':
      return `${verb(operation.type)} ${formatCidr(operation.route.destination)} ${describeTarget(operation.route.target)}`;
    case 'route-delete':
      return `route delete ${formatCidr(operation.route.destination)} metric ${operation.route.metric}`;
    case 'sysctl-set':
      return `sysctl ${sysctlPath(operation.sysctl)}=${operation.sysctl.value}`;
  }
}

function verb(type: NetworkOperation['type']): string {
  return type.replace('-', ' ');
}
