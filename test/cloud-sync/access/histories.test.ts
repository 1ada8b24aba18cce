import { expect, test } from 'vitest'
import { harness } from '../../accept/access-histories.ts'

test('S0.10 what was taken stays taken over random histories, and broken resolvers are found out', {
  timeout: 120_000,
}, async () => {
  const { figures, failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
  expect(figures).toMatchObject({ histories: 400 })
  expect(Object.values(figures['mutants'] as Record<string, string>)).not.toContain('not found')
})
