import { ChannelDef, type Resolution, type StoredReading } from '../../cloud-sync/contract/index.ts'

/**
 * The common workload for size and speed figures: deterministic readings of slowly varying geotechnical sensors.
 * 20 vibrating-wire sensors with 3 channels each (frequency in Hz, temperature in Cel, battery in V), one sample a
 * minute, resolution 0.01. Frequency: noise of sigma 0.02 on a random walk of 0.015 a minute; temperature: noise of
 * sigma 0.02 on a daily sine of 4 Cel; battery: noise of sigma 0.003.
 */
export const CHANNELS = [
  { name: 'freq', unit: 'Hz' },
  { name: 'temp', unit: 'Cel' },
  { name: 'batt', unit: 'V' },
] as const
export const SENSORS = 20
const RESOLUTION: Resolution = { step: 1, digits: 2 }

export interface WorkloadOptions {
  readonly minutes: number
  readonly start?: number
  readonly seed?: number
  /** 0 = exact minute grid, 40 = real polling: each sensor at its own offset, up to 40 ms late. */
  readonly jitterMs?: number
  /** True = the full double instead of its rounding to 0.01. */
  readonly fullPrecision?: boolean
}

interface Sensor {
  freq: number
  readonly temp: number
  batt: number
  readonly phase: number
}

/** The readings in the order of taking; channel numbers from 1, three a sensor. */
export function* workload(options: WorkloadOptions): Generator<StoredReading> {
  const { minutes, start = Date.UTC(2026, 10, 21), jitterMs = 0, fullPrecision = false } = options
  const random = xorshift(options.seed ?? 123456789)
  const normal = (): number => {
    let sum = 0
    for (let i = 0; i < 6; i += 1) sum += random()
    return (sum - 3) / 0.7071
  }
  const sensors = Array.from({ length: SENSORS }, (): Sensor => {
    const freq = 2600 + random() * 600
    const temp = 12 + random() * 6
    const batt = 3.4 + random() * 0.3
    return { freq, temp, batt, phase: random() * 0.4 }
  })
  for (let minute = 0; minute < minutes; minute += 1) {
    const day = (minute % 1440) / 1440
    for (const [index, sensor] of sensors.entries()) {
      sensor.freq += normal() * 0.015
      sensor.batt -= 1e-6
      const values = [
        sensor.freq + normal() * 0.02,
        sensor.temp + 4 * Math.sin(2 * Math.PI * (day + sensor.phase)) + normal() * 0.02,
        sensor.batt + normal() * 0.003,
      ]
      const late = jitterMs === 0 ? 0 : Math.round(index * 350 + random() * jitterMs)
      const takenAt = start + minute * 60_000 + late
      for (const [channel, exact] of values.entries()) {
        const value = fullPrecision ? exact : Math.round(exact * 100) / 100
        yield { channel: index * 3 + channel + 1, takenAt, value, quality: 'good', reason: null }
      }
    }
  }
}

/** What the channel numbers of the workload stand for. */
export function workloadDefs(resolution: Resolution | null = RESOLUTION): ChannelDef[] {
  return Array.from({ length: SENSORS * CHANNELS.length }, (_, index) => {
    const channel = CHANNELS[index % CHANNELS.length] ?? CHANNELS[0]
    return ChannelDef.parse({
      no: index + 1,
      device: `piezometer-${String(Math.floor(index / CHANNELS.length) + 1)}`,
      sensor: 'main',
      channel: channel.name,
      unit: channel.unit,
      resolution,
      derived: false,
      org: 'acme',
      ownerEpoch: 1,
    })
  })
}

function xorshift(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 4294967296
  }
}
