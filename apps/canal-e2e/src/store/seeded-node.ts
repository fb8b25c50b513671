import { randomUUID } from 'node:crypto';

import { SEQUENCE_LABEL } from './sequence.ts';

export function seededName(index: number): string {
  return `seeded-${String(index).padStart(5, '0')}`;
}

/** A Node of about 9 KB, most of it images, as kubelets write them. */
export function seededNode(index: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: seededName(index),
      uid: randomUUID(),
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { [SEQUENCE_LABEL]: '1', 'kubernetes.io/hostname': seededName(index) },
      annotations: { 'flannel.alpha.coreos.com/public-ip': '192.0.2.1' },
    },
    spec: { podCIDR: `10.${String(100 + (index >> 8))}.${String(index & 255)}.0/24` },
    status: { images: IMAGES },
  });
}

const IMAGES = Array.from({ length: 50 }, (_, index) => ({
  names: [
    `registry.example/image-${String(index)}@sha256:${'a'.repeat(64)}`,
    `registry.example/image-${String(index)}:v1`,
  ],
  sizeBytes: 123_456_789,
}));
