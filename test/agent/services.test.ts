import { expect, test } from 'vitest'
import { runServices, type Service } from '../../agent/services.ts'

interface Behaviour {
  readonly start?: (signal: AbortSignal) => Promise<void>
  readonly stop?: () => Promise<void>
}

function bench() {
  const seen: string[] = []
  const faults: string[] = []
  const service = (name: string, { start, stop }: Behaviour = {}): Service => ({
    name,
    start: async (signal) => {
      seen.push(`start ${name}`)
      await start?.(signal)
    },
    stop: async () => {
      seen.push(`stop ${name}`)
      await stop?.()
    },
  })
  const options = {
    stopMsMax: 50,
    onUp: () => {
      seen.push('up')
    },
    onStopFault: (name: string, error: unknown) => {
      faults.push(`${name}: ${String(error)}`)
    },
  }
  return { seen, faults, service, options }
}

test('services start in order, run until the signal, and stop in reverse', async () => {
  const { seen, service, options } = bench()
  const ending = new AbortController()
  const run = runServices([service('store'), service('broker'), service('link')], ending.signal, options)
  await expect.poll(() => seen).toContain('up')
  ending.abort()
  await run
  expect(seen.join(', ')).toBe(
    'start store, start broker, start link, up, stop link, stop broker, stop store',
  )
})

test('a start that fails stops those before it, and its error is the one that rises', async () => {
  const { seen, service, options } = bench()
  const failing = service('broker', { start: () => Promise.reject(new Error('port taken')) })
  const run = runServices([service('store'), failing, service('link')], new AbortController().signal, options)
  await expect(run).rejects.toThrow('port taken')
  expect(seen).toEqual(['start store', 'start broker', 'stop store'])
})

test('a signal during a start ends it, and nothing further is started', async () => {
  const { seen, service, options } = bench()
  const ending = new AbortController()
  const slow = service('broker', {
    start: (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      }),
  })
  const run = runServices([service('store'), slow, service('link')], ending.signal, options)
  await expect.poll(() => seen).toContain('start broker')
  ending.abort()
  await run
  expect(seen).toEqual(['start store', 'start broker', 'stop store'])
})

test('a signal before the start starts nothing', async () => {
  const { seen, service, options } = bench()
  await runServices([service('store')], AbortSignal.abort(), options)
  expect(seen).toEqual([])
})

test('a service that fails to stop, or never does, keeps no other from stopping', async () => {
  const { seen, faults, service, options } = bench()
  const ending = new AbortController()
  const run = runServices(
    [
      service('store'),
      service('broker', { stop: () => Promise.reject(new Error('stuck')) }),
      service('link', { stop: () => new Promise(() => undefined) }),
    ],
    ending.signal,
    options,
  )
  await expect.poll(() => seen).toContain('up')
  ending.abort()
  await run
  expect(seen.slice(-3)).toEqual(['stop link', 'stop broker', 'stop store'])
  expect(faults).toEqual(['link: AgentError: link did not stop within 50 ms', 'broker: Error: stuck'])
})
