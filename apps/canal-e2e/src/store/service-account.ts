import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { RealApiServer } from './real-api-server.ts';

/**
 * A service account that may read nodes and config maps, with the directory that its pod would have mounted. Tokens are
 * bound to a Secret each: when that goes, the server refuses the token, within its 10 s of caching.
 */
export class MountedAccount {
  readonly directory = mkdtempSync(join(tmpdir(), `canal-account-${String(process.pid)}-`));
  readonly #server: RealApiServer;
  readonly #name: string;
  #mounts = 0;
  #token = '';

  private constructor(server: RealApiServer, name: string) {
    this.#server = server;
    this.#name = name;
  }

  static async create(server: RealApiServer, name: string): Promise<MountedAccount> {
    const account = new MountedAccount(server, name);
    await post(server, '/api/v1/namespaces/default/serviceaccounts', { metadata: { name } });
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await post(server, `${rbac}/clusterroles`, {
      metadata: { name },
      rules: [{ apiGroups: [''], resources: ['nodes', 'configmaps'], verbs: ['get', 'list', 'watch'] }],
    });
    await post(server, `${rbac}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
    });
    account.mount(await account.issue('first'));
    return account;
  }

  /** The token that is mounted. */
  get token(): string {
    return this.#token;
  }

  /** A token of the shortest life that the server gives, which ends with the Secret `name-label`. */
  async issue(label: string): Promise<string> {
    const secret = await post(this.#server, '/api/v1/namespaces/default/secrets', {
      metadata: { name: `${this.#name}-${label}` },
    });
    const bound = { kind: 'Secret', apiVersion: 'v1', name: `${this.#name}-${label}`, uid: uidOf(secret) };
    const review = await post(this.#server, `/api/v1/namespaces/default/serviceaccounts/${this.#name}/token`, {
      spec: { expirationSeconds: 600, boundObjectRef: bound },
    });
    const token: unknown = Reflect.get(Object(review['status']) as object, 'token');
    if (typeof token !== 'string') throw new Error('TokenRequest gave no token');
    return token;
  }

  /** Ends the token of this label, and waits until the server refuses it. */
  async revoke(label: string, token: string): Promise<void> {
    await this.#server.request(`/api/v1/namespaces/default/secrets/${this.#name}-${label}`, { method: 'DELETE' });
    for (;;) {
      const response = await fetch(`${this.#server.url}/api/v1/namespaces/default/configmaps`, {
        headers: { Authorization: `Bearer ${token}` },
        tls: { ca: this.#server.ca },
      });
      await response.body?.cancel();
      if (response.status === 401) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** As a kubelet does it: files in a directory of their own, reached through a link that is replaced at once. */
  mount(token: string): void {
    this.#token = token;
    this.#mounts += 1;
    const data = join(this.directory, `..data-${String(this.#mounts)}`);
    mkdirSync(data);
    writeFileSync(join(data, 'token'), token, { mode: 0o600 });
    writeFileSync(join(data, 'ca.crt'), this.#server.ca);
    writeFileSync(join(data, 'namespace'), 'default');
    symlinkSync(data, join(this.directory, '..next'));
    renameSync(join(this.directory, '..next'), join(this.directory, '..data'));
    if (this.#mounts > 1) return;
    for (const name of ['token', 'ca.crt', 'namespace']) {
      symlinkSync(join('..data', name), join(this.directory, name));
    }
  }

  unmount(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function post(server: RealApiServer, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await server.request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`POST ${path}: ${String(response.status)} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

function uidOf(object: Record<string, unknown>): unknown {
  return Reflect.get(Object(object['metadata']) as object, 'uid');
}
