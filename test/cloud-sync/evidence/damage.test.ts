import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { sealKeyset } from '../../../cloud-sync/codec/index.ts'
import { FAULTS } from '../../../cloud-sync/evidence/index.ts'
import type { EvidenceLine } from '../../../cloud-sync/evidence/lines.ts'
import { sealWord } from '../../../cloud-sync/evidence/words.ts'
import { evidenceWorld, newKey } from '../../support/evidence-world.ts'
import { forged, lineAt, linesOf, replaced, verified } from '../../support/evidence-file.ts'
import { fakeGateway, usageBody } from '../../support/fake-gateway.ts'

const world = evidenceWorld({ records: 12 })
const { root, signing, cloudId } = world
const trust = root.publicKey
const whole = await world.file()
const lines = linesOf(whole)
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

test('I17 any change of a line is named with its line, also where nothing but the line was changed', async () => {
  const texts = whole.toString('utf8').split('\n')
  for (const index of [0, 1, 2, 5, texts.length - 2]) {
    const text = texts[index] ?? ''
    const changed = `${text.slice(0, 70)}${text[70] === 'a' ? 'b' : 'a'}${text.slice(71)}`
    const report = await verified(Buffer.from(texts.with(index, changed).join('\n')), { trust })
    expect([index, report.fault?.line]).toEqual([index, index + 1])
  }
})

test('a file cut short anywhere is not sound', async () => {
  for (let kept = 0; kept < whole.length; kept += 997) {
    expect((await verified(whole.subarray(0, kept))).fault?.what).toBeDefined()
  }
  expect((await verified(whole.subarray(0, whole.length - 1))).fault?.what).toBe('truncated')
  const lastLine = whole.lastIndexOf('\n', whole.length - 2)
  expect((await verified(whole.subarray(0, lastLine + 1))).fault).toMatchObject({ what: 'truncated' })
})

test('nothing may stand after the seal', async () => {
  const report = await verified(Buffer.concat([whole, Buffer.from('\n')]))
  expect(report.fault?.what).toBe('after-seal')
})

test('a line that has no end is not held in memory', async () => {
  const endless = Buffer.alloc(8 * 1024 * 1024, 'a')
  expect((await verified(endless)).fault).toMatchObject({ what: 'truncated', line: 1 })
})

test('sealed by a key that is retired since it is refused', async () => {
  const keyset = sealKeyset({ v: 2, generation: 1, version: 2, keys: [newKey().publicKey] }, root)
  const newer = [...lines.slice(0, 2), { t: 'keyset', message: base64(keyset) } as const]
  expect((await verified(forged(newer, trust, signing))).fault?.what).toBe('seal')
  const more = [...newer, ...lines.slice(2)]
  expect((await verified(forged(more, trust, signing))).fault?.what).toBe('registration')
})

test('a file with an older keyset than the reader wants is refused, also one without gateways', async () => {
  const wanted = { generation: 1, version: 2 }
  expect((await verified(whole, { trust, keyset: wanted })).fault?.what).toBe('keyset')
  expect((await verified(forged(lines.slice(0, 2), trust, signing), { keyset: wanted })).fault?.what).toBe(
    'keyset',
  )
  expect((await verified(whole, { trust, keyset: { generation: 1, version: 1 } })).ok).toBe(true)
})

test('the file of another cloud is sound by itself, and refused by whoever names the root', async () => {
  const report = await verified(whole, { trust: newKey().publicKey })
  expect(report).toMatchObject({ ok: false, trusted: false, fault: { what: 'root', line: 1 } })
})

test('I19 two gateways with the same epoch are refused', async () => {
  const twin = fakeGateway('GW-9', cloudId)
  const word = { v: 1, what: 'registration', gateway: twin.id, publicKey: twin.key.publicKey } as const
  const { index } = lineAt(lines, 'gateway')
  const again: EvidenceLine[] = [
    ...lines.slice(0, index),
    { ...lineAt(lines, 'contents').line, gateway: twin.id },
    ...lines.slice(index),
    { t: 'gateway', gateway: twin.id, registration: base64(sealWord(word, { cloudId, key: signing })) },
    lineAt(lines, 'stream').line,
  ]
  expect((await verified(forged(again, trust, signing))).fault).toMatchObject({
    what: 'epoch',
    gateway: twin.id,
  })
})

test('I2 a changed bit in a message is laid to the record that it is in', async () => {
  const [first] = world.gateways
  const records = first?.streams[0]?.records ?? []
  // One message with the whole epoch.
  const batch = lineAt(lines, 'batch')
  const upTo = lineAt(lines, 'stream').line.upTo
  for (let number = 1; number <= upTo; number += 1) {
    const parts = records.map((record) =>
      record.record.seq === number ? { ...record, bytes: lastBitFlipped(record.bytes) } : record,
    )
    const signature = first?.gateway.sign('usage', usageBody(records)).subarray(0, 73) ?? new Uint8Array()
    const message = base64(Buffer.concat([signature, usageBody(parts)]))
    const head = records.at(-1)?.hash ?? batch.line.head
    const damaged = { ...batch.line, first: 1, last: upTo, head, message }
    const report = await verified(forged(replaced(batch.index, damaged, lines), trust, signing))
    expect([number, report.fault?.what, report.fault?.seq]).toEqual([number, 'signature', number])
  }
})

function lastBitFlipped(bytes: Uint8Array): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  return flipped
}

test('everything that can be wrong is told of in docs/evidence.md', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../../docs/evidence.md'), 'utf8')
  const told = [...text.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)]
    .filter(([, , what = '']) => (Object.values(FAULTS) as string[]).includes(what))
    .map(([, kind = '', what = '']) => [kind, what])
  expect(told).toEqual(Object.entries(FAULTS))
})
