import { afterEach, describe, expect, test } from 'vitest'
import {
  type Hardware,
  type HardwareConfig,
  type HardwareEvent,
  type Reading,
  superviseHardware,
} from '../../../hardware/index.ts'
import { COUNTER_PROFILE } from '../../support/counter-slaves.ts'
import { isAlive, openSite, spawnHost } from '../../support/hardware-site.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function site(devices: number, everyMs: number) {
  const opened = await openSite({ devices, everyMs })
  cleanups.push(opened.close)
  return opened
}

/** A supervised hardware process with everything that it gave. */
async function supervise(config: HardwareConfig, commit: () => Promise<void> = async () => undefined) {
  const readings: Reading[] = []
  const events: HardwareEvent[] = []
  const hardware: Hardware = superviseHardware({
    config,
    log: { info: () => undefined, warn: () => undefined },
    onReadings: async (batch) => {
      await commit()
      readings.push(...batch)
    },
    onEvent: (event) => void events.push(event),
  })
  cleanups.push(() => hardware.stop())
  await hardware.start(new AbortController().signal)
  return { hardware, readings, events }
}

async function until(fits: () => boolean, withinMs = 15_000): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!fits()) {
    if (performance.now() > endMs) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const good = (readings: readonly Reading[]): Reading[] => readings.filter(({ quality }) => quality === 'good')

describe('the hardware process', () => {
  test('gives every value that a device answered, once, in order, and all of them when it is stopped', async () => {
    const { config, slaves } = await site(3, 100)
    const { hardware, readings } = await supervise(config)
    await until(() => good(readings).length >= 30)
    await hardware.stop()
    expect(hardware.stats()).toMatchObject({ state: 'stopped', pid: null })
    for (const address of [1, 2, 3]) {
      const answered = slaves.log.filter((entry) => entry.address === address).map(({ value }) => value)
      const taken = good(readings).filter(({ device }) => device === `counter-${address}`)
      expect(taken.map(({ value }) => value)).toEqual(answered.slice(0, taken.length))
      // The answer to a request that the stop interrupted is nobody's.
      expect(answered.length - taken.length).toBeLessThanOrEqual(1)
    }
  })

  test('hands over again what could not be committed', async () => {
    const { config, slaves } = await site(1, 100)
    let refusals = 2
    const { readings } = await supervise(config, async () => {
      if (refusals-- > 0) throw new Error('the disk is full')
    })
    await until(() => good(readings).some(({ value }) => value === 1))
    expect(slaves.log.length).toBeGreaterThan(1)
  })

  test('goes on with the rest where a profile, a device and a line are refused, and says which and why', async () => {
    const { config } = await site(4, 200)
    const [one, two, three, four] = config.devices
    if (!one || !two || !three || !four) throw new Error('four devices')
    const { events, readings } = await supervise({
      lines: [...config.lines, ...config.lines.map((line) => ({ ...line, id: 'again' }))],
      devices: [
        one,
        { ...two, profile: COUNTER_PROFILE.replace('002A', '002B') },
        { ...three, address: 1 },
        { ...four, everyMs: 10 },
      ],
    })
    await until(() => good(readings).length > 3)
    expect(events.filter(({ kind }) => kind === 'refused')).toMatchObject([
      {
        subject: 'line',
        id: 'again',
        code: 'LINE_REFUSED',
        sentence: 'line again names the same port as line port1',
      },
      { subject: 'device', id: 'counter-2', code: 'PROFILE_EXAMPLE_FAILED' },
      { subject: 'device', id: 'counter-3', code: 'DEVICE_REFUSED' },
      { subject: 'device', id: 'counter-4', code: 'LINE_OVERLOADED' },
    ])
    expect(new Set(good(readings).map(({ device }) => device))).toEqual(new Set(['counter-1']))
  })

  test('is started again when it is killed, which is told', async () => {
    const { config } = await site(1, 100)
    const { hardware, events, readings } = await supervise(config)
    await until(() => good(readings).length > 2)
    const first = hardware.stats().pid
    if (first === null) throw new Error('it runs')
    process.kill(first, 'SIGKILL')
    await until(() => hardware.stats().restarts === 1)
    const before = good(readings).length
    await until(() => good(readings).length > before + 2)
    expect(hardware.stats().pid).not.toBe(first)
    expect(events.filter(({ kind }) => kind === 'process')).toMatchObject([
      { state: 'started', pid: first },
      { state: 'lost', pid: first, cause: 'SIGKILL' },
      { state: 'started', pid: hardware.stats().pid },
    ])
  })

  test('is killed and started again when it hangs', async () => {
    const { config } = await site(1, 200)
    const { hardware, events, readings } = await supervise(config)
    await until(() => good(readings).length > 0)
    const first = hardware.stats().pid
    if (first === null) throw new Error('it runs')
    process.kill(first, 'SIGSTOP')
    await until(() => events.some((event) => event.kind === 'process' && event.state === 'hung'))
    await until(() => hardware.stats().state === 'running' && hardware.stats().pid !== first)
    expect(isAlive(first)).toBe(false)
  })

  test('polls a device at once when asked to', async () => {
    const { config, slaves } = await site(1, 60_000)
    const { hardware } = await supervise(config)
    await until(() => slaves.log.length === 1)
    hardware.pollNow('counter-1')
    await until(() => slaves.log.length === 2)
  })
})

test('ends by itself when its parent is killed, and frees the port for the next one', async () => {
  const { config, slaves } = await site(1, 100)
  const host = spawnHost(config)
  cleanups.push(async () => host.kill('SIGKILL'))
  const { pid } = await host.until((line) => line.pid !== undefined)
  if (pid === undefined) throw new Error('it runs')
  await host.until((line) => line.readings !== undefined)
  host.kill('SIGKILL')
  await host.gone
  await until(() => !isAlive(pid), 2_000)
  const before = slaves.log.length
  const { readings } = await supervise(config)
  await until(() => good(readings).length > 0)
  expect(slaves.log.length).toBeGreaterThan(before)
})
