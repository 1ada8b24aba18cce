import { afterEach, describe, expect, test } from 'vitest'
import { isAlive, spawnHost } from '../../support/hardware-site.ts'
import { Cleanups, good, siteFor, supervise, until } from '../../support/supervised.ts'

const cleanups = new Cleanups()
afterEach(() => cleanups.run())

describe('the hardware process', () => {
  test('is killed and started again when it hangs', async () => {
    const { config } = await siteFor(cleanups, 1, 200)
    const { hardware, events, readings } = await supervise(cleanups, config)
    await until(() => good(readings).length > 0)
    const first = hardware.stats().pid
    if (first === null) throw new Error('it runs')
    process.kill(first, 'SIGSTOP')
    await until(() => events.some((event) => event.kind === 'process' && event.state === 'hung'))
    await until(() => hardware.stats().state === 'running' && hardware.stats().pid !== first)
    expect(isAlive(first)).toBe(false)
  })
})

test('ends by itself when its parent is killed, and frees the port for the next one', async () => {
  const { config, slaves } = await siteFor(cleanups, 1, 100)
  const host = spawnHost(config)
  cleanups.add(async () => host.kill('SIGKILL'))
  const { pid } = await host.until((line) => line.pid !== undefined)
  if (pid === undefined) throw new Error('it runs')
  await host.until((line) => line.readings !== undefined)
  host.kill('SIGKILL')
  await host.gone
  await until(() => !isAlive(pid), 2_000)
  const before = slaves.log.length
  const { readings } = await supervise(cleanups, config)
  await until(() => good(readings).length > 0)
  expect(slaves.log.length).toBeGreaterThan(before)
})
