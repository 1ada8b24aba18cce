import { expect } from 'vitest'
import type { OrgId } from '../../cloud-sync/contract/index.ts'
import {
  askedFor,
  forged,
  lineAt,
  linesOf,
  replaced,
  shortened,
  unlisted,
  verified,
  withoutLastEpoch,
  withoutLastGateway,
} from '../support/evidence-file.ts'
import { peersVerdict } from '../support/evidence-peer.ts'
import { type EvidenceWorld, evidenceWorld, newKey } from '../support/evidence-world.ts'
import { testWith } from '../support/peers.ts'

testWith('python-cryptography')(
  'a verifier in another language, written from docs/evidence.md alone, comes to the same verdicts',
  async () => {
    const world = evidenceWorld({ records: 25, seed: 7 })
    const { signing } = world
    const trust = world.root.publicKey
    const scope = { of: 'organisation', org: 'acme' as OrgId } as const
    const period = { from: '2026-11-02', to: '2026-11-03' }
    const whole = await world.file()
    for (const file of [whole, await world.file({ scope }), await world.file({ period }), await one(world)]) {
      const own = await verified(file, { trust })
      const records = own.streams.reduce((sum, { signed, attested }) => sum + signed + attested, 0)
      const verdict = peersVerdict(file, trust)
      expect(verdict).toMatchObject({ ok: true, what: null, facts: own.facts, records })
      expect(own.ok).toBe(true)
    }
    const lines = linesOf(whole)
    const [batch, fact, stream] = [
      lineAt(lines, 'batch', 3),
      lineAt(lines, 'fact'),
      lineAt(lines, 'stream', 1),
    ]
    const bad = [
      Buffer.from(whole.map((byte, index) => (index === 5_000 ? byte ^ 1 : byte))),
      whole.subarray(0, whole.length - 400),
      Buffer.concat([whole, Buffer.from('\n')]),
      forged(lines, trust, newKey()),
      forged(replaced(batch.index, null, lines), trust, signing),
      forged(replaced(fact.index, { ...fact.line, quantity: '1' }, lines), trust, signing),
      forged(replaced(stream.index, { ...stream.line, parent: null }, lines), trust, signing),
      forged(replaced(stream.index, { ...stream.line, upTo: 24 }, lines), trust, signing),
      forged(withoutLastGateway(lines), trust, signing),
      forged(withoutLastEpoch(lines), trust, signing),
      forged(shortened(lines), trust, signing),
      forged(unlisted(lines, 'GW-1'), trust, signing),
      forged(askedFor(lines, ['GW-1']), trust, signing),
      forged(askedFor(lines, ['GW-1', 'GW-2', 'GW-3']), trust, signing),
      forged(replaced(lineAt(lines, 'keyset').index, null, lines), trust, signing),
    ]
    for (const [index, file] of bad.entries()) {
      const { fault } = await verified(file, { trust })
      const { ok, line, what } = peersVerdict(file, trust)
      expect([index, ok, line, what]).toEqual([index, false, fault?.line, fault?.what])
    }
    expect(peersVerdict(whole, newKey().publicKey).what).toBe('root')
  },
)

/** A file of the first gateway alone. */
const one = (world: EvidenceWorld): Promise<Buffer> => {
  const gateways = world.order().gateways.slice(0, 1)
  return world.file({ gateways, only: gateways.map(({ id }) => id) })
}
