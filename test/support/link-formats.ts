import { encode as encodeCbor } from 'cbor2'
import sparkplug from 'sparkplug-payload'
import type { ChannelDef, StoredReading } from '../../cloud-sync/contract/index.ts'

type DefOf = (channel: number) => ChannelDef
type Encode = (readings: readonly StoredReading[], defOf: DefOf) => Uint8Array

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const numberOf = ({ value }: StoredReading): number => (typeof value === 'number' ? value : 0)

/** One object a reading, as most gateways post them. */
const json: Encode = (readings, defOf) =>
  utf8(
    readings.map((reading) => {
      const { device, channel, unit } = defOf(reading.channel)
      return { device, channel, unit, t: reading.takenAt, v: reading.value }
    }),
  )

interface SenmlRecord {
  bn?: string
  bt?: number
  n: string
  u: string
  v: number
  t: number
}

/** RFC 8428 used well: a base time once, a base name whenever the device changes, relative seconds. */
function senml(readings: readonly StoredReading[], defOf: DefOf): SenmlRecord[] {
  const base = readings[0]?.takenAt ?? 0
  let before: string | undefined
  return readings.map((reading, index) => {
    const { device, channel: n, unit: u } = defOf(reading.channel)
    const record: SenmlRecord = { n, u, v: numberOf(reading), t: (reading.takenAt - base) / 1000 }
    if (index === 0) record.bt = base / 1000
    if (device !== before) record.bn = `${device}/`
    before = device
    return record
  })
}

/** Labels of RFC 8428, section 6. */
const SENML_LABELS = { bn: -2, bt: -3, n: 0, u: 1, v: 2, t: 6 } as const
const senmlCbor: Encode = (readings, defOf) =>
  encodeCbor(
    senml(readings, defOf).map(
      (record) =>
        new Map(
          Object.entries(record).map(([name, value]: [string, unknown]) => [
            SENML_LABELS[name as keyof typeof SENML_LABELS],
            value,
          ]),
        ),
    ),
  )

/** NDATA; with aliases the names went before, in NBIRTH. */
const sparkplugB =
  (aliases: boolean): Encode =>
  (readings, defOf) => {
    const codec = sparkplug.get('spBv1.0')
    if (codec === null) throw new Error('sparkplug-payload has no spBv1.0')
    return codec.encodePayload({
      timestamp: readings[0]?.takenAt ?? 0,
      seq: 1,
      metrics: readings.map((reading) => {
        const { device, channel } = defOf(reading.channel)
        const name = aliases ? { alias: reading.channel } : { name: `${device}/${channel}` }
        return { ...name, timestamp: reading.takenAt, type: 'Double', value: numberOf(reading) }
      }),
    })
  }

/** What others would send for the same readings. */
export const LINK_FORMATS: Readonly<Record<string, Encode>> = {
  json,
  senmlJson: (readings, defOf) => utf8(senml(readings, defOf)),
  senmlCbor,
  sparkplugB: sparkplugB(false),
  sparkplugBAliases: sparkplugB(true),
}
