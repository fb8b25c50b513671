/**
 * Every flag flanneld has had, and canal's own. The environment name is FLANNELD_ + upper case, dashes as underscores.
 * Names, kinds and defaults are flannel's (v0.28); its manifests and those of k3s, RKE2 and canal pass them.
 */
import { API_SERVER_FLAGS, CNI_STATE_DIR_FLAG, NODE_API_FLAGS, PROGRAM_FLAGS, VERBOSITY_FLAG } from './common-flags.ts';
import type { FlagSpec, Reaction } from './flag-spec.ts';

const ETCD: Reaction = { type: 'later', needs: 'the etcd store' };

export const FLAGS = [
  {
    name: 'etcd-endpoints',
    kind: 'text',
    initial: 'http://127.0.0.1:4001,http://127.0.0.1:2379',
    help: 'comma-separated list of etcd endpoints',
    reaction: ETCD,
  },
  {
    name: 'etcd-prefix',
    kind: 'text',
    initial: '/coreos.com/network',
    help: 'etcd key prefix',
    reaction: ETCD,
  },
  { name: 'etcd-keyfile', kind: 'text', initial: '', help: 'client key file for etcd', reaction: ETCD },
  { name: 'etcd-certfile', kind: 'text', initial: '', help: 'client certificate file for etcd', reaction: ETCD },
  { name: 'etcd-cafile', kind: 'text', initial: '', help: 'certificate authority file for etcd', reaction: ETCD },
  { name: 'etcd-username', kind: 'text', initial: '', help: 'user name for etcd', reaction: ETCD },
  { name: 'etcd-password', kind: 'text', initial: '', help: 'password for etcd', reaction: ETCD },
  {
    name: 'subnet-lease-renew-margin',
    kind: 'integer',
    initial: '60',
    help: 'minutes before expiry at which an etcd lease is renewed, 1..1439',
    reaction: { type: 'no-effect', reason: 'a pod subnet that Kubernetes assigned never expires' },
  },
  {
    name: 'kube-subnet-mgr',
    kind: 'switch',
    initial: 'false',
    help: 'take the pod subnet from the Node object (the only store supported yet)',
  },
  ...API_SERVER_FLAGS,
  {
    name: 'kube-annotation-prefix',
    kind: 'text',
    initial: 'flannel.alpha.coreos.com',
    help: 'prefix of the Node annotations; at most one slash',
  },
  { name: 'net-config-path', kind: 'text', initial: '/etc/kube-flannel/net-conf.json', help: 'network configuration' },
  {
    name: 'set-node-network-unavailable',
    kind: 'switch',
    initial: 'true',
    help: "set the node's NetworkUnavailable condition to False when peers are programmed",
  },
  { name: 'iface', kind: 'texts', initial: '', help: 'interface (IP or name) for traffic between nodes; repeatable' },
  {
    name: 'iface-regex',
    kind: 'texts',
    initial: '',
    help: 'regular expression for the first interface (IP or name) to use; repeatable, after --iface',
  },
  { name: 'iface-can-reach', kind: 'text', initial: '', help: 'use the interface that the route to this IP leaves by' },
  { name: 'public-ip', kind: 'text', initial: '', help: 'IPv4 address by which other nodes reach this one' },
  { name: 'public-ipv6', kind: 'text', initial: '', help: 'IPv6 address by which other nodes reach this one' },
  { name: 'subnet-file', kind: 'text', initial: '/run/flannel/subnet.env', help: 'file written for the CNI plugin' },
  { name: 'ip-masq', kind: 'switch', initial: 'false', help: 'masquerade traffic that leaves the pod network' },
  {
    name: 'ip-masq-fully-random-disable',
    kind: 'switch',
    initial: 'false',
    help: 'masquerade without fully random source ports',
  },
  {
    name: 'iptables-resync',
    kind: 'integer',
    initial: '5',
    help: 'seconds between full comparisons with the kernel; foreign changes are repaired at once, by events',
  },
  { name: 'iptables-forward-rules', kind: 'switch', initial: 'true', help: 'accept forwarded traffic of the network' },
  {
    name: 'ip-blackhole-route',
    kind: 'switch',
    initial: 'false',
    help: "blackhole for the node's own pod subnet",
    reaction: { type: 'no-effect', reason: 'the blackhole is always set' },
  },
  { name: 'healthz-ip', kind: 'text', initial: '0.0.0.0', help: 'address of /healthz, /readyz and /metrics' },
  { name: 'healthz-port', kind: 'integer', initial: '0', help: 'port of /healthz, /readyz and /metrics; 0 is off' },
  VERBOSITY_FLAG,
  {
    name: 'vmodule',
    kind: 'text',
    initial: '',
    help: 'per-file verbosity of klog',
    reaction: { type: 'no-effect', reason: 'log verbosity is set by -v alone' },
  },
  {
    name: 'log_backtrace_at',
    kind: 'text',
    initial: ':0',
    help: 'klog stack traces',
    reaction: { type: 'no-effect', reason: 'errors carry their cause in the log line' },
  },
  {
    name: 'multi-cluster-CIDR',
    kind: 'switch',
    initial: 'false',
    help: 'ClusterCIDR objects',
    reaction: { type: 'removed', reason: 'Kubernetes has dropped ClusterCIDR objects, and flannel this flag' },
  },
  {
    name: 'networks',
    kind: 'text',
    initial: '',
    help: 'several networks in one daemon',
    reaction: { type: 'removed', reason: 'flannel has dropped it in 2017; run one daemon for each network' },
  },
  CNI_STATE_DIR_FLAG,
  {
    name: 'cni-data-dir',
    kind: 'text',
    initial: '/var/lib/cni/networks',
    help: 'directory of allocated pod addresses, in the format of host-local',
  },
  { name: 'cni-cache-dir', kind: 'text', initial: '/var/lib/cni', help: "the container runtime's CNI cache" },
  {
    name: 'cni-conf-template',
    kind: 'text',
    initial: '',
    help: "file with the runtime's CNI configuration: it is written when pods may be added; empty: not at all",
  },
  {
    name: 'cni-conf-dir',
    kind: 'text',
    initial: '/etc/cni/net.d',
    help: "the container runtime's directory of CNI configurations",
  },
  {
    name: 'cni-conf-name',
    kind: 'text',
    initial: '10-canal.conflist',
    help: 'name of the CNI configuration there; runtimes take the first in the order of names',
  },
  {
    name: 'policy-socket',
    kind: 'text',
    initial: '',
    help: "the policy agent's socket: pods may be added when it has been ready; empty: there is no policy agent",
  },
  {
    name: 'node-socket',
    kind: 'text',
    initial: '',
    help: 'unix socket on which root is told of this node, and nothing is changed; empty: none',
  },
  ...NODE_API_FLAGS,
  {
    name: 'sysctl-net-dir',
    kind: 'text',
    initial: '/proc/sys/net',
    help: 'where /proc/sys/net is writable; containers that are not privileged have it elsewhere or nowhere',
  },
  ...PROGRAM_FLAGS,
] as const satisfies readonly FlagSpec[];

/** Flags of `flanneld cleanup` beside those of the daemon, which it takes too: one set of arguments serves both. */
export const CLEANUP_FLAGS = [
  { name: 'dry-run', kind: 'switch', initial: 'false', help: 'print what would be removed, and remove nothing' },
  {
    name: 'remove-annotations',
    kind: 'switch',
    initial: 'false',
    help: "also remove this node's flannel annotations, so that other nodes drop their routes to it",
  },
] as const satisfies readonly FlagSpec[];

export type FlanneldFlag = (typeof FLAGS)[number] | (typeof CLEANUP_FLAGS)[number];

export const ENVIRONMENT_PREFIX = 'FLANNELD_';
