import { defineConfig } from 'vitest/config';

/** Scenarios against a real cluster, one file at a time; `npm run e2e` starts them (docs/e2e.md). */
export default defineConfig({
  test: {
    include: ['apps/canal-e2e/src/**/*.e2e.ts'],
    pool: 'forks',
    passWithNoTests: false,
    // Scenarios set their own limits; these are for tests that are none.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    disableConsoleIntercept: true,
  },
});
