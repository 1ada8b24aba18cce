import type { Owner } from '../../agent/metering/index.ts'
import { encodeUsageBatch, generateKeyPair, signingKey, signMessage } from '../../cloud-sync/codec/index.ts'
import type { Epoch, GatewayId, OrgId, Subject } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { MeteredLedger } from '../support/metered-ledger.ts'

const SENSORS = 20
const DAYS = 30
const HOUR_MS = 3_600_000
const POLL_MS = 600_000
/** Bytes of a sensor-day with the interval that a gateway on cellular has. */
const BYTES_MAX = 100
/** A PUBLISH of QoS 1 to `hg1/ab/GW-000123/up/usage` around its payload, and the PUBACK. */
const PACKET_BYTES = 1 + 2 + 2 + 'hg1/ab/GW-000123/up/usage'.length + 2 + 4

export const bench: Bench = {
  what: 'Bytes that usage takes on the wire for each sensor and day: signed batches as they are made, day closes included.',
  run(progress) {
    const result: Record<string, unknown> = { sensors: SENSORS, days: DAYS, bar: BYTES_MAX }
    for (const [name, intervalMs, isCellular] of [
      ['day', 24 * HOUR_MS, true],
      ['dayWithoutCellular', 24 * HOUR_MS, false],
      ['hour', HOUR_MS, false],
    ] as const) {
      const bytes = sensorDayBytes(intervalMs, isCellular)
      progress(`${name}: ${bytes.toFixed(1)} bytes a sensor-day`)
      result[`bytesASensorDayAtInterval_${name}`] = Math.round(bytes * 10) / 10
    }
    result['withinBar'] = Number(result['bytesASensorDayAtInterval_day']) <= BYTES_MAX
    return Promise.resolve(result)
  },
}

const owner: Owner = {
  org: 'acme' as OrgId,
  ownerEpoch: 1,
  custodian: 'ana' as never,
  workspace: 'north-dam' as never,
}
const sensors = Array.from({ length: SENSORS }, (_, n) => `sensor:piezometer-${String(n)}/main` as Subject)
const src = {
  ...{ iface: 'wwan0', ifindex: 4, iccid: '8949000000000000001' },
  ...{ mccmnc: '26201', roaming: false, rat: 'lte' },
}

/** Every message is sent as soon as there is something to send: nothing is saved by waiting. */
function sensorDayBytes(intervalMs: number, isCellular: boolean): number {
  const gateway = new MeteredLedger({ intervalMs })
  const key = signingKey(generateKeyPair().privateKey)
  let sent = 0
  let bytes = 0
  try {
    for (let passed = 0; passed < DAYS * 24 * HOUR_MS; passed += POLL_MS) {
      gateway.machine.pass(POLL_MS)
      if (isCellular) countLink(gateway)
      gateway.commit(sensors.map((subject) => ({ subject, owner, count: 3 })))
      const records = gateway.recordsAfter(sent)
      if (records.length === 0) continue
      const batch = { gw: 'GW-1' as GatewayId, epoch: 'e'.repeat(32) as Epoch, first: sent + 1, records }
      const body = encodeUsageBatch(batch)
      bytes += signMessage({ kind: 'usage', recipient: key.keyId, body, key }).length + PACKET_BYTES
      sent += records.length
    }
  } finally {
    gateway.close()
  }
  return bytes / (SENSORS * DAYS)
}

/** What a link carries in ten minutes, by who pays it. */
function countLink(gateway: MeteredLedger): void {
  const link = 'link:8949000000000000001' as Subject
  const evidence = { subject: link, owner, src, billable: false }
  gateway.ledger.count([
    { ...evidence, meter: 'cell.rx', by: 900n },
    { ...evidence, meter: 'cell.tx', by: 2_300n },
    { meter: 'cell.alloc', subject: link, owner, src, by: 1_200n },
    ...sensors.map((subject) => ({ meter: 'cell.alloc' as const, subject, owner, src, by: 100n })),
  ])
}
