import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// Hundreds of gateways and clouds are started from the same sources: compiled once, each starts with half the work.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled')

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    restoreMocks: true,
    // A wait that is too long costs nothing where all is well; one that is too short fails on a slow machine.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    expect: { poll: { timeout: 60_000, interval: 50 } },
    // Where it decides, a machine that stalls for seconds is not a fault of the code: what fails twice has failed, and what
    // failed once is named in the output.
    retry: process.env['HEADGATE_REQUIRE_PEERS'] === '1' ? 1 : 0,
    pool: 'forks',
    // Most tests wait for processes of their own: two at a time take half the time, also where there are two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    coverage: { provider: 'v8', include: ['agent/**', 'broker/**', 'cloud-sync/**', 'hardware/**'] },
  },
})
