import {
  type ChannelDef,
  type ChannelName,
  type DeviceId,
  type Resolution,
  type SensorName,
  type StoredReading,
  type Subject,
  sensorSubject,
  type Value,
} from '../cloud-sync/contract/index.ts'
import type { Reading } from '../hardware/index.ts'
import { HeldDelivery } from './held-delivery.ts'
import type { Owner } from './metering/index.ts'
import { type OwnerRules, Owners } from './owners.ts'
import type { PublishedReading } from './published-reading.ts'
import { quantise } from './quantise.ts'
import type { CommittedWindow, OwnedReading, Store } from './storage/index.ts'

/** Longest text value kept, characters; a device that sends more is cut. */
const TEXT_MAX = 512
/** As in the contract. */
const UNIT_MAX = 32

export interface PipelineOptions extends OwnerRules {
  readonly store: Store
  /** Of a device's channel, from its profile; null = the double is kept exactly. */
  resolutionOf(device: string, channel: string): Resolution | null
  /** The device tells of the gateway itself: nobody is billed for it. Default: none does. */
  isDiagnostic?(device: string): boolean
  /** Hands committed readings to the local broker; who may have them is decided there, for every delivery. */
  publish(readings: readonly PublishedReading[]): Promise<void>
  /** A publish failed; the readings are stored and go to the cloud in any case. */
  onPublishFailed(error: unknown): void
}

interface Place {
  readonly def: ChannelDef
  readonly subject: Subject
  readonly owner: Owner
}

/**
 * The story of the gateway:
 *
 *   readings from hardware -> whose? -> quantise -> meter and store in one transaction -> publish -> acknowledge to hardware
 *
 * Nothing is published or sent before it is committed. What was committed and perhaps not published before the process
 * ended is published again at the start: a subscriber may see a reading twice, never not at all.
 */
export class Pipeline {
  readonly #options: PipelineOptions
  readonly #store: Store
  readonly #owners: Owners
  readonly #held: HeldDelivery
  /** By device, sensor and channel; as many as the configuration has channels. */
  readonly #places = new Map<string, Place>()
  #published: Promise<void> = Promise.resolve()
  #stops: (() => void)[] = []

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#store = options.store
    this.#owners = new Owners(options, options.store.policy.current())
    this.#held = new HeldDelivery({
      store: options.store,
      publish: (readings) => options.publish(readings),
      onPublishFailed: (error) => {
        options.onPublishFailed(error)
      },
      named: (reading) => this.#named(reading).filter(({ def }) => this.#isOwners(def)),
    })
  }

  /** Publishes again what may have been missed, then every commit. */
  async start(): Promise<void> {
    this.#takePolicy()
    this.#stops = [
      this.#store.policy.onApplied((snapshot) => {
        this.#owners.replace(snapshot)
        this.#places.clear()
      }),
      this.#store.onCommitted((window) => {
        this.#publishSoon(window)
      }),
      this.#held.start(),
    ]
    for (const window of this.#store.unpublished()) this.#publishSoon(window)
    await this.#published
  }

  /**
   * The newest reading of each channel of a device that is still configured and has the same owner: for whoever subscribes
   * before the next one. What waits because a workspace is over its limit is not among them.
   */
  latest(): PublishedReading[] {
    this.#takePolicy()
    return [...this.#store.reader.latest().values()]
      .flatMap((reading) => this.#named(reading))
      .filter(
        ({ def }) =>
          this.#options.proposed.has(def.device) &&
          this.#isOwners(def) &&
          !this.#store.quota.waits(def.device),
      )
  }

  /** It is the present owner's, not one's before. */
  #isOwners({ device, org, ownerEpoch }: ChannelDef): boolean {
    const owner = this.#owners.of(device)
    return org === owner.org && ownerEpoch === owner.ownerEpoch
  }

  /** A policy may have come before this was started. */
  #takePolicy(): void {
    const snapshot = this.#store.policy.current()
    if (snapshot !== null) this.#owners.replace(snapshot)
  }

  /** Lets what is under way end. Takes nothing more from the store. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    await this.#published
    await this.#held.idle()
  }

  /**
   * Takes readings as the hardware gave them. Resolves once they are committed and handed to the broker: only then may the
   * hardware process forget them. Rejects with STORE_FULL or STORE_FAILED: it keeps them.
   */
  async take(readings: readonly Reading[]): Promise<void> {
    const owned = readings.map((reading) => this.#own(reading))
    await this.#store.take(
      owned,
      readings.some((reading) => reading.alarm),
    )
    await this.#published
  }

  #own(reading: Reading): OwnedReading {
    const { def, subject, owner } = this.#place(reading)
    const stored = storedReading(reading, def, this.#store)
    if (reading.alarm) this.#held.alarm(stored)
    const { derived, payloadBytes } = reading
    const billable = this.#options.isDiagnostic?.(reading.device) !== true
    const countable = { value: stored.value, quality: stored.quality, derived, payloadBytes, billable }
    return { reading: stored, def, subject, owner, countable, ...(reading.alarm && { alarm: true }) }
  }

  /** Everything about a reading that is the same for the next one of its channel. */
  #place(reading: Reading): Place {
    const { device, sensor, channel, derived } = reading
    const key = `${device} ${sensor} ${channel}`
    const known = this.#places.get(key)
    const unit = reading.unit.slice(0, UNIT_MAX)
    if (known?.def.unit === unit && known.def.derived === derived) return known
    const resolution = this.#options.resolutionOf(device, channel)
    const owner = this.#owners.of(device as DeviceId)
    const { org, ownerEpoch } = owner
    const named = {
      device: device as DeviceId,
      sensor: sensor as SensorName,
      channel: channel as ChannelName,
    }
    const def = this.#store.define({ ...named, unit, resolution, derived, org, ownerEpoch })
    const place = { def, owner, subject: sensorSubject(named.device, named.sensor) }
    this.#places.set(key, place)
    return place
  }

  #publishSoon(window: CommittedWindow): void {
    const { last } = window
    const readings = this.#held.passing(window)
    this.#published = this.#published.then(async () => {
      try {
        await this.#options.publish(readings.flatMap((reading) => this.#named(reading)))
      } catch (error) {
        this.#options.onPublishFailed(error)
      }
      this.#store.published(last)
    })
  }

  #named(reading: StoredReading): PublishedReading[] {
    const def = this.#store.channel(reading.channel)
    return def === undefined ? [] : [{ def, reading }]
  }
}

/** What no codec could carry must not come as far as a commit: it would fail again and again. */
function storedReading(reading: Reading, def: ChannelDef, store: Store): StoredReading {
  const { quality, reason } = reading
  const whole = Math.round(reading.takenAt)
  const takenAt = Number.isSafeInteger(whole) ? whole : store.now().wallMs
  const value = quantise(bounded(reading.value), def.resolution)
  // A number that is none cannot be stored, and is no measurement.
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { channel: def.no, takenAt, value: null, quality: 'bad', reason: 'not-a-number' }
  }
  return { channel: def.no, takenAt, value, quality, reason }
}

const bounded = (value: Value): Value => (typeof value === 'string' ? value.slice(0, TEXT_MAX) : value)
