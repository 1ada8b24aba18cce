import { expect, test } from 'vitest'
import { evidenceWorld } from '../../support/evidence-world.ts'
import { linesOf, pieces, verified } from '../../support/evidence-file.ts'
import { verifyEvidence } from '../../../cloud-sync/evidence/index.ts'
import type { OrgId } from '../../../cloud-sync/contract/index.ts'

const world = evidenceWorld()
const trust = world.root.publicKey
const acme = { of: 'organisation', org: 'acme' as OrgId } as const

test('a file of everything proves every record by the signature of its gateway, and every sum', async () => {
  const report = await verified(await world.file(), { trust })
  expect(report.fault).toBeNull()
  expect(report).toMatchObject({ ok: true, trusted: true, root: trust, scope: { of: 'operator' } })
  expect(report.keyset).toEqual({ generation: 1, version: 1 })
  expect(
    report.streams.map(({ gateway, signed, attested, hidden }) => [gateway, signed, attested, hidden]),
  ).toEqual(Array.from({ length: 4 }, (_, n) => [`GW-${1 + Math.floor(n / 2)}`, 40, 0, 0]))
  expect(report.facts).toBe(world.gateways.reduce((sum, { facts }) => sum + facts.size, 0))
})

test("an organisation's file proves its own records and sums, and shows of the others' only hashes", async () => {
  const file = await world.file({ scope: acme })
  const report = await verified(file, { trust })
  expect(report.fault).toBeNull()
  for (const { signed, attested, hidden } of report.streams) {
    expect(signed + attested + hidden).toBe(40)
    expect(hidden).toBeGreaterThan(0)
  }
  // Nothing of the others': no id of theirs, in no line and in no record or message.
  const hides = linesOf(file).flatMap((line) => {
    if (line.t === 'batch') return [Buffer.from(line.message, 'base64').toString('latin1')]
    return line.t === 'record'
      ? [Buffer.from(line.bytes, 'base64').toString('latin1')]
      : [JSON.stringify(line)]
  })
  expect(hides.filter((text) => text.includes('borealis'))).toEqual([])
})

test('where an organisation is alone on a gateway its file has the very messages of the gateway', async () => {
  const lone = evidenceWorld({ gateways: 1, lone: [1] })
  const report = await verified(await lone.file({ scope: acme }))
  expect(report).toMatchObject({ ok: true, trusted: false })
  expect(report.streams.map(({ signed, attested, hidden }) => [signed, attested, hidden])).toEqual([
    [40, 0, 0],
    [40, 0, 0],
  ])
})

test('a period narrows the sums and leaves the chains whole', async () => {
  const period = { from: '2026-11-02', to: '2026-11-03' }
  const file = await world.file({ period })
  const report = await verified(file)
  expect(report.fault).toBeNull()
  expect(report.period).toEqual(period)
  expect(report.streams.every(({ signed }) => signed === 40)).toBe(true)
  const facts = linesOf(file).filter((line) => line.t === 'fact')
  expect(new Set(facts.map(({ day }) => day))).toEqual(new Set(['2026-11-02', '2026-11-03']))
  expect(report.facts).toBe(facts.length)
})

test('the same ledger and the same order give the same bytes, however the reader gets them', async () => {
  const file = await world.file()
  expect((await world.file()).equals(file)).toBe(true)
  for (const size of [1, 7, 4096, file.length]) {
    expect((await verifyEvidence(pieces(file, size))).ok).toBe(true)
  }
})

test('records whose message was not kept are there, under the seal alone', async () => {
  const { source } = world
  const some: typeof source = {
    ...source,
    async *batches(gateway, stream) {
      let n = 0
      for await (const message of source.batches(gateway, stream)) {
        n += 1
        if (n % 3 !== 0) yield message
      }
    },
  }
  const { writeEvidence } = await import('../../../cloud-sync/evidence/index.ts')
  const parts: string[] = []
  for await (const line of writeEvidence(some, world.order())) parts.push(line)
  const report = await verified(Buffer.from(parts.join('')))
  expect(report.fault).toBeNull()
  for (const { signed, attested } of report.streams) {
    expect(signed + attested).toBe(40)
    expect(attested).toBeGreaterThan(0)
  }
})
