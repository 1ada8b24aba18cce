import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chunkPolicy, isPolicyChunk, PolicyChunks } from '../../../cloud-sync/codec/index.ts'
import { LINK_PAYLOAD_BYTES_MAX } from '../../../cloud-sync/contract/index.ts'

const policyOf = (bytes: number): Uint8Array => Buffer.concat([Uint8Array.of(1), randomBytes(bytes - 1)])
const A = policyOf(200_000)
const B = policyOf(150_000)

/** What comes out, in order: the wholes by name, `-` for a refused part. */
function joined(parts: readonly Uint8Array[]): string {
  const chunks = new PolicyChunks()
  return parts
    .flatMap((part) => {
      const joining = chunks.take(part)
      if (joining.state === 'waiting') return []
      if (joining.state === 'refused') return ['-']
      return [
        Buffer.compare(joining.message, A) === 0 ? 'A' : Buffer.compare(joining.message, B) === 0 ? 'B' : '?',
      ]
    })
    .join('')
}

test('what fits one message travels as it is', () => {
  for (const bytes of [1, 1_000, LINK_PAYLOAD_BYTES_MAX]) {
    const policy = policyOf(bytes)
    expect(chunkPolicy(policy)).toEqual([policy])
    expect(isPolicyChunk(policy)).toBe(false)
  }
})

test.for([LINK_PAYLOAD_BYTES_MAX + 1, 122_806, 200_000, 4_000_000])(
  'a policy of %d bytes travels in parts that every broker carries',
  (bytes) => {
    const policy = policyOf(bytes)
    const parts = chunkPolicy(policy)
    for (const part of parts) {
      expect(part.length).toBeLessThanOrEqual(LINK_PAYLOAD_BYTES_MAX)
      expect(isPolicyChunk(part)).toBe(true)
    }
    const chunks = new PolicyChunks()
    const states = parts.map((part) => chunks.take(part))
    expect(states.slice(0, -1).every(({ state }) => state === 'waiting')).toBe(true)
    expect(states.at(-1)).toEqual({ state: 'whole', message: Buffer.from(policy) })
    expect(chunks.isWaiting).toBe(false)
  },
)

const [a1, a2, a3, a4] = chunkPolicy(A) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
const [b1, b2, b3] = chunkPolicy(B) as [Uint8Array, Uint8Array, Uint8Array]
const bent = Buffer.from(a2)
bent[100] = (bent[100] ?? 0) ^ 1
const elsewhere = Buffer.from(a2)
elsewhere[1] = 2

const cases: readonly [string, Uint8Array[], string][] = [
  ['in another order', [a4, a2, a1, a3], 'A'],
  ['some of them twice', [a1, a1, a2, a2, a3, a4], 'A'],
  ['without one of them', [a1, a2, a4], ''],
  ['of two policies, one into the other', [a1, b1, a2, b2, a3, b3, a4], 'BA'],
  ['of which one is bent', [a1, bent, a3, a4], '-'],
  ['of which one is bent and comes again as it was', [a1, bent, a2, a3, a4], 'A'],
  ['of which one stands in the place of another', [a1, elsewhere, a4], ''],
  ['after all had come, once more', [a1, a2, a3, a4, a1], 'A'],
  ['cut short', [a1, a2.subarray(0, 500), a3, a4], '-'],
  ['of nothing', [Uint8Array.of(4), Uint8Array.of(4, 0, 0), a1.subarray(0, 40)], '---'],
]
test.for(cases)('parts %s', ([, parts, comes]) => {
  expect(joined(parts)).toBe(comes)
})

test('of unfinished policies the oldest is forgotten', () => {
  const chunks = new PolicyChunks()
  chunks.take(a1)
  for (let n = 0; n < 100; n += 1) chunks.take(chunkPolicy(policyOf(100_000))[0] ?? a1)
  expect([a2, a3, a4].map((part) => chunks.take(part).state)).toEqual(['waiting', 'waiting', 'waiting'])
})

test('no bytes make it throw, and whatever comes out has the hash that its parts named', () => {
  const noise = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.concat([Uint8Array.of(4), bytes]))
  fc.assert(
    fc.property(
      fc.array(fc.oneof(noise, fc.constantFrom(a1, a2, a3, a4, b1, b2, b3, bent, elsewhere))),
      (parts) => {
        expect(joined(parts)).not.toContain('?')
      },
    ),
  )
})
