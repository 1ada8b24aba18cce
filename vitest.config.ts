import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    restoreMocks: true,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    coverage: { provider: 'v8', include: ['agent/**', 'broker/**', 'cloud-sync/**', 'hardware/**'] },
  },
})
