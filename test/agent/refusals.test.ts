import { expect, test } from 'vitest'
import { Refusals } from '../../agent/refusals.ts'

const EVENT = {
  kind: 'publish',
  principalId: 'acme:pump',
  clientId: 'c',
  remote: '192.0.2.1:5',
  what: 'a/b',
} as const

test('what the broker refused becomes events, and no flood of it crowds out others', () => {
  const recorded: object[] = []
  let now = 0
  const refusals = new Refusals({
    now: () => now,
    recordEvent: (kind, detail) => recorded.push({ kind, ...detail }),
  })
  refusals.take({ ...EVENT, untold: 3, what: 'x'.repeat(10_000) })
  expect(recorded).toEqual([
    {
      kind: 'mqtt_refused',
      action: 'publish',
      principal: 'acme:pump',
      client: 'c',
      remote: '192.0.2.1:5',
      what: 'x'.repeat(200),
      untold: 3,
    },
  ])
  for (let n = 0; n < 1_000; n += 1) refusals.take({ ...EVENT, untold: 0 })
  expect(recorded).toHaveLength(20)
  now = 60_000
  refusals.take({ ...EVENT, kind: 'connect', principalId: null, untold: 0 })
  refusals.take({ ...EVENT, untold: 0 })
  expect(recorded).toHaveLength(21)
  expect(recorded.at(-1)).toMatchObject({ action: 'connect', principal: null, untold: 981 })
})
