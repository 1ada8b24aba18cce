import { expect, test } from 'vitest'
import { sealKeyset, sealRecord, signMessage } from '../../../cloud-sync/codec/index.ts'
import type { OrgId, SealedRecord } from '../../../cloud-sync/contract/index.ts'
import type { EvidenceLine } from '../../../cloud-sync/evidence/lines.ts'
import { sealWord } from '../../../cloud-sync/evidence/words.ts'
import { evidenceWorld, newKey } from '../../support/evidence-world.ts'
import {
  forged,
  lineAt,
  linesOf,
  type PlacedLine,
  replaced as replacedIn,
  verified,
} from '../../support/evidence-file.ts'
import { usageBody, usageRecord } from '../../support/fake-gateway.ts'

const world = evidenceWorld({ records: 12 })
const { root, signing, cloudId } = world
const trust = root.publicKey
const whole = await world.file()
const lines = linesOf(whole)
const acme = { of: 'organisation', org: 'acme' as OrgId } as const
const acmesLines = linesOf(await world.file({ scope: acme }))
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

const at = <T extends EvidenceLine['t']>(t: T, nth = 0, among = lines): PlacedLine<T> => lineAt(among, t, nth)
const replaced = (index: number, line: EvidenceLine | null, among = lines): EvidenceLine[] =>
  replacedIn(index, line, among)
const swapped = (first: number, second: number): EvidenceLine[] =>
  lines.map(
    (line, index) => (index === first ? lines[second] : index === second ? lines[first] : line) ?? line,
  )

const first = world.gateways[0]
const [stream, second] = first?.streams ?? []
if (first === undefined || stream === undefined || second === undefined) throw new Error('no world')
const { gateway } = first
const other = world.gateways[1]?.gateway ?? gateway

/** The first message of the world with its records made anew from `number` on. */
function rewritten(change: (record: SealedRecord['record']) => object, number: number): SealedRecord[] {
  const records: SealedRecord[] = []
  for (const { record } of stream?.records ?? []) {
    const prev = records.at(-1)?.hash ?? record.prev
    const changed = record.seq === number ? { ...record, ...change(record) } : record
    records.push(sealRecord({ ...changed, prev }))
  }
  return records
}
/** A file of the first epoch alone, signed by whom the forger has the key of. */
const filedAs = (records: readonly SealedRecord[], by = gateway): EvidenceLine[] => {
  const [head, keyset] = lines
  const registered = at('gateway').line
  if (head === undefined || keyset === undefined) throw new Error('no lines')
  const { epoch, parent, state } = stream
  const [last] = records.slice(-1)
  const batch = { t: 'batch', first: 1, last: records.length, head: last?.hash ?? '' } as const
  return [
    head,
    keyset,
    { t: 'contents', gateway: gateway.id, epoch, upTo: records.length, head: last?.hash } as EvidenceLine,
    registered,
    { t: 'stream', epoch, parent, upTo: records.length, head: last?.hash, state } as EvidenceLine,
    { ...batch, message: base64(by.sign('usage', usageBody(records))) } as EvidenceLine,
  ]
}

/** Each is well framed and well sealed, as by somebody in the cloud who has its key: only what it says is wrong. */
const cases: [string, EvidenceLine[], object][] = [
  [
    'a message left out',
    replaced(at('batch', 2).index, null),
    { what: 'gap', seq: at('batch', 2).line.first },
  ],
  ['two messages in the other order', swapped(at('batch', 1).index, at('batch', 2).index), { what: 'gap' }],
  [
    'a message signed by a key that nobody knows',
    replaced(at('batch').index, {
      ...at('batch').line,
      message: base64(strangerSigned(at('batch').line.message)),
    }),
    { what: 'signature', seq: 1 },
  ],
  ["a gateway's messages under the name of another", twoMixed(), { what: 'signature', gateway: other.id }],
  [
    'a record made anew, its chain too, and signed by another gateway',
    filedAs(
      rewritten(({ registers }) => ({ registers: registers.slice(1) }), 3),
      other,
    ),
    { what: 'signature' },
  ],
  [
    'a register that goes back, signed by its own gateway',
    filedAs(rewritten(lowered, 9)),
    { what: 'register', seq: 9, gateway: gateway.id, epoch: stream.epoch },
  ],
  [
    'a register that stands twice in a record',
    filedAs(rewritten(({ registers }) => ({ registers: [...registers, ...registers.slice(0, 1)] }), 1)),
    { what: 'register', seq: 1 },
  ],
  [
    'a record that does not name the one before',
    filedAs(rewritten(() => ({}), 1).map((sealed) => (sealed.record.seq === 4 ? strayed(sealed) : sealed))),
    { what: 'prev', seq: 4 },
  ],
  [
    'a sum that is more than what was used',
    replaced(at('fact').index, { ...at('fact').line, quantity: `${at('fact').line.quantity}0` }),
    { what: 'fact', gateway: gateway.id },
  ],
  ['a sum that is left out', replaced(at('fact', 1).index, null), { what: 'fact' }],
  [
    'a sum of what nobody used',
    replaced(at('fact', 1).index, { ...at('fact', 1).line, day: '2027-01-01' }),
    { what: 'fact' },
  ],
  [
    'a sum twice',
    [...lines.slice(0, at('fact').index), at('fact').line, ...lines.slice(at('fact').index)],
    { what: 'fact' },
  ],
  [
    'a head that is not the end of the chain',
    replaced(at('stream').index, { ...at('stream').line, head: second.head }),
    { what: 'head', seq: 12 },
  ],
  [
    'a stream that is said to be shorter',
    replaced(at('stream').index, { ...at('stream').line, upTo: 11 }),
    { what: 'head' },
  ],
  [
    'an epoch whose parent is not here',
    replaced(at('stream', 1).index, { ...at('stream', 1).line, parent: second.epoch }),
    { what: 'parent' },
  ],
  [
    'a second epoch that continues nothing',
    replaced(at('stream', 1).index, { ...at('stream', 1).line, parent: null }),
    { what: 'parent' },
  ],
  [
    'a gateway whose key only its own word vouches for',
    replaced(at('gateway').index, {
      ...at('gateway').line,
      registration: base64(
        sealWord(
          { v: 1, what: 'registration', gateway: gateway.id, publicKey: gateway.key.publicKey },
          { cloudId, key: gateway.key },
        ),
      ),
    }),
    { what: 'registration' },
  ],
  [
    "a gateway under another one's registration",
    replaced(at('gateway').index, {
      ...at('gateway').line,
      registration: at('gateway', 1).line.registration,
    }),
    { what: 'registration' },
  ],
  ['no keyset', replaced(at('keyset').index, null), { what: 'order' }],
  [
    'a keyset that the root did not sign',
    replaced(at('keyset').index, {
      t: 'keyset',
      message: base64(sealKeyset({ v: 2, generation: 1, version: 1, keys: [signing.publicKey] }, newKey())),
    }),
    { what: 'keyset' },
  ],
  ['an older keyset after a newer one', [...lines.slice(0, 2), ...lines.slice(1)], { what: 'keyset' }],
  [
    'a message that is said to be lost, though the chain goes on behind another one',
    replaced(at('batch', 2).index, {
      t: 'lost',
      first: at('batch', 2).line.first,
      last: at('batch', 2).line.last,
      prev: stream.head,
    }),
    { what: 'prev' },
  ],
  [
    'lost numbers with others between',
    replaced(at('batch', 2).index, { t: 'lost', first: 99, last: 100, prev: stream.head }),
    { what: 'gap' },
  ],
  [
    'all after some that is said to be lost',
    [
      ...lines.slice(0, at('batch', 1).index),
      { t: 'lost', first: at('batch', 1).line.first, last: stream.upTo, prev: stream.head },
      ...lines.slice(at('stream', 1).index),
    ],
    { what: 'lost', seq: at('batch', 1).line.first },
  ],
  [
    'a record hidden from the operator',
    replaced(at('batch').index, { t: 'others', first: 1, hashes: [stream.head] }),
    { what: 'scope' },
  ],
  [
    "another organisation's record in an organisation's file",
    replaced(
      at('others', 0, acmesLines).index,
      { t: 'record', seq: at('others', 0, acmesLines).line.first, bytes: foreignBytes() },
      acmesLines,
    ),
    { what: 'scope' },
  ],
  [
    "an own record that does not follow the hash of another's",
    replaced(
      at('others', 0, acmesLines).index,
      {
        ...at('others', 0, acmesLines).line,
        hashes: at('others', 0, acmesLines).line.hashes.map(() => stream.head),
      },
      acmesLines,
    ),
    { what: 'prev' },
  ],
]

test.for(cases)(
  '%s is named, though every line is framed and sealed well',
  async ([, forgedLines, expected]) => {
    const report = await verified(forged(forgedLines, trust, signing), { trust })
    expect(report.ok).toBe(false)
    expect(report.fault).toMatchObject(expected)
  },
)

function strangerSigned(message: string): Uint8Array {
  const body = Buffer.from(message, 'base64').subarray(73)
  return signMessage({ kind: 'usage', recipient: cloudId, body, key: newKey() })
}

/** The second gateway with the streams of the first. */
function twoMixed(): EvidenceLine[] {
  const ofSecond = at('gateway', 1).index
  const records = lines.slice(at('stream').index, ofSecond)
  const [head, keyset] = lines
  const registered = at('gateway', 1).line
  const contents = lines.filter((line) => line.t === 'contents' && line.gateway === other.id)
  return [head, keyset, ...contents, registered, ...records].filter((line) => line !== undefined)
}

function lowered({ registers }: SealedRecord['record']): object {
  return { registers: registers.map((register) => ({ ...register, end: 0n })) }
}

function strayed({ record }: SealedRecord): SealedRecord {
  return sealRecord({ ...record, prev: stream?.head ?? record.prev })
}

function foreignBytes(): string {
  const foreign = stream?.records.find(({ record }) => record.org === 'borealis')
  return base64(foreign?.bytes ?? sealRecord(usageRecord({})).bytes)
}
