import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openIncoming } from '../../../cloud-sync/cloud/ingest/open.ts'
import { shardOf } from '../../../cloud-sync/codec/index.ts'
import { LINK_PAYLOAD_BYTES_MAX, upTopic } from '../../../cloud-sync/contract/index.ts'
import { epochOf, fakeGateway, usageBody, usageChain } from '../../support/fake-gateway.ts'
import { CLOUD_ID } from '../../support/test-ledger.ts'

const E1 = epochOf('1')

test('any flipped bit of a message is refused, never posted, never a crash', async () => {
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const settings = { cloudId: CLOUD_ID, publicKeyOf: () => gateway.key.publicKey }
  const topic = upTopic(shardOf(gateway.id), gateway.id, 'usage')
  const message = gateway.sign('usage', usageBody(usageChain({ gateway: gateway.id, epoch: E1, count: 3 })))
  expect(openIncoming(settings, topic, message).ok).toBe(true)
  fc.assert(
    fc.property(fc.nat({ max: message.length * 8 - 1 }), (bit) => {
      const flipped = Uint8Array.from(message)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(openIncoming(settings, topic, flipped).ok).toBe(false)
    }),
    { numRuns: 400 },
  )
})

test('noise on any topic is counted, never a crash', () => {
  const gateway = fakeGateway('GW-1', CLOUD_ID)
  const settings = { cloudId: CLOUD_ID, publicKeyOf: () => gateway.key.publicKey }
  const kinds = ['status', 'usage', 'rd', 'rd/h', 'evt', 'pol', 'prop', 'met', 'cmd', 'nothing'] as const
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 300 }), (kind, noise) => {
      const topic = `hg1/${shardOf(gateway.id)}/GW-1/up/${kind}`
      expect(openIncoming(settings, topic, noise).ok).toBe(false)
      // Signed noise as well: a gateway may be broken.
      const signed = kind === 'pol' ? 'want' : kind
      if (signed === 'usage' || signed === 'rd' || signed === 'evt' || signed === 'want') {
        expect(openIncoming(settings, topic, gateway.sign(signed, noise)).ok).toBe(false)
      }
    }),
    { numRuns: 300 },
  )
})

const mine = fakeGateway('GW-1', CLOUD_ID)
const stranger = fakeGateway('GW-2', CLOUD_ID)
const usage = usageBody(usageChain({ gateway: mine.id, epoch: E1, count: 1 }))
const refusals = [
  [
    'a topic with a wrong shard',
    `hg1/${shardOf(stranger.id)}/GW-1/up/usage`,
    mine.sign('usage', usage),
    'topic',
  ],
  ['a topic that goes down', `hg1/${shardOf(mine.id)}/GW-1/dn/ack/usage`, mine.sign('usage', usage), 'topic'],
  [
    'an unknown gateway',
    upTopic(shardOf(stranger.id), stranger.id, 'usage'),
    stranger.sign('usage', usage),
    'unknown-gateway',
  ],
  [
    'a message signed by another gateway',
    upTopic(shardOf(mine.id), mine.id, 'usage'),
    stranger.sign('usage', usage),
    'unsigned',
  ],
  [
    'a message signed as another kind',
    upTopic(shardOf(mine.id), mine.id, 'usage'),
    mine.sign('rd', usage),
    'unsigned',
  ],
  [
    'a batch of another gateway',
    upTopic(shardOf(mine.id), mine.id, 'usage'),
    mine.sign('usage', usageBody(usageChain({ gateway: stranger.id, epoch: E1, count: 1 }))),
    'other-gateway',
  ],
  [
    'a message that is too long',
    upTopic(shardOf(mine.id), mine.id, 'usage'),
    mine.sign('usage', new Uint8Array(LINK_PAYLOAD_BYTES_MAX + 1)),
    'too-large',
  ],
] as const

test.for(refusals)('%s is refused', ([, topic, message, because]) => {
  const settings = {
    cloudId: CLOUD_ID,
    publicKeyOf: (id: string) => (id === mine.id ? mine.key.publicKey : undefined),
  }
  expect(openIncoming(settings, topic, message)).toEqual({ ok: false, because })
})
