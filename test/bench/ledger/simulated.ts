import type { SealedRecord } from '../../../cloud-sync/contract/index.ts'
import {
  Epoch,
  type GatewayId,
  type Hash,
  upTopic,
  UsageRecord,
  ZERO_HASH,
} from '../../../cloud-sync/contract/index.ts'
import { encodeUsageBatch, sealRecord, shardOf } from '../../../cloud-sync/codec/index.ts'
import { fakeGateway } from '../../support/fake-gateway.ts'

export const CLOUD_ID = '0123456789abcdef'
export const EPOCH = Epoch.parse('a'.repeat(32))
export const SENSORS = 20
/** Those that move with every reading. */
export const METERS = ['sensor.readings', 'sensor.values', 'sensor.payload_bytes']
/** Registers of a record. */
export const INTERVALS = SENSORS * METERS.length
export const gatewayName = (n: number): GatewayId => `GW-${n}` as GatewayId

/** All simulated gateways sign with one key: what a signature costs does not depend on whose it is. */
const signer = fakeGateway('GW', CLOUD_ID)
export const publicKey = signer.key.publicKey

export interface Message {
  readonly topic: string
  readonly payload: Uint8Array
  readonly sealed: SealedRecord
}

/** One record of 20 sensors in each message, gateways in a shuffled order, each one's records chained. */
export function simulated({ gateways, records }: { gateways: number; records: number }): Message[] {
  const heads = new Map<number, { seq: number; prev: Hash }>()
  // A step without a common factor visits every gateway before the first again.
  const step = Math.floor(gateways * 0.618) | 1
  return Array.from({ length: records }, (_, n) => {
    const number = (n * step) % gateways
    const { seq, prev } = heads.get(number) ?? { seq: 1, prev: ZERO_HASH }
    const sealed = sealRecord(recordOf(gatewayName(number), seq, prev))
    heads.set(number, { seq: seq + 1, prev: sealed.hash })
    const id = gatewayName(number)
    const body = encodeUsageBatch({ gw: id, epoch: EPOCH, first: seq, records: [sealed.bytes] })
    return { topic: upTopic(shardOf(id), id, 'usage'), payload: signer.sign('usage', body), sealed }
  })
}

function recordOf(gw: GatewayId, seq: number, prev: Hash): UsageRecord {
  const hour = 3_600_000
  return UsageRecord.parse({
    v: 1,
    gw,
    epoch: EPOCH,
    seq,
    prev,
    kind: 'interval',
    org: 'acme',
    aclVersion: 1,
    registers: Array.from({ length: INTERVALS }, (_, n) => ({
      meter: METERS[n % METERS.length],
      subject: `sensor:tilt-${Math.floor(n / METERS.length)}/main`,
      gen: 0,
      end: BigInt(seq * 360 + n),
      custodian: 'ana',
      workspace: 'w1',
      billable: true,
      q: 0,
    })),
    bootId: 'boot-1',
    time: {
      monoStart: seq * hour,
      monoEnd: (seq + 1) * hour,
      wallStart: 1_790_000_000_000 + seq * hour,
      wallEnd: 1_790_000_000_000 + (seq + 1) * hour,
      clock: 'synced',
      maxErrMs: 20,
      tz: 'UTC',
      day: '2026-11-21',
    },
    event: null,
    corrects: null,
    sw: '0.1.0',
    cfg: 'c1',
  })
}
