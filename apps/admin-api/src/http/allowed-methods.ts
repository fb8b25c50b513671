/** Which methods a path takes: 405 needs to say so (RFC 9110 §15.5.6). */
export type AllowedMethods = (path: string) => readonly string[];

/** Paths as in OpenAPI: `/v1/nodes/{name}`. */
export function createAllowedMethods(
  routes: readonly { readonly method: string; readonly path: string }[],
): AllowedMethods {
  const patterns = [...Map.groupBy(routes, ({ path }) => path)].map(([path, same]) => ({
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    methods: same.map(({ method }) => method),
  }));
  return (path) =>
    [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))].sort();
}
