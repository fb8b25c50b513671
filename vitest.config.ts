import { defineConfig } from 'vitest/config';

/**
 * One configuration for every project: `*.test.ts` are pure, `*.ktest.ts` need root and a kernel (CANAL_KTEST=1).
 * Run it on the runtime that ships: `bun --bun vitest`.
 */
const kernel = process.env['CANAL_KTEST'] === '1';

export default defineConfig({
  test: {
    include: kernel ? ['**/src/**/*.ktest.ts'] : ['**/src/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    passWithNoTests: false,
    // For what hangs: on a machine that does other things as well a test takes many times its usual time.
    testTimeout: kernel ? 180_000 : 60_000,
    hookTimeout: kernel ? 180_000 : 60_000,
    // Kernel tests mostly wait for packets that must not come: two files at a time take half as long. Each has namespaces
    // of its own, but they share the machine's RTNL lock, and some measure: so not more.
    ...(kernel && { maxWorkers: 2 }),
  },
});
