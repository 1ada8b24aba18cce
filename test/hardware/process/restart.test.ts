import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { isAlive, openSite, spawnHost } from '../../support/hardware-site.ts'
import { testWith } from '../../support/peers.ts'
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

testWith('socat')(
  'ends by itself when its parent is killed, and leaves the port to the next one',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-restart-'))
    cleanups.add(async () => {
      rmSync(folder, { recursive: true })
    })
    const { config, slaves, close } = await openSite({ devices: 1, everyMs: 100, pty: join(folder, 'port') })
    cleanups.add(close)
    const host = spawnHost(config)
    cleanups.add(async () => host.kill('SIGKILL'))
    const { pid } = await host.until((line) => line.pid !== undefined)
    if (typeof pid !== 'number') throw new Error('it runs')
    await host.until((line) => line.readings !== undefined)
    // The next one starts at once, while the first may still hold the port's lock.
    host.kill('SIGKILL')
    const before = slaves.log.length
    const { readings } = await supervise(cleanups, config)
    await until(() => good(readings).length > 0)
    expect(isAlive(pid)).toBe(false)
    expect(slaves.log.length).toBeGreaterThan(before)
  },
)
