import type { ReadChannel, Table } from '../modbus/index.ts'
import { registersOf } from '../modbus/index.ts'
import type { Channel, Profile } from '../profile/index.ts'
import { Memory } from './memory.ts'
import { createModel, type Motion } from './model.ts'
import { seededRandom, seedFor } from './seeded.ts'

/** What a scenario says of a channel's motion; the rest follows from the profile's examples and ranges. */
export interface MotionEntry {
  readonly centre?: number | undefined
  readonly swing?: number | undefined
  /** Milliseconds. */
  readonly period?: number | undefined
  readonly noise?: number | undefined
}

export interface ContentOptions {
  readonly profile: Profile
  readonly seed: number
  readonly motions: Readonly<Record<string, MotionEntry>>
  /** Channel that carries the count of answers; null = none. */
  readonly counter: string | null
}

const HOUR_MS = 3_600_000
/** Share of its usual value that a quantity moves slowly, and by noise, where the scenario says nothing. */
const USUAL_SWING = 0.02
const USUAL_NOISE = 0.001

type Source = (elapsedMs: number) => number | bigint | string

interface Part {
  readonly channel: Channel
  readonly read: ReadChannel
  readonly source: Source
}

/** What the registers of a simulated device hold: values that move, the count of answers, places a poll writes to. */
export class Content {
  readonly memory = new Memory()
  readonly #parts: readonly Part[]
  readonly #counter: ReadChannel | null
  /** Answers that carried the counter so far. */
  count = 0

  constructor(options: ContentOptions) {
    const { profile, counter } = options
    this.#parts = profile.channels.flatMap((channel) =>
      channel.read === null || channel.id === counter
        ? []
        : [{ channel, read: channel.read, source: sourceOf(channel, options) }],
    )
    this.#counter = profile.channels.find((channel) => channel.id === counter)?.read ?? null
    for (const { read } of this.#parts) this.#define(read)
    if (this.#counter !== null) this.#define(this.#counter)
    this.#defineWritten(profile)
    this.#defineIdentity(profile)
  }

  /** True where a read of these places carries the counter. */
  carriesCounter(table: Table, address: number, count: number): boolean {
    return this.#counter !== null && meets(this.#counter, table, { address, count })
  }

  /** Brings these places up to date. */
  refresh(place: { table: Table; address: number; count: number }, elapsedMs: number): void {
    for (const { channel, read, source } of this.#parts) {
      if (meets(read, place.table, place))
        this.memory.store(read, wireValue(channel, read, source(elapsedMs)))
    }
    if (this.#counter !== null) this.memory.store(this.#counter, this.count)
  }

  #define(read: ReadChannel): void {
    this.memory.define(read.table, read.address, registersOf(read.value))
  }

  #defineWritten(profile: Profile): void {
    for (const step of profile.cycle) {
      if (step.kind === 'wait') continue
      const { request } = step
      const table = request.fn === 5 || request.fn === 15 ? 'coil' : 'holding'
      this.memory.define(table, request.address, 'values' in request ? request.values.length : 1)
    }
  }

  #defineIdentity({ identify }: Profile): void {
    if (identify === null || this.memory.has(identify.read.table, identify.read.address, 1)) return
    this.#define(identify.read)
    this.memory.store(identify.read, identify.least)
  }
}

function meets(read: ReadChannel, table: Table, place: { address: number; count: number }): boolean {
  const end = read.address + registersOf(read.value)
  return read.table === table && read.address < place.address + place.count && end > place.address
}

function sourceOf(channel: Channel, { profile, seed, motions }: ContentOptions): Source {
  const typical = profile.typical[channel.id]
  const entry = motions[channel.id]
  if (entry === undefined && (typeof typical === 'string' || typeof typical === 'bigint'))
    return () => typical
  const usual = usualMotion(channel, typeof typical === 'number' ? typical : undefined)
  const motion = changed(usual, entry ?? {})
  return createModel(motion, seededRandom(seedFor(seed, channel.id)))
}

const changed = (usual: Motion, entry: MotionEntry): Motion => ({
  centre: entry.centre ?? usual.centre,
  swing: entry.swing ?? usual.swing,
  periodMs: entry.period ?? usual.periodMs,
  noise: entry.noise ?? usual.noise,
})

function usualMotion({ range, resolution, read }: Channel, typical: number | undefined): Motion {
  const centre = typical ?? (range === null ? 0 : (range[0] + range[1]) / 2)
  const grid = resolution === null ? 0 : resolution.step / 10 ** resolution.digits
  // A state, a switch or a bit field is not a quantity: it stays as it is.
  const isState = read?.value.type === 'bool' || (read?.value.bits ?? null) !== null
  if (isState) return { centre, swing: 0, periodMs: HOUR_MS, noise: 0 }
  return {
    centre,
    swing: Math.max(Math.abs(centre) * USUAL_SWING, grid * 10),
    periodMs: HOUR_MS,
    noise: Math.max(Math.abs(centre) * USUAL_NOISE, grid),
  }
}

/** The value as the device encodes it: within its range, scale undone, rounded and held within its type. */
function wireValue(
  channel: Channel,
  read: ReadChannel,
  value: number | bigint | string,
): number | bigint | string {
  if (typeof value !== 'number') return value
  const [least, most] = channel.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  const plain = (Math.min(most, Math.max(least, value)) - channel.offset) / channel.scale
  if (read.value.type.startsWith('float') || read.value.type === 'string') return plain
  const [low, high] = integerLimits(read.value)
  return Math.round(Math.min(high, Math.max(low, plain)))
}

/** The largest double below 2^64 and 2^63 stand for the limits of 64 bits; a model is no more exact than that. */
function integerLimits({ type, bits }: ReadChannel['value']): readonly [number, number] {
  if (type === 'bool') return [0, 1]
  if (type.startsWith('bcd'))
    return [0, Math.min(Number.MAX_SAFE_INTEGER, 10 ** (Number(type.slice(3)) / 4) - 1)]
  const width = bits === null ? Number(type.replace(/\D+/, '')) : bits[1] - bits[0] + 1
  if (type.startsWith('int'))
    return [-(2 ** (width - 1)), Math.min(Number.MAX_SAFE_INTEGER, 2 ** (width - 1) - 1)]
  return [0, Math.min(Number.MAX_SAFE_INTEGER, 2 ** width - 1)]
}
