/** Command lines and configuration files of the components, as pure text. */
import { stringify } from 'yaml';

import type { ClusterCidrs, Folders, IpFamily, ProxyMode } from './plan.ts';
import { API_PORT, CLUSTER_DOMAIN, ETCD_URL, IMAGES } from './plan.ts';

export interface ControlPlaneInput {
  readonly folders: Folders;
  readonly addresses: readonly string[];
  readonly cidrs: ClusterCidrs;
  readonly ipFamily: IpFamily;
}

export function etcdArguments({ folders }: ControlPlaneInput): string[] {
  return [
    '--name=etcd',
    `--data-dir=${folders.etcd}`,
    `--listen-client-urls=${ETCD_URL}`,
    `--advertise-client-urls=${ETCD_URL}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--initial-advertise-peer-urls=http://127.0.0.1:2380',
    '--initial-cluster=etcd=http://127.0.0.1:2380',
    // Nothing here has to survive a power failure.
    '--unsafe-no-fsync',
  ];
}

export function apiServerArguments({ folders: { pki }, addresses, cidrs }: ControlPlaneInput): string[] {
  return [
    `--advertise-address=${addresses[0] ?? ''}`,
    `--secure-port=${API_PORT}`,
    `--etcd-servers=${ETCD_URL}`,
    `--client-ca-file=${pki}/ca.crt`,
    `--tls-cert-file=${pki}/apiserver.crt`,
    `--tls-private-key-file=${pki}/apiserver.key`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--service-cluster-ip-range=${cidrs.services.join(',')}`,
    `--service-account-issuer=https://kubernetes.default.svc.${CLUSTER_DOMAIN}`,
    `--service-account-key-file=${pki}/service-account.pub`,
    `--service-account-signing-key-file=${pki}/service-account.key`,
    `--kubelet-certificate-authority=${pki}/ca.crt`,
    `--kubelet-client-certificate=${pki}/apiserver-kubelet.crt`,
    `--kubelet-client-key=${pki}/apiserver-kubelet.key`,
    // Nodes' names are in no DNS.
    '--kubelet-preferred-address-types=InternalIP',
  ];
}

export function controllerManagerArguments({ folders, cidrs, ipFamily }: ControlPlaneInput): string[] {
  const { pki } = folders;
  const kubeconfig = `${pki}/controller-manager.kubeconfig`;
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    // It makes this folder, by default one of the machine's.
    `--flex-volume-plugin-dir=${folders.home}/volume-plugins`,
    `--root-ca-file=${pki}/ca.crt`,
    `--service-account-private-key-file=${pki}/service-account.key`,
    `--cluster-signing-cert-file=${pki}/ca.crt`,
    `--cluster-signing-key-file=${pki}/ca.key`,
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${cidrs.pods.join(',')}`,
    `--service-cluster-ip-range=${cidrs.services.join(',')}`,
    ...(ipFamily === 'dual'
      ? ['--node-cidr-mask-size-ipv4=24', '--node-cidr-mask-size-ipv6=64']
      : ['--node-cidr-mask-size=24']),
  ];
}

export function schedulerArguments({ folders: { pki } }: ControlPlaneInput): string[] {
  const kubeconfig = `${pki}/scheduler.kubeconfig`;
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
  ];
}

export interface NodeInput {
  readonly name: string;
  readonly ips: readonly string[];
  /** Folder with the node's own files: `pki/`, `config/`. */
  readonly home: string;
  readonly authority: string;
  readonly cgroupRoot: string;
  readonly cidrs: ClusterCidrs;
  readonly kubeProxy: ProxyMode;
}

export function kubeletArguments({ name, ips, home }: Pick<NodeInput, 'name' | 'ips' | 'home'>): string[] {
  return [
    `--config=${home}/config/kubelet.yaml`,
    `--kubeconfig=${home}/config/kubelet.kubeconfig`,
    `--hostname-override=${name}`,
    `--node-ip=${ips.join(',')}`,
  ];
}

export function kubeletConfig({ name, home, authority, cgroupRoot, cidrs }: NodeInput): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: authority },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${home}/pki/${name}.crt`,
    tlsPrivateKeyFile: `${home}/pki/${name}.key`,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    clusterDomain: CLUSTER_DOMAIN,
    clusterDNS: cidrs.dns.slice(0, 1),
    resolvConf: `${home}/config/resolv.conf`,
    cgroupDriver: 'cgroupfs',
    // Kubelets that share a root remove each other's pods.
    cgroupRoot,
    // It makes this folder, by default one of the machine's.
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    failCgroupV1: false,
    failSwapOn: false,
    maxPods: 110,
    serializeImagePulls: false,
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
      'imagefs.inodesFree': '0%',
    },
  });
}

export function kubeProxyConfig({ name, home, cidrs, kubeProxy }: NodeInput): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: `${home}/config/kube-proxy.kubeconfig` },
    mode: kubeProxy,
    clusterCIDR: cidrs.pods.join(','),
    hostnameOverride: name,
    // The limits of connection tracking belong to the machine, not to a namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
}

/** `baseSpec` is the file with the OCI spec that containers are made from. */
export function containerdConfig(baseSpec: string): string {
  return `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.internal.v1.opt', 'io.containerd.tracing.processor.v1.otlp', 'io.containerd.nri.v1.nri']

[grpc]
address = '/run/containerd/containerd.sock'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '${IMAGES.pause}'

[plugins.'io.containerd.cri.v1.runtime']
# A container of this machine may not be allowed to lower oom_score_adj.
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/opt/cni/bin']
conf_dir = '/etc/cni/net.d'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
base_runtime_spec = '${baseSpec}'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}
