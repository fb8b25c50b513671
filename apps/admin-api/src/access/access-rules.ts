/**
 * What Kubernetes is asked whether somebody may do: each route is a verb on a resource of the virtual group
 * `admin.canal.io`. Pure: the manifest's ClusterRoles are made of the same table.
 */
import { type Role, ROLES, type RouteContract } from '@canal/admin-schema';

/** As `resourceAttributes` of a SubjectAccessReview has them. */
export interface ResourceAccess {
  readonly group: typeof ADMIN_GROUP;
  readonly resource: string;
  readonly subresource?: string;
  readonly verb: string;
}

/** A rule of a ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** Nothing is served there: names of ours that RBAC can speak of. */
export const ADMIN_GROUP = 'admin.canal.io';

/** Not the path: who may `get` that may read the API server's own metrics, too. */
export const METRICS_ACCESS: ResourceAccess = { group: ADMIN_GROUP, resource: 'metrics', verb: 'get' };

/**
 * `/v1/ipam/pools` is the resource `ipam/pools`, `/v1/config/net-conf/validate` is `config/net-conf-validate`. Verbs are
 * Kubernetes' own: a GET of a list is `list`, of one thing `get`, of a stream `watch`.
 */
export function accessOf({ method, path, answer, id }: RouteContract): ResourceAccess {
  const steps = path.split('/').slice(2);
  const [resource = '', ...rest] = steps.filter((step) => !step.startsWith('{'));
  const verb =
    method === 'GET'
      ? readVerb(id, answer.stream ?? false)
      : ({ POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const)[method];
  return { group: ADMIN_GROUP, resource, ...(rest.length > 0 && { subresource: rest.join('-') }), verb };
}

function readVerb(id: string, isStream: boolean): string {
  if (isStream) return 'watch';
  return id.startsWith('list') ? 'list' : 'get';
}

/** Of the ClusterRoles `canal-view`, `canal-operate` and `canal-admin`; each has what the one before it has. */
export function roleRules(routes: readonly RouteContract[]): Readonly<Record<Role, readonly PolicyRule[]>> {
  const rulesUpTo = (role: Role): readonly PolicyRule[] => {
    const allowed = routes.filter((route) => route.role !== undefined && rank(route.role) <= rank(role));
    const verbs = Map.groupBy([...allowed.map(accessOf), METRICS_ACCESS], resourceName);
    return [...verbs]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([resource, accesses]) => ({
        apiGroups: [ADMIN_GROUP],
        resources: [resource],
        verbs: [...new Set(accesses.map(({ verb }) => verb))].sort(),
      }));
  };
  return { view: rulesUpTo('view'), operate: rulesUpTo('operate'), admin: rulesUpTo('admin') };
}

/** `ipam/pools`, as rules name it. */
export function resourceName({ resource, subresource }: ResourceAccess): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}

/** Whether somebody of a role may do what needs another. */
export function mayAct(has: Role, needs: Role): boolean {
  return rank(needs) <= rank(has);
}

function rank(role: Role): number {
  return ROLES.indexOf(role);
}
