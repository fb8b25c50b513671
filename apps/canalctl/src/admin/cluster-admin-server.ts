/** The admin API in the cluster that the kubeconfig names: its pod, its authority, and a token that it takes. */
import type { AdminApiError, AdminServer } from '@canal/admin-client';
import { type KubeConnection, type KubeRequest, resourcePath, send } from '@canal/store-kube';
import { CONFIG_MAPS, PODS, StoreError } from '@canal/store-port';
import { connectCluster, systemClock } from '../cluster/connect-cluster.ts';
import { textAt, valueAt } from '../objects/json-object.ts';
import { AdminAccessError } from './admin-access-error.ts';
import type { AdminFlags, AdminRole } from './admin-flags.ts';
import { openPortForward } from './port-forward.ts';
import { readAuthorityFile, readTokenFile } from './read-credential-file.ts';

export interface ClusterAdminApi {
  readonly server: AdminServer;
  /** What is behind an error that the client sees: a way that did not come about, a token that nobody else would give. */
  explain(error: AdminApiError): Promise<Error>;
  close(): void;
}

const NAMESPACE = 'canal-system';
const SELECTOR = 'k8s-app=canal-admin-api';
const AUTHORITY = 'canal-admin-api-authority';
/** A name of its certificate: what is connected to is this machine. */
const SERVER_NAME = 'canal-admin-api.canal-system.svc';
const AUDIENCE = 'canal-admin-api';
/** The least that Kubernetes gives. */
const TOKEN_SECONDS = 600;
/** Four tries before it runs out. */
const RENEW_MS = (TOKEN_SECONDS / 5) * 1_000;
const DEFAULT_PORT = 9443;
const REQUEST_TIMEOUT_MS = 10_000;

/** `role`: of the token, unless the flags say another. Throws KubeConfigError, StoreError, UsageError and AdminAccessError. */
export async function openClusterAdminApi(
  flags: AdminFlags,
  role: AdminRole,
  signal: AbortSignal,
  renewMs = RENEW_MS,
): Promise<ClusterAdminApi> {
  const connection = await connectCluster(flags, systemClock());
  const ask = async (request: KubeRequest): Promise<unknown> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    return await (await send(connection, request, limited)).json();
  };
  const obtain = (): Promise<ShownToken> => obtainToken(connection, flags, role, ask, signal);
  const [pod, ca, first] = await Promise.all([
    findPod(ask),
    flags.adminCaFile === undefined ? readAuthority(ask) : readAuthorityFile(flags.adminCaFile, '--admin-ca-file'),
    obtain(),
  ]);
  const forward = await openPortForward(connection, { namespace: NAMESPACE, ...pod }, signal);
  let token = first;
  // Of commands that go on: a stream is made again every quarter of an hour.
  const renewing = setInterval(() => {
    obtain().then(
      (next) => {
        token = next;
      },
      // The one there is is good for a while: the next try comes before that.
      () => undefined,
    );
  }, renewMs);
  return {
    server: {
      url: `https://127.0.0.1:${forward.localPort}`,
      token: () => token.text,
      ca,
      serverName: SERVER_NAME,
    },
    explain: async (error) => {
      if (error.code === 'unreachable') return (await forward.failure()) ?? error;
      return (error.problem?.status === 401 ? token.insteadOf : undefined) ?? error;
    },
    close: () => {
      clearInterval(renewing);
      forward.close();
    },
  };
}

type Ask = (request: KubeRequest) => Promise<unknown>;

const LOOK = `"kubectl -n ${NAMESPACE} get pods -l ${SELECTOR} -o wide" and "kubectl -n ${NAMESPACE} describe pods -l ${SELECTOR}" show it`;

async function findPod(ask: Ask): Promise<{ readonly pod: string; readonly port: number }> {
  const path = `${resourcePath(PODS, NAMESPACE)}?labelSelector=${encodeURIComponent(SELECTOR)}`;
  const pods = itemsOf(await ask({ method: 'GET', path }));
  if (pods.length === 0) {
    const hint = `install canal with its admin API (deploy/canal.yaml), or name it with --admin-server; ${LOOK}`;
    throw new AdminAccessError(`the cluster has no pod of the admin API in ${NAMESPACE}`, hint, { isPassing: true });
  }
  const ready = pods.find((pod) => isReady(pod));
  const name = textAt(ready, 'metadata', 'name');
  if (name === undefined) {
    throw new AdminAccessError(`the admin API is not ready: ${pods.length} pods, none of them is`, LOOK, {
      isPassing: true,
    });
  }
  return { pod: name, port: httpsPort(ready) };
}

function isReady(pod: unknown): boolean {
  if (valueAt(pod, 'metadata', 'deletionTimestamp') !== undefined) return false;
  const conditions = valueAt(pod, 'status', 'conditions');
  return (
    Array.isArray(conditions) &&
    conditions.some((one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True')
  );
}

function httpsPort(pod: unknown): number {
  const containers = valueAt(pod, 'spec', 'containers');
  const ports = (Array.isArray(containers) ? containers : []).flatMap((container): unknown[] => {
    const found = valueAt(container, 'ports');
    return Array.isArray(found) ? found : [];
  });
  const port = valueAt(
    ports.find((one) => textAt(one, 'name') === 'https'),
    'containerPort',
  );
  return typeof port === 'number' ? port : DEFAULT_PORT;
}

async function readAuthority(ask: Ask): Promise<string> {
  const path = resourcePath(CONFIG_MAPS, NAMESPACE, AUTHORITY);
  const map = await ask({ method: 'GET', path }).catch((error: unknown) => {
    if (error instanceof StoreError && error.code === 'not-found') return undefined;
    throw error;
  });
  const ca = textAt(map, 'data', 'ca.crt');
  if (ca !== undefined && ca !== '') return ca;
  const hint =
    'it is written when the admin API starts: see its log; an admin API with a certificate of your own needs --admin-ca-file FILE';
  throw new AdminAccessError(`the ConfigMap ${NAMESPACE}/${AUTHORITY} does not say whom to trust`, hint, {
    isPassing: true,
  });
}

interface ShownToken {
  readonly text: string;
  /** Why there is no better one, when the admin API does not take it. */
  readonly insteadOf?: AdminAccessError;
}

/**
 * A token for the admin API alone. The kubeconfig's own is shown to it only when it is made for it, or when there is no
 * other: it would open the API server, too. It has the user's role: who asks for one by its name gets that, or an error.
 */
async function obtainToken(
  connection: KubeConnection,
  { adminTokenFile, asRole }: AdminFlags,
  role: AdminRole,
  ask: Ask,
  signal: AbortSignal,
): Promise<ShownToken> {
  if (adminTokenFile !== undefined) return { text: readTokenFile(adminTokenFile, '--admin-token-file') };
  const own = (await connection.credentials.current(signal)).token?.reveal();
  if (own !== undefined && asRole === undefined && isMadeFor(own, AUDIENCE)) return { text: own };
  const account = `canal-${asRole ?? role}`;
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}/token`;
  const spec = { audiences: [AUDIENCE], expirationSeconds: TOKEN_SECONDS };
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  try {
    const token = textAt(await ask({ method: 'POST', path, body }), 'status', 'token');
    if (token !== undefined) return { text: token };
    throw new AdminAccessError('the API server made no token', 'give one with --admin-token-file');
  } catch (error) {
    if (!(error instanceof StoreError) || !['forbidden', 'not-found'].includes(error.code)) throw error;
    const hint =
      `let the user create serviceaccounts/token of ${account} in ${NAMESPACE}, or give a token with --admin-token-file ` +
      `("kubectl -n ${NAMESPACE} create token ${account} --audience ${AUDIENCE}" makes one)`;
    const refused = new AdminAccessError(`no token for the admin API: ${error.message}`, hint, { cause: error });
    if (error.code === 'forbidden' && own !== undefined && asRole === undefined)
      return { text: own, insteadOf: refused };
    throw refused;
  }
}

/** By what the token says of itself (RFC 7519): the admin API lets check whether that is true. */
export function isMadeFor(token: string, audience: string): boolean {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const audiences = valueAt(claims, 'aud');
    return audiences === audience || (Array.isArray(audiences) && audiences.includes(audience));
  } catch {
    return false;
  }
}

function itemsOf(list: unknown): readonly unknown[] {
  const items = valueAt(list, 'items');
  return Array.isArray(items) ? items : [];
}
