/**
 * The layers of the architecture and what each may import: data for eslint (module boundaries) and for its test.
 * Anything unlisted is forbidden. `external` lists the npm packages a layer may import ('*' any), `runtime` says whether
 * node:* and bun:* modules are allowed.
 */
export const LAYERS = {
  value: { uses: ['value'], external: [], runtime: false },
  model: { uses: ['value', 'model'], external: [], runtime: false },
  core: { uses: ['value', 'model', 'core'], external: [], runtime: false },
  edge: { uses: ['value', 'model'], external: ['zod', 'zod/*'], runtime: false },
  port: { uses: ['value', 'model', 'port'], external: [], runtime: false },
  protocol: { uses: ['value', 'protocol'], external: [], runtime: false },
  platform: { uses: ['value', 'protocol', 'platform'], external: [], runtime: true },
  runtime: { uses: ['value', 'model', 'port', 'core', 'runtime'], external: [], runtime: false },
  adapter: {
    uses: ['value', 'model', 'core', 'edge', 'port', 'protocol', 'platform'],
    external: ['*'],
    banned: ['fastify', 'fastify/*'],
    runtime: true,
  },
  world: {
    uses: ['value', 'model', 'core', 'edge', 'port', 'protocol', 'platform', 'runtime', 'adapter', 'world'],
    external: ['*'],
    runtime: true,
  },
  test: {
    uses: ['value', 'model', 'core', 'edge', 'port', 'protocol', 'platform', 'runtime', 'adapter', 'world', 'test'],
    external: ['*'],
    runtime: true,
  },
  app: {
    uses: ['value', 'model', 'core', 'edge', 'port', 'protocol', 'platform', 'runtime', 'adapter', 'world'],
    external: ['*'],
    runtime: true,
  },
  entry: { uses: ['value', 'app'], external: [], runtime: true },
  tool: {
    uses: [
      'value',
      'model',
      'core',
      'edge',
      'port',
      'protocol',
      'platform',
      'runtime',
      'adapter',
      'world',
      'test',
      'tool',
    ],
    external: ['*'],
    runtime: true,
  },
};

/** The second axis: who a project is for. A project takes its own scope and `shared`; the entry takes all. */
export const SCOPES = {
  shared: ['shared'],
  cni: ['cni', 'shared'],
  agent: ['agent', 'shared'],
  admin: ['admin', 'shared'],
  cli: ['cli', 'shared'],
  entry: ['entry', 'cni', 'agent', 'admin', 'cli', 'shared'],
  tool: ['tool', 'cni', 'agent', 'admin', 'cli', 'shared'],
};

/** Packages that must never be in the CNI plugin's process: they cost more than the whole ADD. */
export const CNI_BANNED = ['zod', 'zod/*', '@kubernetes/*', 'fastify', 'prom-client', 'pino', 'commander', 'yaml'];

/** Constraints of @nx/enforce-module-boundaries. */
export function depConstraints() {
  const layers = Object.entries(LAYERS).map(([layer, rule]) => ({
    sourceTag: `layer:${layer}`,
    onlyDependOnLibsWithTags: rule.uses.map((used) => `layer:${used}`),
    ...(rule.external.includes('*') ? {} : { allowedExternalImports: rule.external }),
    ...(rule.banned === undefined ? {} : { bannedExternalImports: rule.banned }),
  }));
  const scopes = Object.entries(SCOPES).map(([scope, uses]) => ({
    sourceTag: `scope:${scope}`,
    onlyDependOnLibsWithTags: uses.map((used) => `scope:${used}`),
    ...(scope === 'cni' ? { bannedExternalImports: CNI_BANNED } : {}),
  }));
  return [...layers, ...scopes];
}
