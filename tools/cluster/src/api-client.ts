/** The few questions that the tool itself asks the API server, with the administrator's certificate. */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';

import { apiServerUrl, folders } from './plan.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

export interface NodeSummary {
  readonly name: string;
  readonly ready: boolean;
  readonly podCidrs: readonly string[];
}

/** One request; status 0 when no server answered within 5 s, or the cluster has not come as far as certificates. */
export function apiRequest(
  cluster: { readonly name: string; readonly underlay: number },
  path: string,
  init: { readonly method?: string; readonly body?: string; readonly type?: string } = {},
): Promise<ApiAnswer> {
  const { pki } = folders(cluster.name);
  const file = (name: string): string => join(pki, name);
  const credentials = ['ca.crt', 'admin.crt', 'admin.key'].map(file);
  const missing = credentials.find((path) => !existsSync(path));
  if (missing !== undefined) return Promise.resolve({ status: 0, text: `there is no ${missing}` });
  const [ca, cert, key] = credentials.map((path) => readFileSync(path, 'utf8'));
  return new Promise((resolve) => {
    const failed = (error: Error): void => {
      resolve({ status: 0, text: error.message });
    };
    const options = {
      method: init.method ?? 'GET',
      headers: { 'content-type': init.type ?? 'application/json' },
      // A connection of its own for each request: the server is restarted under way.
      agent: false,
      timeout: 5000,
      ca,
      cert,
      key,
    };
    const call = request(`${apiServerUrl(cluster.underlay)}${path}`, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
      });
    });
    call.on('error', failed);
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')));
    call.end(init.body);
  });
}

interface NodeList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec?: { readonly podCIDRs?: readonly string[] };
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

/** The registered nodes; undefined when the API server does not answer. */
export async function listNodes(cluster: {
  readonly name: string;
  readonly underlay: number;
}): Promise<readonly NodeSummary[] | undefined> {
  const { status, text } = await apiRequest(cluster, '/api/v1/nodes');
  if (status !== 200) return undefined;
  return (JSON.parse(text) as NodeList).items.map((node) => ({
    name: node.metadata.name,
    ready: (node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True'),
    podCidrs: node.spec?.podCIDRs ?? [],
  }));
}
