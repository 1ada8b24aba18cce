import { expect, test } from 'vitest'
import type { GatewayState } from '../../agent/local-api/state.ts'
import { routineOf } from '../../agent/routine.ts'
import { HandTicker } from './schedule/hand-ticker.ts'

function bench() {
  const ticker = new HandTicker()
  const said: string[] = []
  const looks: number[] = []
  let failing = false
  const routine = routineOf({
    publishing: {
      gateway: async (online) => {
        if (failing) throw new Error('broker')
        said.push(`online ${online}`)
      },
    },
    log: {
      info: (_detail: object, message?: string) =>
        said.push(`${new Date(wall()).toISOString()} ${message ?? ''}`),
      warn: (detail: object) => said.push(`failed ${(detail as { job: string }).job}`),
    },
    facts: { status: () => ({ upSeconds: 1 }) as GatewayState },
    enforcement: {
      endExpired: () => {
        looks.push(ticker.now())
        return Promise.resolve()
      },
    },
    wall,
    ticker,
  })
  function wall(): number {
    return Date.UTC(2026, 0, 1, 23, 59, 30) + ticker.now()
  }
  const fail = (yes: boolean): void => {
    failing = yes
  }
  return { ticker, said, looks, routine, fail }
}
const signal = new AbortController().signal

test('the gateway is online from the start, says so every ten seconds, and is offline at the end', async () => {
  const { ticker, said, routine } = bench()
  await routine.start(signal)
  await ticker.pass(20_000)
  await routine.stop()
  await ticker.pass(60_000)
  expect(said).toEqual(['online true', 'online true', 'online true', 'online false'])
})

test('keys that have expired are looked for every five seconds', async () => {
  const { ticker, looks, routine } = bench()
  await routine.start(signal)
  await ticker.pass(10_000)
  await routine.stop()
  expect(looks).toHaveLength(2)
})

test('a status that could not be published is told and tried again', async () => {
  const { ticker, said, routine, fail } = bench()
  await routine.start(signal)
  fail(true)
  await ticker.pass(10_000)
  fail(false)
  await ticker.pass(10_000)
  await routine.stop()
  expect(said).toEqual(['online true', 'failed status', 'online true', 'online false'])
})

test('each UTC day ends with one line that sums it up', async () => {
  const { ticker, said, routine } = bench()
  await routine.start(signal)
  await ticker.pass(2 * 86_400_000)
  await routine.stop()
  const summaries = said.filter((line) => line.endsWith('daily summary')).map((line) => line.slice(0, 16))
  expect(summaries).toEqual(['2026-01-02T00:00', '2026-01-03T00:00'])
})
