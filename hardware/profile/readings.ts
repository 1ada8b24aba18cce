import type { RawValue } from '../protocol.ts'
import type { Reading, Reason, Value } from '../reading.ts'
import { type Calibration, calibrationAt } from './calibration.ts'
import { linear, quantise } from './decimal.ts'
import { evaluate, usesOf } from './expression/evaluate.ts'
import type { NeighbourRef, Node } from './expression/parse.ts'
import type { Channel, Profile } from './profile.ts'

/** The last value of a channel of another device. */
export interface NeighbourValue {
  readonly value: Value
  /** Epoch ms. */
  readonly takenAt: number
}

export interface PollResult {
  readonly device: string
  /** Bus address; expressions may use it. */
  readonly address: number
  /** When the request had been sent, epoch ms. */
  readonly takenAt: number
  /** What `Protocol.decode` gave. */
  readonly raw: readonly RawValue[]
  /** Channels of exchanges that brought nothing, and why. */
  readonly failed: ReadonlyMap<string, Reason>
  readonly calibrations: readonly Calibration[]
  /** The newest good value of a channel of another device; undefined where there is none. */
  readonly neighbour: (ref: NeighbourRef) => NeighbourValue | undefined
}

/** Why a derived value cannot be had; thrown and caught within this file. */
class Unavailable extends Error {
  readonly reason: Reason
  constructor(reason: Reason) {
    super(reason)
    this.reason = reason
  }
}

/**
 * One reading for every channel that was asked, and for every derived one whose sources were: sentinel, scale,
 * calibration, derivation, grid, range, alarm. Nothing is left out: what cannot be had is there with its reason.
 */
export function readingsOf(profile: Profile, poll: PollResult): Reading[] {
  const raws = new Map(poll.raw.map((raw) => [raw.channel, raw]))
  const asked = (id: string): boolean => raws.has(id) || poll.failed.has(id)
  const calibration = calibrationAt(poll.calibrations, poll.takenAt)
  const readings = new Map<string, Reading>()
  for (const channel of profile.channels) {
    if (!channel.sources.every(asked)) continue
    const reading =
      channel.expression === null
        ? readReading(channel, poll, raws.get(channel.id))
        : derivedReading({ channel, node: channel.expression, profile, poll, calibration, readings })
    readings.set(channel.id, reading)
  }
  return [...readings.values()]
}

interface Outcome {
  readonly value: Value
  readonly reason: Reason | null
}

/** The reading of a channel once its value is known: grid, range, quality, alarm. */
function finished(
  channel: Channel,
  poll: PollResult,
  what: Outcome & { calibration: number; payloadBytes: number },
): Reading {
  const onGrid =
    channel.resolution !== null && typeof what.value === 'number'
      ? quantise(what.value, channel.resolution)
      : what.value
  const reason = what.reason ?? (outside(channel, onGrid) ? 'range' : null)
  return {
    device: poll.device,
    sensor: channel.sensor,
    channel: channel.id,
    takenAt: poll.takenAt,
    value: onGrid,
    unit: channel.unit,
    quality: reason === null ? 'good' : 'bad',
    reason,
    derived: channel.derived,
    calibration: what.calibration,
    alarm: reason === null && alarmed(channel, onGrid),
    payloadBytes: reason === null ? what.payloadBytes : 0,
  }
}

const isNumeric = (value: Value): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint'

function outside({ range }: Channel, value: Value): boolean {
  return range !== null && isNumeric(value) && (value < range[0] || value > range[1])
}

function alarmed({ alarm }: Channel, value: Value): boolean {
  if (alarm === null || !isNumeric(value)) return false
  return (alarm.below !== null && value < alarm.below) || (alarm.above !== null && value > alarm.above)
}

function readReading(channel: Channel, poll: PollResult, raw: RawValue | undefined): Reading {
  if (raw === undefined) {
    const reason = poll.failed.get(channel.id) ?? 'timeout'
    return finished(channel, poll, { value: null, reason, calibration: 0, payloadBytes: 0 })
  }
  const outcome = readOutcome(channel, raw)
  return finished(channel, poll, { ...outcome, calibration: 0, payloadBytes: raw.payloadBytes })
}

function readOutcome(channel: Channel, raw: RawValue): Outcome {
  if (raw.reason !== null || raw.value === null) return { value: null, reason: raw.reason ?? 'not-a-number' }
  if (isSentinel(channel, raw.value)) return { value: null, reason: 'sentinel' }
  const plain = channel.scale === 1 && channel.offset === 0
  if (plain || typeof raw.value === 'string') return { value: raw.value, reason: null }
  return { value: linear(Number(raw.value), channel.scale, channel.offset), reason: null }
}

function isSentinel(channel: Channel, value: Value): boolean {
  // A device's -99.9 in a float32 is not the double -99.9.
  const narrow = channel.read?.value.type === 'float32'
  return channel.bad.some((bad) => {
    if (typeof value === 'bigint') return typeof bad === 'bigint' && bad === value
    return typeof value === 'number' && (narrow ? Math.fround(Number(bad)) : Number(bad)) === value
  })
}

interface Derivation {
  readonly channel: Channel
  readonly node: Node
  readonly profile: Profile
  readonly poll: PollResult
  readonly calibration: Calibration | undefined
  /** Of the channels before it. */
  readonly readings: ReadonlyMap<string, Reading>
}

function derivedReading(derivation: Derivation): Reading {
  const { channel, poll, node, calibration } = derivation
  const version =
    calibration !== undefined && usesOf(node).cal.some((name) => Object.hasOwn(calibration.values, name))
      ? calibration.version
      : 0
  return finished(channel, poll, { ...derived(derivation), calibration: version, payloadBytes: 0 })
}

function derived({ node, profile, poll, calibration, readings }: Derivation): Outcome {
  try {
    const value = evaluate(node, {
      address: poll.address,
      channel: (id) => usable(readings.get(id)),
      cal: (name) => constant(name, calibration?.values ?? {}, profile.cal),
      neighbour: (ref) => fresh(ref, poll),
    })
    return Number.isFinite(value) ? { value, reason: null } : { value: null, reason: 'not-a-number' }
  } catch (cause) {
    if (!(cause instanceof Unavailable)) throw cause
    return { value: null, reason: cause.reason }
  }
}

/** A bad value is not computed with, although a value out of range is there. */
function usable(reading: Reading | undefined): number {
  if (reading?.quality !== 'good') throw new Unavailable(reading?.reason ?? 'not-a-number')
  if (!isNumeric(reading.value)) throw new Unavailable('not-a-number')
  return Number(reading.value)
}

function constant(
  name: string,
  own: Readonly<Record<string, number>>,
  defaults: Readonly<Record<string, number>>,
): number {
  const value = Object.hasOwn(own, name)
    ? own[name]
    : Object.hasOwn(defaults, name)
      ? defaults[name]
      : undefined
  if (value === undefined) throw new Unavailable('no-cal')
  return value
}

function fresh(ref: NeighbourRef, poll: PollResult): number {
  const found = poll.neighbour(ref)
  if (found === undefined || Math.abs(poll.takenAt - found.takenAt) > ref.maxAgeMs)
    throw new Unavailable('stale')
  if (!isNumeric(found.value)) throw new Unavailable('not-a-number')
  return Number(found.value)
}
