import { expect, test } from 'vitest'
import { writeEvidence } from '../../../cloud-sync/evidence/index.ts'
import type { EvidenceLine } from '../../../cloud-sync/evidence/lines.ts'
import type { GatewayId } from '../../../cloud-sync/contract/index.ts'
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
} from '../../support/evidence-file.ts'
import { evidenceWorld } from '../../support/evidence-world.ts'

const world = evidenceWorld({ records: 12 })
const trust = world.root.publicKey
const lines = linesOf(await world.file())
const [first, second] = world.gateways
const lastEpoch = second?.streams.at(-1)?.epoch
const cut = shortened(lines)
const kept = lineAt(cut, 'stream', 3).line.upTo

/** Each is well framed and well sealed, as by somebody in the cloud who has its key: it only lacks something. */
const cases: [string, EvidenceLine[], object][] = [
  ["one gateway's lines taken out", withoutLastGateway(lines), { gateway: 'GW-2', epoch: null, seq: null }],
  [
    "the first gateway's lines taken out",
    [...lines.slice(0, lineAt(lines, 'gateway').index), ...lines.slice(lineAt(lines, 'gateway', 1).index)],
    { gateway: 'GW-1', epoch: null, seq: null },
  ],
  ['an epoch taken out', withoutLastEpoch(lines), { gateway: 'GW-2', epoch: lastEpoch, seq: null }],
  ['an epoch cut short', cut, { gateway: 'GW-2', epoch: lastEpoch, seq: kept + 1 }],
  [
    'another chain than the one that is listed',
    replaced(
      lineAt(lines, 'contents').index,
      { ...lineAt(lines, 'contents').line, head: lineAt(lines, 'contents', 1).line.head },
      lines,
    ),
    { gateway: 'GW-1', seq: 12 },
  ],
  ['a gateway that is not listed', unlisted(lines, 'GW-2'), { gateway: 'GW-2' }],
  ['a gateway that nobody asked for', askedFor(lines, ['GW-1']), { what: 'contents' }],
  ['one that was asked for and is not there', askedFor(lines, ['GW-1', 'GW-2', 'GW-3']), { gateway: 'GW-3' }],
  [
    'an epoch that is listed twice',
    lines.flatMap((line): EvidenceLine[] => (line.t === 'contents' ? [line, line] : [line])),
    { what: 'contents' },
  ],
]

test.for(cases)(
  '%s is found out, though every line is framed and sealed well',
  async ([, forgedLines, expected]) => {
    const report = await verified(forged(forgedLines, trust, world.signing), { trust })
    expect(report.ok).toBe(false)
    expect(report.fault).toMatchObject({ what: 'contents', ...expected })
  },
)

test('a file tells which filter it was written by, and how much it contains', async () => {
  const gateways = world.order().gateways.slice(0, 1)
  const only = gateways.map(({ id }) => id)
  expect(await verified(await world.file({ only, gateways }))).toMatchObject({
    ...{ ok: true, only: ['GW-1'], contents: { gateways: 1, streams: 2 } },
  })
  expect(await verified(await world.file())).toMatchObject({
    ...{ ok: true, only: null, contents: { gateways: 2, streams: 4 } },
  })
})

test('a gateway that never metered anything is listed too, and cannot be left out', async () => {
  const { source } = world
  const silent = {
    ...source,
    streams: () => Promise.resolve([]),
    stand: () => Promise.resolve({ streams: [], facts: [] }),
  }
  const parts: string[] = []
  for await (const line of writeEvidence(silent, world.order())) parts.push(line)
  const file = Buffer.from(parts.join(''))
  expect(await verified(file)).toMatchObject({ ok: true, contents: { gateways: 2, streams: 0 } })
  const less = forged(withoutLastGateway(linesOf(file)), trust, world.signing)
  expect((await verified(less)).fault).toMatchObject({ what: 'contents', gateway: 'GW-2' })
})

test('a ledger that grows while the file is written gives a sound one: more records, and a new epoch', async () => {
  const { source } = world
  const growing = {
    ...source,
    // As it was before the last message of the first epoch came, and the second epoch began.
    streams: (id: GatewayId) => {
      const streams = (id === first?.gateway.id ? first : second)?.streams ?? []
      return Promise.resolve(
        streams.slice(0, 1).map((stream) => {
          const { last: upTo = 0 } = stream.messages.at(-2) ?? {}
          return { ...stream, upTo, head: stream.records[upTo - 1]?.hash ?? stream.head }
        }),
      )
    },
  }
  const parts: string[] = []
  for await (const line of writeEvidence(growing, world.order())) parts.push(line)
  const report = await verified(Buffer.from(parts.join('')), { trust })
  expect(report.fault).toBeNull()
  expect(report.contents).toEqual({ gateways: 2, streams: 2 })
  expect(report.streams.map(({ upTo }) => upTo)).toEqual([12, 12, 12, 12])
})
