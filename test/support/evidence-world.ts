import type { Epoch, GatewayId, Hash, OrgId, SealedRecord } from '../../cloud-sync/contract/index.ts'
import { Epoch as EpochId, ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import {
  cloudIdOf,
  encodeUsageBatch,
  generateKeyPair,
  sealKeyset,
  sealRecord,
  type SigningKey,
  signingKey,
} from '../../cloud-sync/codec/index.ts'
import {
  type EvidenceFact,
  type EvidenceOrder,
  type EvidenceSource,
  type EvidenceStream,
  writeEvidence,
} from '../../cloud-sync/evidence/index.ts'
import { type FakeGateway, fakeGateway, usageRecord } from './fake-gateway.ts'

const ORGS = ['acme', 'borealis'] as const
const METERS = ['sensor.readings', 'sensor.payload_bytes'] as const
const LINK_METERS = ['cell.rx', 'cell.tx'] as const

/** Mulberry32: the same numbers every time, from 0 to below `below`. */
export function seededNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

export interface WorldStream extends EvidenceStream {
  readonly records: readonly SealedRecord[]
  /** Signed messages; every fifth overlaps the one before, as after a reconnect. */
  readonly messages: readonly {
    readonly first: number
    readonly last: number
    readonly message: Uint8Array
  }[]
}

export interface WorldGateway {
  readonly gateway: FakeGateway
  readonly streams: readonly WorldStream[]
  /** What was really used: the truth that sums are held to. */
  readonly facts: ReadonlyMap<string, EvidenceFact>
}

export interface EvidenceWorld {
  readonly root: SigningKey
  readonly signing: SigningKey
  readonly keyset: Uint8Array
  readonly cloudId: string
  readonly gateways: readonly WorldGateway[]
  readonly source: EvidenceSource
  order(asked?: Partial<Pick<EvidenceOrder, 'scope' | 'period' | 'only' | 'gateways'>>): EvidenceOrder
  file(asked?: Partial<Pick<EvidenceOrder, 'scope' | 'period' | 'only' | 'gateways'>>): Promise<Buffer>
}

const ALL = { scope: { of: 'operator' }, period: { from: null, to: null } } as const

/**
 * Gateways with two epochs each and the records of two organisations in turn, some without a day that a later record
 * gives them: bytes as the codec makes them, nothing of the ledger.
 */
export function evidenceWorld({
  gateways = 2,
  records = 40,
  seed = 1,
  lone = [],
  sim,
  to,
}: {
  readonly gateways?: number
  readonly records?: number
  readonly seed?: number
  /** Gateways, by number from 1, that only acme has something on. */
  readonly lone?: readonly number[]
  /** ICCID of a SIM that acme's records also count bytes on. */
  readonly sim?: string
  /** Whom they send to; without it the world's own cloud. */
  readonly to?: string
} = {}): EvidenceWorld {
  const random = seededNumbers(seed)
  const [root, signing] = [newKey(), newKey()]
  const cloudId = to ?? cloudIdOf(root.publicKey)
  const keyset = sealKeyset({ v: 2, generation: 1, version: 1, keys: [signing.publicKey] }, root)
  const made = Array.from({ length: gateways }, (_, index) => {
    const gateway = fakeGateway(`GW-${index + 1}`, cloudId)
    return worldGateway(gateway, { records, random, sim, orgs: lone.includes(index + 1) ? ['acme'] : ORGS })
  })
  const keys = { rootPublicKey: root.publicKey, keyset, signing }
  const known = made.map(({ gateway }) => ({ id: gateway.id, publicKey: gateway.key.publicKey }))
  const source = sourceOf(made)
  const order: EvidenceWorld['order'] = (asked) => ({ ...ALL, only: null, gateways: known, keys, ...asked })
  const file: EvidenceWorld['file'] = async (asked) => {
    const parts: string[] = []
    for await (const line of writeEvidence(source, order(asked))) parts.push(line)
    return Buffer.from(parts.join(''))
  }
  return { root, signing, keyset, cloudId, gateways: made, source, order, file }
}

export const newKey = (): SigningKey => signingKey(generateKeyPair().privateKey)

interface Making {
  readonly records: number
  readonly random: (below: number) => number
  readonly orgs: readonly string[]
  readonly sim: string | undefined
}

function worldGateway(gateway: FakeGateway, making: Making): WorldGateway {
  const facts = new Map<string, EvidenceFact>()
  const streams: WorldStream[] = []
  let parent: Epoch | null = null
  for (let life = 0; life < 2; life += 1) {
    const epoch = EpochId.parse(
      Array.from({ length: 32 }, () => '0123456789abcdef'[making.random(16)]).join(''),
    )
    const records = chainOf(gateway, { epoch, gen: life, making, facts })
    streams.push({
      epoch,
      parent,
      upTo: records.length,
      head: records.at(-1)?.hash ?? ZERO_HASH,
      state: 'open',
      records,
      messages: messagesOf(gateway, epoch, records, making.random),
    })
    parent = epoch
  }
  return { gateway, streams, facts }
}

interface Chain {
  readonly epoch: Epoch
  readonly gen: number
  readonly making: Making
  readonly facts: Map<string, EvidenceFact>
}

interface Undated {
  readonly seq: number
  readonly org: string
  readonly moved: readonly Moved[]
}

function chainOf(gateway: FakeGateway, { epoch, gen, making, facts }: Chain): SealedRecord[] {
  const ends = new Map<string, bigint>()
  const records: SealedRecord[] = []
  let prev: Hash = ZERO_HASH
  const undated: Undated[] = []
  for (let seq = 1; seq <= making.records; seq += 1) {
    const corrected = making.random(4) === 0 ? undated.shift() : undefined
    const used = corrected ?? useOf({ seq, gen, ends, ...making })
    const isUndated = corrected === undefined && making.random(6) === 0
    const day = isUndated ? null : dayAt(Math.floor(seq / 8))
    const sealed = sealRecord(
      usageRecord({
        ...{ gw: gateway.id, epoch, seq, prev, org: used.org, day },
        ...(corrected === undefined
          ? { registers: used.moved.map(({ register }) => register) }
          : { kind: 'day_assign', corrects: corrected.seq }),
      }),
    )
    records.push(sealed)
    prev = sealed.hash
    if (isUndated) undated.push(used)
    else count(facts, used, day)
  }
  for (const used of undated) count(facts, used, null)
  return records
}

interface Moved {
  readonly register: Record<string, unknown> & { readonly meter: string; readonly subject: string }
  readonly by: bigint
}

function useOf({
  seq,
  gen,
  ends,
  random,
  orgs,
  sim,
}: Making & { readonly seq: number; readonly gen: number; readonly ends: Map<string, bigint> }): Undated {
  const org = orgs[random(orgs.length)] ?? 'acme'
  const sensors = [0, 1].flatMap((n) =>
    METERS.map((meter) => ({ meter, subject: `sensor:${org}-${n}/main` })),
  )
  const links =
    sim === undefined || org !== 'acme' ? [] : LINK_METERS.map((meter) => ({ meter, subject: `link:${sim}` }))
  const moved = [...sensors, ...links].map(({ meter, subject }): Moved => {
    // Beyond what a double holds exactly.
    const by = random(5) === 0 ? 0n : BigInt(random(1_000_000)) * 4_000_000_007n
    const end = (ends.get(`${meter} ${subject}`) ?? 0n) + by
    ends.set(`${meter} ${subject}`, end)
    const payer = { custodian: subject.includes('-0/') ? 'ana' : null, workspace: null, billable: true }
    return { register: { meter, subject, gen, end, ...payer, q: 0 }, by }
  })
  return { seq, org, moved }
}

function count(facts: Map<string, EvidenceFact>, { org, moved }: Undated, day: string | null): void {
  for (const { register, by } of moved) {
    if (by === 0n) continue
    const { meter, subject, custodian, workspace, billable } = register as unknown as EvidenceFact
    const named = { org: org as OrgId, day, subject, meter, custodian, workspace, billable, network: null }
    const name = JSON.stringify(named)
    facts.set(name, { ...named, quantity: (facts.get(name)?.quantity ?? 0n) + by })
  }
}

const dayAt = (number: number): string => `2026-11-${String(1 + (number % 28)).padStart(2, '0')}`

function messagesOf(
  gateway: FakeGateway,
  epoch: Epoch,
  records: readonly SealedRecord[],
  random: (below: number) => number,
): WorldStream['messages'] {
  const messages: { first: number; last: number; message: Uint8Array }[] = []
  for (let next = 1; next <= records.length; ) {
    const first = messages.length % 5 === 4 ? Math.max(1, next - 2) : next
    const last = Math.min(records.length, next + random(4))
    const part = records.slice(first - 1, last).map(({ bytes }) => bytes)
    const body = encodeUsageBatch({ gw: gateway.id, epoch, first, records: part })
    messages.push({ first, last, message: gateway.sign('usage', body) })
    next = last + 1
  }
  return messages
}

/** The truth as a ledger would give it. */
function sourceOf(made: readonly WorldGateway[]): EvidenceSource {
  const at = (id: GatewayId): WorldGateway => {
    const found = made.find(({ gateway }) => gateway.id === id)
    if (found === undefined) throw new Error(`no gateway ${id}`)
    return found
  }
  const streamAt = (id: GatewayId, { epoch }: EvidenceStream): WorldStream => {
    const found = at(id).streams.find((stream) => stream.epoch === epoch)
    if (found === undefined) throw new Error(`no epoch ${epoch}`)
    return found
  }
  return {
    streams: (id) => Promise.resolve(at(id).streams),
    stand(id, { org, from, to }) {
      const isAsked = ({ org: owner, day }: EvidenceFact): boolean =>
        (org === null || owner === org) &&
        ((from === null && to === null) ||
          (day !== null && (from === null || day >= from) && (to === null || day <= to)))
      const streams = at(id).streams.map(({ epoch, parent, upTo, head, state }) => ({
        epoch,
        parent,
        upTo,
        head,
        state,
      }))
      return Promise.resolve({ streams, facts: [...at(id).facts.values()].filter(isAsked) })
    },
    async *batches(id, stream) {
      for (const { message } of streamAt(id, stream).messages) yield await Promise.resolve(message)
    },
    async *records(id, stream, { first, last }) {
      for (const { bytes } of streamAt(id, stream).records.slice(first - 1, last))
        yield await Promise.resolve(bytes)
    },
    losses: () => Promise.resolve([]),
    receipts: () => Promise.resolve([]),
  }
}
