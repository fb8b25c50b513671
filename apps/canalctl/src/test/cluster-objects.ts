/** What a self-test makes in a cluster. All of it is in one namespace, and no pod is more than `restricted` allows. */
import type { KubeObject } from '@canal/store-port';
import { TEST_PORT } from './echo-server.ts';
import { LIFE_SECONDS, POD_ADDRESSES, POD_NAME, RUN_TOKEN } from './serve-test.ts';
import { SERVE_TEST } from './serve-word.ts';
import { POD_LABEL, ROLE_LABEL } from './test-ground.ts';

/** Namespaces of self-tests, this one's and those that a killed run left. */
const PURPOSE_LABEL = 'canal.io/purpose';
const PURPOSE = 'self-test';
export const NAMESPACE_SELECTOR = `${PURPOSE_LABEL}=${PURPOSE}`;
const LABELS = { 'app.kubernetes.io/name': 'canal-test', 'app.kubernetes.io/managed-by': 'canalctl' };
const ACCOUNT = 'test-pod';
export const SERVICE_NAME = 'canal-test';

export interface PodWish {
  readonly name: string;
  readonly node: string;
  readonly role: 'client' | 'server';
}

export interface PodSettings {
  readonly namespace: string;
  readonly image: string;
  readonly token: string;
}

export function namespaceObject(name: string): KubeObject {
  const level = 'restricted';
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: {
        ...LABELS,
        [PURPOSE_LABEL]: PURPOSE,
        'pod-security.kubernetes.io/enforce': level,
        'pod-security.kubernetes.io/warn': level,
      },
    },
  };
}

/** Of its own: that named `default` comes a moment later than the namespace, and no pod is admitted before. */
export function accountObject(namespace: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: ACCOUNT, namespace, labels: LABELS },
    automountServiceAccountToken: false,
  };
}

/** In each family that the cluster has. */
export function serviceObject(namespace: string): KubeObject {
  const port = (protocol: 'TCP' | 'UDP'): object => ({
    name: protocol.toLowerCase(),
    protocol,
    port: TEST_PORT,
    targetPort: TEST_PORT,
  });
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: SERVICE_NAME, namespace, labels: LABELS },
    spec: {
      ipFamilyPolicy: 'PreferDualStack',
      selector: { [ROLE_LABEL]: 'server' },
      ports: [port('TCP'), port('UDP')],
    },
  };
}

export function podObject({ name, node, role }: PodWish, { namespace, image, token }: PodSettings): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { ...LABELS, [ROLE_LABEL]: role, [POD_LABEL]: name } },
    spec: {
      // By name: a node is looked at whether or not the scheduler would choose it.
      nodeName: node,
      tolerations: [{ operator: 'Exists' }],
      restartPolicy: 'Never',
      activeDeadlineSeconds: LIFE_SECONDS,
      terminationGracePeriodSeconds: 1,
      serviceAccountName: ACCOUNT,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'test',
          image,
          // The agent runs from it: it is on every node.
          imagePullPolicy: 'IfNotPresent',
          args: ['canalctl', SERVE_TEST],
          env: [
            { name: POD_NAME, value: name },
            { name: POD_ADDRESSES, valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
            { name: RUN_TOKEN, value: token },
          ],
          ports: [
            { containerPort: TEST_PORT, protocol: 'TCP' },
            { containerPort: TEST_PORT, protocol: 'UDP' },
          ],
          // The kubelet connects from its node to the pod: that the node reaches it.
          readinessProbe: { tcpSocket: { port: TEST_PORT }, periodSeconds: 1, timeoutSeconds: 2 },
          resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
          securityContext: {
            privileged: false,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  };
}
