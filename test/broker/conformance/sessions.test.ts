import { expect, test } from 'vitest'
import { harness } from '../../accept/mqtt-sessions.ts'

test('random sessions are answered and served as a model of the standard says', async () => {
  const { figures, failures } = await harness.run({ scale: 1 / 50, progress: () => undefined })
  expect(failures).toEqual([])
  expect(figures).toMatchObject({ sessions: 150 })
})
