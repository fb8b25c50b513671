/** The image's configuration (OCI image-spec, config.md): how it starts, who made it of what. */
import type { Architecture } from './variant.ts';

/** The name under which Kubernetes and containerd know the image. */
export const REPOSITORY = 'docker.io/canalcni/canal';

/** The user of a container whose pod names none. */
export const USER = { name: 'canal', id: 65532 } as const;

export interface ImageSource {
  readonly version: string;
  /** The commit, with "-dirty" when files differ from it; absent outside of a clone. */
  readonly revision?: string;
  /** Seconds since the epoch: SOURCE_DATE_EPOCH, else the commit's time, else 0. */
  readonly created: number;
  /** Bun's version and the Debian packages' versions, by name. */
  readonly parts: Readonly<Record<string, string>>;
}

export interface ImageConfig {
  readonly created: string;
  readonly architecture: Architecture;
  readonly os: 'linux';
  readonly config: {
    readonly User: string;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly WorkingDir: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly created: string; readonly created_by: string }[];
}

/** @param diffId "sha256:…" of the one layer, uncompressed */
export function imageConfig(architecture: Architecture, diffId: string, source: ImageSource): ImageConfig {
  const created = new Date(source.created * 1000).toISOString();
  return {
    created,
    architecture,
    os: 'linux',
    config: {
      User: `${USER.id}:${USER.id}`,
      Env: ['PATH=/usr/local/bin', 'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'],
      Entrypoint: ['/usr/local/bin/canal'],
      WorkingDir: '/',
      Labels: imageLabels(source),
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, created_by: 'npm run image' }],
  };
}

/** OCI image-spec, annotations.md; what else went in is under our own name. */
export function imageLabels(source: ImageSource): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {
    'org.opencontainers.image.title': 'canal',
    'org.opencontainers.image.description': "A Kubernetes CNI: flannel's dataplane and Calico's policy in one binary",
    'org.opencontainers.image.version': source.version,
    // canal; Bun, JavaScriptCore; the C library; Mozilla's certificates.
    'org.opencontainers.image.licenses': 'Apache-2.0 AND MIT AND LGPL-2.1-or-later AND MPL-2.0',
    'org.opencontainers.image.source': 'https://github.com/canalcni/canal',
    ...(source.revision !== undefined && { 'org.opencontainers.image.revision': source.revision }),
  };
  for (const [part, version] of Object.entries(source.parts)) labels[`io.canalcni.part.${part}`] = version;
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
