import { deflateRawSync } from 'node:zlib'
import {
  cloudIdOf,
  decodeReadingBatch,
  encodeReadingBatch,
  generateKeyPair,
  openMessage,
  sha256,
  signingKey,
  signMessage,
} from '../../cloud-sync/codec/index.ts'
import type { ChannelDef, ReadingBatch, StoredReading } from '../../cloud-sync/contract/index.ts'
import type { Bench } from '../support/harness.ts'
import { LINK_FORMATS } from '../support/link-formats.ts'
import { workload, workloadDefs, type WorkloadOptions } from '../support/workload.ts'

const READINGS = 1_000_000
const TOGETHER = 1000
const CHANNELS = 60
/** The other formats are measured on one batch of this many; they are slow and do not vary. */
const PEERS_ONE_OF = 20
/** The bars: bytes a reading of whole signed messages, by how late readings are. */
export const BARS = { 0: 1.0, 40: 1.3 } as const

const key = signingKey(generateKeyPair().privateKey)
const cloudId = cloudIdOf(signingKey(generateKeyPair().privateKey).publicKey)

export interface Measured {
  /** Bytes a reading of whole signed messages. */
  readonly bytesPerReading: number
  readonly encodedPerSecond: number
  readonly decodedPerSecond: number
  /** Every reading came back exactly. */
  readonly exact: boolean
  /** Bytes a reading of the other formats, as they are and deflated. */
  readonly others: Readonly<Record<string, { readonly plain: number; readonly deflated: number }>>
}

/** Sends `count` readings of the workload in batches as the gateway would, and in the other formats. */
export function measure(count: number, options: Omit<WorkloadOptions, 'minutes'>): Measured {
  const defs = workloadDefs(options.fullPrecision === true ? null : undefined)
  const defOf = (channel: number): ChannelDef => {
    const def = defs[channel - 1]
    if (def === undefined) throw new RangeError(`no channel ${String(channel)}`)
    return def
  }
  const sum = { bytes: 0, readings: 0, encodeMs: 0, decodeMs: 0, peerReadings: 0 }
  const others = Object.keys(LINK_FORMATS).map((name) => ({ name, plain: 0, deflated: 0 }))
  let prev = '0'.repeat(64)
  let exact = true
  let seq = 0
  for (const readings of batches(count, options)) {
    seq += 1
    const batch: ReadingBatch = {
      v: 1,
      gw: 'GW-000123',
      epoch: '5f'.repeat(16),
      seq,
      prev,
      // The cloud learns what the channels are from the first batch.
      defs: seq === 1 ? defs : [],
      readings,
    }
    const started = performance.now()
    const body = encodeReadingBatch(batch, (channel) => defOf(channel).resolution)
    const message = signMessage({ kind: 'rd', recipient: cloudId, body, key })
    sum.encodeMs += performance.now() - started
    prev = sha256(body)
    sum.bytes += message.length
    sum.readings += readings.length
    const received = performance.now()
    const back = receive(message)
    sum.decodeMs += performance.now() - received
    exact &&= isSame(back, readings)
    if (seq % PEERS_ONE_OF !== 1) continue
    sum.peerReadings += readings.length
    for (const other of others) {
      const bytes = LINK_FORMATS[other.name]?.(readings, defOf) ?? new Uint8Array()
      other.plain += bytes.length
      other.deflated += deflateRawSync(bytes, { level: 9 }).length
    }
  }
  const each = (bytes: number): number => Number((bytes / sum.peerReadings).toFixed(2))
  return {
    bytesPerReading: Number((sum.bytes / sum.readings).toFixed(3)),
    encodedPerSecond: Math.round((sum.readings / sum.encodeMs) * 1000),
    decodedPerSecond: Math.round((sum.readings / sum.decodeMs) * 1000),
    exact,
    others: Object.fromEntries(
      others.map(({ name, plain, deflated }) => [name, { plain: each(plain), deflated: each(deflated) }]),
    ),
  }
}

function* batches(count: number, options: Omit<WorkloadOptions, 'minutes'>): Generator<StoredReading[]> {
  let batch: StoredReading[] = []
  let left = count
  for (const reading of workload({ ...options, minutes: Math.ceil(count / CHANNELS) })) {
    if (left === 0) break
    left -= 1
    batch.push(reading)
    if (batch.length < TOGETHER) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function receive(message: Uint8Array): readonly StoredReading[] {
  const opened = openMessage({
    kind: 'rd',
    recipient: cloudId,
    message,
    publicKeyFor: () => key.publicKey,
  })
  return opened.ok ? decodeReadingBatch(opened.body).readings : []
}

/** By channel, in each channel as given: every field the same, -0 told from 0. */
function isSame(back: readonly StoredReading[], readings: readonly StoredReading[]): boolean {
  const expected = readings.toSorted((a, b) => a.channel - b.channel)
  return (
    back.length === expected.length &&
    expected.every((reading, at) => {
      const other = back[at]
      return (
        other?.channel === reading.channel &&
        other.takenAt === reading.takenAt &&
        Object.is(other.value, reading.value) &&
        other.quality === reading.quality &&
        other.reason === reading.reason
      )
    })
  )
}

const ratios = ({ bytesPerReading, others }: Measured): Record<string, number> =>
  Object.fromEntries(
    Object.entries(others).flatMap(([name, { plain, deflated }]) => [
      [name, Number((plain / bytesPerReading).toFixed(1))],
      [`${name}Deflated`, Number((deflated / bytesPerReading).toFixed(1))],
    ]),
  )

export const bench: Bench = {
  what: 'Bytes a reading on the link, whole signed messages of 1,000 readings, beside other formats.',
  run: (progress) => {
    const failures: string[] = []
    const figures: Record<string, unknown> = {}
    for (const jitterMs of [0, 40] as const) {
      progress(`${String(READINGS)} readings, late by up to ${String(jitterMs)} ms`)
      const measured = measure(READINGS, { jitterMs })
      figures[`jitterMs${String(jitterMs)}`] = { ...measured, timesSmaller: ratios(measured) }
      if (!measured.exact) failures.push(`jitterMs ${String(jitterMs)}: not every reading came back exactly.`)
      if (measured.bytesPerReading > BARS[jitterMs]) {
        failures.push(`jitterMs ${String(jitterMs)}: more than ${String(BARS[jitterMs])} bytes a reading.`)
      }
    }
    progress('the same with noisy full-precision doubles (reported only)')
    const noisy = measure(READINGS / 10, { jitterMs: 40, fullPrecision: true })
    figures['fullPrecision'] = { ...noisy, timesSmaller: ratios(noisy) }
    return Promise.resolve({ readings: READINGS, together: TOGETHER, ...figures, failures })
  },
}
