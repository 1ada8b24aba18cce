import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { splitPolicy } from '../../../cloud-sync/codec/index.ts'
import { headgateJson } from '../../support/cli.ts'
import { DAY, PolicySite } from '../../support/policy-site.ts'

test('edge case 12: policies that are replayed, altered, not for here, or set back are refused, and nobody is locked out', {
  timeout: 120_000,
}, async () => {
  const site = new PolicySite()
  const { signer } = site
  await site.start()
  expect(await site.logsIn('ana')).toBe(false)
  const [first, second] = [site.policy(41), site.policy(42)]
  expect(await site.apply(signer.whole(first))).toBe('applied')
  expect(await site.logsIn('ana')).toBe(true)
  await site.stop()
  const database = join(site.folder, 'data/gateway.db')
  cpSync(database, join(site.folder, 'backup.db'))

  await site.start()
  expect(await site.apply(signer.change(first, second))).toBe('applied')
  expect(await site.apply(signer.whole(first))).toBe('older')
  expect(await site.apply(signer.whole(site.policy(42, { grants: [] })))).toBe('altered')
  expect(await site.apply(signer.whole(site.policy(2 ** 50)))).toBe('jump')
  expect(await site.apply(signer.whole({ ...site.policy(43), critical: ['moon'] }))).toBe('critical')
  expect(await site.show()).toMatchObject({
    version: 42,
    refused: { older: 1, altered: 1, jump: 1, critical: 1 },
  })
  // Killed, not stopped: what is in force is on the disk.
  await site.stop('SIGKILL')
  await site.start()
  expect(await site.show()).toMatchObject({ version: 42 })
  await site.stop()

  cpSync(join(site.folder, 'backup.db'), database)
  await site.start()
  expect(await site.show()).toMatchObject({ version: 0, newest: { generation: 1, version: 42 } })
  expect(await site.logsIn('ana')).toBe(false)
  expect(await site.apply(signer.whole(first))).toBe('older')
  expect(await site.apply(signer.whole(second))).toBe('applied')
  expect(await site.logsIn('ana')).toBe(true)
  await site.stop()
})

test('edge case 13: a gateway that missed three rotations and the cloud coming back from a backup recovers by one file', {
  timeout: 120_000,
}, async () => {
  const site = new PolicySite()
  const { signer } = site
  await site.start()
  const first = site.policy(500)
  expect(await site.apply(signer.whole(first))).toBe('applied')
  for (let rotation = 0; rotation < 3; rotation += 1) signer.rotate()
  expect(await site.apply(signer.change(first, site.policy(501)))).toBe('unknown-key')
  expect(await site.apply(signer.whole(site.policy(501)))).toBe('applied')
  // The restored cloud knows of version 300 only, and of the organisation's founding, not of its things.
  const anew = { grants: [], policies: [] }
  expect(await site.apply(signer.whole(site.policy(300, anew)))).toBe('older')
  signer.raise()
  expect(await site.apply(signer.whole(site.policy(300, anew)))).toBe('applied')
  expect(await site.show()).toMatchObject({ version: 300, generation: 2, freshness: 'fresh' })
  expect(await site.logsIn('ana')).toBe(true)
  const file = join(site.folder, 'out.bin')
  expect((await headgateJson(['policy', 'show', '--export', file, '--config', site.config])).code).toBe(0)
  expect(splitPolicy(readFileSync(file))).toHaveLength(1)
  expect(await site.apply(readFileSync(file))).toBe('same')
  await site.stop()
})

test('edge case 15: fresh, stale, expired: what lapses does so to the millisecond, and the own organisation goes on', {
  timeout: 120_000,
}, async () => {
  const site = new PolicySite()
  const { signer } = site
  await site.start()
  const T0 = Date.UTC(2026, 10, 22)
  const read = ['data.read', 'tilt-1'] as const
  const share = ['share.grant', 'tilt-1'] as const
  expect(await site.apply(signer.whole(site.policy(1, { issuedAt: T0 })))).toBe('applied')
  expect(await site.show()).toMatchObject({ freshness: 'fresh', signed: true })
  expect(await site.why('borealis:bea', ...read)).toBe('allowed')
  // Policies bring policy time: one that is issued at the very end of its freshness.
  const stale = { issuedAt: T0 + DAY, freshUntil: T0 + DAY, hardUntil: T0 + 30 * DAY }
  expect(await site.apply(signer.whole(site.policy(2, stale)))).toBe('applied')
  expect(await site.show()).toMatchObject({ freshness: 'stale' })
  expect(await site.why('acme:ana', ...share)).toBe('stale')
  expect(await site.why('borealis:bea', ...read)).toBe('allowed')
  const expired = { issuedAt: T0 + 30 * DAY, freshUntil: T0 + 2 * DAY, hardUntil: T0 + 30 * DAY }
  expect(await site.apply(signer.whole(site.policy(3, expired)))).toBe('applied')
  expect(await site.show()).toMatchObject({ freshness: 'expired' })
  expect(await site.why('borealis:bea', ...read)).toBe('lapsed')
  expect(await site.why('acme:ana', ...read)).toBe('allowed')
  expect(await site.why('acme:ana', 'device.operate', 'tilt-1')).toBe('allowed')
  expect(await site.logsIn('ana')).toBe(true)
  await site.stop()
})
