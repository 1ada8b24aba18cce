import { afterAll, beforeAll, expect } from 'vitest'
import { publicKeyPin } from '../../support/certificates.ts'
import { havePeer, testWith } from '../../support/peers.ts'
import { until } from '../support.ts'
import { inBrowser } from './browser.ts'
import { connectTo, type Site, startSite } from './site.ts'

let site: Site
beforeAll(async () => {
  if (havePeer('openssl')) site = await startSite('none')
})
afterAll(async () => {
  if (havePeer('openssl')) await site.stop()
})

const task = (transport: 'ws' | 'wss') => ({
  url: site.url(transport),
  username: 'browser',
  password: 'right',
})
const withBrowser = testWith('chromium', 'openssl')

for (const transport of ['ws', 'wss'] as const) {
  withBrowser(
    `a page in Chromium exchanges everything over ${transport} with a program beside it`,
    { timeout: 120_000 },
    async () => {
      const program = await connectTo(site.url('tcp'), { username: 'program', password: 'right' })
      const up: { topic: string; bytes: number; qos: number }[] = []
      program.on('message', (topic, payload, { qos }) => up.push({ topic, bytes: payload.length, qos }))
      await program.subscribeAsync('browser/up/#', { qos: 2 })
      await program.publishAsync('browser/kept', 'kept', { qos: 1, retain: true })
      const reported = inBrowser(task(transport), { host: '127.0.0.1', pin: publicKeyPin(site.server.cert) })
      await Promise.race([until(() => up.length === 3, 60_000), reported])
      const payload = Buffer.alloc(100_000, 'd')
      for (const qos of [0, 1, 2] as const)
        await program.publishAsync(`browser/down/${qos}`, payload, { qos })
      const report = await reported
      expect(report.failed).toBeUndefined()
      const all = [0, 1, 2]
      expect(up).toEqual(all.map((qos) => ({ topic: `browser/up/${qos}`, bytes: 100_000, qos })))
      expect(report.received).toEqual([
        { topic: 'browser/kept', bytes: 4, qos: 1, retain: true },
        ...all.map((qos) => ({ topic: `browser/down/${qos}`, bytes: 100_000, qos, retain: false })),
      ])
      expect(report).toMatchObject({ will: 'gone', queued: ['1', '2', '3'] })
      await program.endAsync(true)
    },
  )
}

withBrowser("another site's page does not get as far as a login", { timeout: 120_000 }, async () => {
  const before = site.broker.stats()
  const report = await inBrowser(task('ws'), { host: 'localhost' })
  expect(report.origin).toMatch(/^http:\/\/localhost:/)
  expect(report.failed).toMatch(/closed|error/i)
  expect(site.broker.stats()).toEqual(before)
})
