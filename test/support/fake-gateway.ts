import {
  type ChannelDef,
  type Epoch,
  type GatewayId,
  GatewayStatus,
  type Hash,
  type RegisterEnd,
  type SealedRecord,
  type SignedKind,
  type Stream,
  type StoredReading,
  UsageRecord,
  ZERO_HASH,
} from '../../cloud-sync/contract/index.ts'
import {
  encodeEventBatch,
  encodeReadingBatch,
  encodeUsageBatch,
  generateKeyPair,
  sealRecord,
  sha256,
  type SigningKey,
  signingKey,
  signMessage,
} from '../../cloud-sync/codec/index.ts'

/** A gateway as the cloud sees it: a key, chains, and bytes. Knows nothing of agent/. */
export interface FakeGateway {
  readonly id: GatewayId
  readonly key: SigningKey
  /** A signed message as it travels. */
  sign(kind: SignedKind, body: Uint8Array): Uint8Array
  /** Base64 of the signed static login. */
  password(): string
}

export function fakeGateway(id: string, cloudId: string): FakeGateway {
  const key = signingKey(generateKeyPair().privateKey)
  const sign = (kind: SignedKind, body: Uint8Array): Uint8Array =>
    signMessage({ kind, recipient: cloudId, body, key })
  return {
    id: id as GatewayId,
    key,
    sign,
    password: () => Buffer.from(sign('login', Buffer.from(id))).toString('base64'),
  }
}

export const epochOf = (digit: string): Epoch => digit.repeat(32) as Epoch

/** `count` chained usage records; each sensor's reading register grows by `step`. */
export function usageChain(chain: {
  gateway: GatewayId
  epoch: Epoch
  count: number
  prev?: Hash
  first?: number
  org?: string
  step?: bigint
  from?: bigint
  gen?: number
  day?: string | null
}): SealedRecord[] {
  const { gateway, epoch, count, first = 1, org = 'acme', step = 7n, gen = 0, day = '2026-11-21' } = chain
  const records: SealedRecord[] = []
  let prev = chain.prev ?? ZERO_HASH
  let end = chain.from ?? 0n
  for (let seq = first; seq < first + count; seq += 1) {
    end += step
    const sealed = sealRecord(
      usageRecord({ gw: gateway, epoch, seq, prev, org, day, registers: [register(end, gen)] }),
    )
    records.push(sealed)
    prev = sealed.hash
  }
  return records
}

const register = (end: bigint, gen: number): RegisterEnd =>
  ({
    meter: 'sensor.readings',
    subject: 'sensor:tilt-1/main',
    gen,
    end,
    custodian: null,
    workspace: null,
    billable: true,
    q: 0,
  }) as RegisterEnd

export function usageRecord(fields: Record<string, unknown> & { day?: string | null }): UsageRecord {
  const { day = '2026-11-21', ...rest } = fields
  return UsageRecord.parse({
    v: 1,
    kind: 'interval',
    org: 'acme',
    aclVersion: 1,
    registers: [],
    bootId: 'boot-1',
    time: {
      monoStart: 0,
      monoEnd: 1,
      wallStart: 0,
      wallEnd: 1,
      clock: 'synced',
      maxErrMs: 0,
      tz: 'UTC',
      day,
    },
    event: null,
    corrects: null,
    sw: '0.1.0',
    cfg: 'c1',
    ...rest,
  })
}

export const usageBody = (records: readonly SealedRecord[]): Uint8Array => {
  const [first] = records
  if (first === undefined) throw new Error('no records')
  return encodeUsageBatch({
    gw: first.record.gw,
    epoch: first.record.epoch,
    first: first.record.seq,
    records: records.map(({ bytes }) => bytes),
  })
}

/** `count` chained reading batches of `each` readings; channel 1 is acme's, channel 2 is borealis's. */
export function readingChain(chain: {
  gateway: GatewayId
  epoch: Epoch
  count: number
  each?: number
  startAt?: number
}): { body: Uint8Array; hash: Hash; readings: StoredReading[] }[] {
  const { gateway, epoch, count, each = 4, startAt = 1_700_000_000_000 } = chain
  const batches: { body: Uint8Array; hash: Hash; readings: StoredReading[] }[] = []
  let prev: Hash = ZERO_HASH
  for (let seq = 1; seq <= count; seq += 1) {
    const readings = Array.from({ length: each }, (_, index): StoredReading => {
      const n = (seq - 1) * each + index
      const isBad = n % 11 === 10
      return {
        channel: 1 + (n % 2),
        takenAt: startAt + n * 1000,
        value: isBad ? null : n / 100,
        quality: isBad ? 'bad' : 'good',
        reason: isBad ? 'timeout' : null,
      }
    })
    const defs = seq === 1 ? [channelDef(1, 'tilt-1', 'acme'), channelDef(2, 'level-1', 'borealis')] : []
    const body = encodeReadingBatch({ v: 1, gw: gateway, epoch, seq, prev, defs, readings }, () => ({
      step: 1,
      digits: 2,
    }))
    prev = sha256(body)
    batches.push({ body, hash: prev, readings })
  }
  return batches
}

export const channelDef = (no: number, device: string, org: string): ChannelDef =>
  ({
    no,
    device,
    sensor: 'main',
    channel: 'value',
    unit: 'mm',
    resolution: { step: 1, digits: 2 },
    derived: false,
    org,
    ownerEpoch: 1,
  }) as ChannelDef

export const eventBody = (
  gateway: GatewayId,
  epoch: Epoch,
  first: number,
  kinds: readonly string[],
): Uint8Array =>
  encodeEventBatch({
    v: 1,
    gw: gateway,
    epoch,
    first,
    events: kinds.map((kind) => ({ at: 1, kind, detail: {} })),
  })

/** `up/status` naming one epoch for the given streams. */
export const statusOf = (
  streams: Partial<Record<Stream, { epoch: Epoch; parent: Epoch | null }>>,
): GatewayStatus =>
  GatewayStatus.parse({
    online: true,
    streams: Object.fromEntries(
      Object.entries(streams).map(([stream, { epoch, parent }]) => [
        stream,
        { epoch, parent, next: 1, oldest: 1 },
      ]),
    ),
  })
