/** One request for each route of the admin API, and the status of its answer when its asker may ask. None changes anything. */
import { ADMIN_ROUTES, type AdminRequest, type AdminRoute } from './admin-api-client.ts';

export interface RequestSubjects {
  readonly node: string;
  /** `namespace/name`. */
  readonly pod: string;
  readonly netConf: unknown;
  /** ETag of the net-conf. */
  readonly etag: string;
}

export interface RouteRequest {
  readonly route: AdminRoute;
  readonly request: AdminRequest;
  readonly answered: number;
}

export function requestOfEachRoute(subjects: RequestSubjects): readonly RouteRequest[] {
  return ADMIN_ROUTES.map((route) => ({
    route,
    request: requestOf(route, subjects),
    // Nothing has leaked: nobody holds that address.
    answered: route.id === 'releaseAddress' ? 404 : 200,
  }));
}

function requestOf(route: AdminRoute, { node, pod, netConf, etag }: RequestSubjects): AdminRequest {
  const { method } = route;
  const path = route.path.replace('{name}', node);
  switch (route.id) {
    case 'explain':
      return { method, path, body: { source: pod, destination: '192.0.2.1', port: 443 } };
    case 'diff':
      return { method, path, body: { objects: [isolation('default')] } };
    case 'validateNetConf':
      return { method, path, body: { netConf } };
    case 'putNetConf':
      return { method, path: `${path}?dryRun=true`, headers: { 'If-Match': etag }, body: { netConf } };
    case 'releaseAddress':
      return { method, path: `${path.replace('{address}', '192.0.2.1')}?dryRun=true`, body: {} };
    default:
      return { method, path };
  }
}

/** Isolates all pods of a namespace for ingress. */
export function isolation(namespace: string): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'e2e-isolation', namespace },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  };
}
