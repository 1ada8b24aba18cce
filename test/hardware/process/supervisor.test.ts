import { afterEach, describe, expect, test } from 'vitest'
import { COUNTER_PROFILE, SPLIT_PROFILE } from '../../support/counter-slaves.ts'
import { Cleanups, good, siteFor, supervise, until } from '../../support/supervised.ts'

const cleanups = new Cleanups()
afterEach(() => cleanups.run())

describe('the hardware process', () => {
  test('gives every value that a device answered, once, in order, and all of them when it is stopped', async () => {
    const { config, slaves } = await siteFor(cleanups, 3, 100)
    const { hardware, readings } = await supervise(cleanups, config)
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
    const { config, slaves } = await siteFor(cleanups, 1, 100)
    let refusals = 2
    const { readings } = await supervise(cleanups, config, async () => {
      if (refusals-- > 0) throw new Error('the disk is full')
    })
    await until(() => good(readings).some(({ value }) => value === 1))
    expect(slaves.log.length).toBeGreaterThan(1)
  })

  test('goes on with the rest where a profile, a device and a line are refused, and says which and why', async () => {
    const { config } = await siteFor(cleanups, 4, 200)
    const [one, two, three, four] = config.devices
    if (!one || !two || !three || !four) throw new Error('four devices')
    const { events, readings } = await supervise(cleanups, {
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
    const { config } = await siteFor(cleanups, 1, 100)
    const { hardware, events, readings } = await supervise(cleanups, config)
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

  test('is tried again where the system could not start it', async () => {
    const { config } = await siteFor(cleanups, 1, 100)
    const node = process.execPath
    cleanups.add(() => Promise.resolve((process.execPath = node)))
    process.execPath = '/nowhere/node'
    const { hardware, events, readings } = await supervise(cleanups, config)
    await until(() => hardware.stats().restarts >= 2)
    expect(events[0]).toMatchObject({
      kind: 'process',
      state: 'lost',
      cause: 'not started: spawn /nowhere/node ENOENT',
    })
    process.execPath = node
    await until(() => good(readings).length > 0)
  })

  test('does not forget which blocks a device refuses when it is started again', async () => {
    const { config, slaves } = await siteFor(cleanups, 1, 100)
    const devices = config.devices.map((device) => ({ ...device, profile: SPLIT_PROFILE }))
    const { hardware, events, readings } = await supervise(cleanups, { ...config, devices })
    await until(() => good(readings).some(({ channel }) => channel === 'other'))
    expect(events.find(({ kind }) => kind === 'splits')).toMatchObject({
      device: 'counter-1',
      channels: ['other'],
    })
    const { pid } = hardware.stats()
    if (pid === null) throw new Error('it runs')
    process.kill(pid, 'SIGKILL')
    await until(() => hardware.stats().restarts === 1)
    const before = good(readings).length
    await until(() => good(readings).length > before + 4)
    expect(slaves.refused).toBe(1)
  })

  test('polls a device at once when asked to', async () => {
    const { config, slaves } = await siteFor(cleanups, 1, 60_000)
    const { hardware } = await supervise(cleanups, config)
    await until(() => slaves.log.length === 1)
    hardware.pollNow('counter-1')
    await until(() => slaves.log.length === 2)
  })
})
