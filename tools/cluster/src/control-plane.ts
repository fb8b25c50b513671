/** The control plane: etcd and three Kubernetes programs in the network namespace that also holds the underlay's bridge. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { apiRequest } from './api-client.ts';
import type { Programs } from './build.ts';
import { createCgroup, joinFiles } from './cgroup.ts';
import type { ComponentId, ControlPlaneComponent } from './component.ts';
import { CONTROL_PLANE, hasEnded, logFile, startComponent, stopComponent } from './component.ts';
import type { ControlPlaneInput } from './component-config.ts';
import {
  apiServerArguments,
  controllerManagerArguments,
  etcdArguments,
  schedulerArguments,
} from './component-config.ts';
import { ClusterError } from './failure.ts';
import { inNetns, netnsPath } from './network.ts';
import { systemCgroup } from './node.ts';
import { until } from './waiting.ts';
import { createAuthority, createCertificate, createSigningKey, kubeconfig } from './pki.ts';
import { CLUSTER_DOMAIN, apiServerUrl, clusterCidrs, folders, underlay } from './plan.ts';
import { cleanEnvironment } from './process.ts';
import type { ClusterState } from './state.ts';

/** Every key, certificate and kubeconfig but the nodes'. */
export async function prepareControlPlane(state: ClusterState): Promise<void> {
  const { pki, kubeconfig: file, etcd } = folders(state.name);
  const server = apiServerUrl(state.underlay);
  mkdirSync(etcd, { recursive: true, mode: 0o700 });
  await createAuthority(pki);
  const kubernetes = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  await Promise.all([
    createSigningKey(pki, 'service-account'),
    createCertificate(pki, 'apiserver', {
      commonName: 'kube-apiserver',
      names: [
        ...kubernetes,
        `kubernetes.default.svc.${CLUSTER_DOMAIN}`,
        'localhost',
        '127.0.0.1',
        ...underlay(state.underlay, 'dual').controlPlane,
        ...clusterCidrs('dual').apiService,
      ],
    }),
    createCertificate(pki, 'apiserver-kubelet', { commonName: 'kube-apiserver', organization: 'system:masters' }),
    createCertificate(pki, 'admin', { commonName: 'kubernetes-admin', organization: 'system:masters' }),
    createCertificate(pki, 'controller-manager', { commonName: 'system:kube-controller-manager' }),
    createCertificate(pki, 'scheduler', { commonName: 'system:kube-scheduler' }),
    createCertificate(pki, 'kube-proxy', { commonName: 'system:kube-proxy' }),
  ]);
  for (const name of ['controller-manager', 'scheduler'])
    writeFileSync(join(pki, `${name}.kubeconfig`), kubeconfig(pki, name, server, state.name), { mode: 0o600 });
  writeFileSync(join(pki, 'admin.kubeconfig'), kubeconfig(pki, 'admin', server, state.name), { mode: 0o600 });
  copyFileSync(join(pki, 'admin.kubeconfig'), file);
}

/** Starts everything and waits until the API server is ready. */
export async function startControlPlane(state: ClusterState, programs: Programs): Promise<void> {
  createCgroup(systemCgroup(state.name, CONTROL_PLANE));
  await startControlPlaneComponent(state, programs, 'etcd');
  await startControlPlaneComponent(state, programs, 'kube-apiserver');
  await startControlPlaneComponent(state, programs, 'kube-controller-manager');
  await startControlPlaneComponent(state, programs, 'kube-scheduler');
}

/** Starts one program; back when the API server is ready, at once for the others. */
export async function startControlPlaneComponent(
  state: ClusterState,
  programs: Programs,
  component: ControlPlaneComponent,
): Promise<void> {
  const input: ControlPlaneInput = {
    folders: folders(state.name),
    addresses: underlay(state.underlay, state.shape.ipFamily).controlPlane,
    cidrs: clusterCidrs(state.shape.ipFamily),
    ipFamily: state.shape.ipFamily,
  };
  const arguments_: Record<ControlPlaneComponent, (input: ControlPlaneInput) => string[]> = {
    etcd: etcdArguments,
    'kube-apiserver': apiServerArguments,
    'kube-controller-manager': controllerManagerArguments,
    'kube-scheduler': schedulerArguments,
  };
  const id: ComponentId = { cluster: state.name, member: CONTROL_PLANE, component };
  startComponent(id, {
    argv: [...inNetns(netnsPath(state.name, CONTROL_PLANE)), programs.path[component], ...arguments_[component](input)],
    env: cleanEnvironment(state.id),
    supervised: true,
    cgroups: joinFiles(systemCgroup(state.name, CONTROL_PLANE)),
  });
  if (component !== 'kube-apiserver') return;
  await until('the API server is ready', logFile(id), 120_000, async () => {
    if ((await apiRequest(state, '/readyz')).status === 200) return true;
    if (hasEnded(id)) throw new ClusterError('failed', `kube-apiserver ended: see ${logFile(id)}`);
    return false;
  });
}

export async function stopControlPlaneComponent(state: ClusterState, component: ControlPlaneComponent): Promise<void> {
  await stopComponent({ cluster: state.name, member: CONTROL_PLANE, component }, 5_000);
}
