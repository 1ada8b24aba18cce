import type { ChannelDef, Epoch, GatewayId, ReadingBatch, StoredReading } from '../../contract/index.ts'
import type { OrgDirectory } from '../directory/index.ts'
import type { Outcome } from '../ingest/index.ts'
import type { Log } from '../log.ts'
import {
  type CloudDatabase,
  type DirectoryReader,
  type DirectoryRow,
  knownChannels,
} from '../storage/index.ts'
import { BatteryConditions, BatteryLimits, type BatteryValue } from './batteries.ts'
import { DeviceConditions } from './devices.ts'
import { type HeldAlarm, heldAlarmIn, telling, WatchedChannels } from './thresholds.ts'

/** What is away for less is nobody's business: a restart, a short cut of the link. Seconds. */
export const OFFLINE_AFTER_S = 300
const LOOKED_AT_MS_MAX = 5_000
/** Batches that wait to be looked at; beyond it they are not: the next ones say the same. */
const WAITING_MAX = 1_000

export interface AlertingSettings {
  readonly watch: OrgDirectory['watch']
  readonly db: CloudDatabase
  readonly rules: DirectoryReader
  readonly log: Log
  /** Monotonic, ms. */
  readonly monoMs: () => number
  readonly offlineAfterMs: number
  /** Gateways that once said something and that this process hears. */
  readonly known: readonly GatewayId[]
}

/** Turns what gateways send, or do not send any more, into alerts. Never holds up what is acknowledged. */
export interface Alerting {
  /** What was committed, in order. */
  heard(outcomes: readonly Outcome[]): void
  /** Resolves when what was heard has been looked at. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/**
 * A gateway that says or lets the broker say that it goes is offline after a while; so is one that was known and does not
 * come back after this cloud has started. Devices are lost by their own readings, as long as the gateway sends any.
 */
export function createAlerting(settings: AlertingSettings): Alerting {
  return new Alerts(settings, settings.known)
}

class Alerts implements Alerting {
  readonly #settings: AlertingSettings
  readonly #devices: DeviceConditions
  readonly #channels: WatchedChannels
  readonly #batteries = new BatteryConditions()
  readonly #limits: BatteryLimits
  /** The newest live batch of each gateway. */
  readonly #newest = new Map<GatewayId, Pick<ReadingBatch, 'epoch' | 'seq'>>()
  /** Since when, monotonic ms. */
  readonly #away: Map<GatewayId, number>
  readonly #told = new Set<GatewayId>()
  readonly #timer: NodeJS.Timeout
  #tail: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(settings: AlertingSettings, known: readonly GatewayId[]) {
    const { offlineAfterMs, rules, monoMs } = settings
    this.#settings = settings
    this.#devices = new DeviceConditions(offlineAfterMs)
    this.#channels = new WatchedChannels(rules, monoMs)
    this.#limits = new BatteryLimits(rules, monoMs)
    this.#away = new Map(known.map((id) => [id, monoMs()]))
    const look = (): void => {
      this.#look()
    }
    this.#timer = setInterval(look, Math.min(LOOKED_AT_MS_MAX, offlineAfterMs / 2)).unref()
  }

  heard(outcomes: readonly Outcome[]): void {
    for (const { gateway, online, readings, events = [] } of outcomes) {
      if (online === false) {
        if (!this.#away.has(gateway)) this.#away.set(gateway, this.#settings.monoMs())
        continue
      }
      this.#back(gateway)
      if (readings !== undefined && this.#waiting < WAITING_MAX)
        this.#inTurn(() => this.#measure(gateway, readings))
      const alarms = events.flatMap(heldAlarmIn)
      if (alarms.length > 0 && this.#waiting < WAITING_MAX) this.#inTurn(() => this.#alarmed(gateway, alarms))
    }
  }

  async idle(): Promise<void> {
    await this.#tail
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#tail
  }

  #look(): void {
    const { monoMs, offlineAfterMs } = this.#settings
    for (const [gateway, since] of this.#away) {
      if (this.#told.has(gateway) || monoMs() - since < offlineAfterMs) continue
      this.#told.add(gateway)
      this.#inTurn(async () => {
        // Back before its turn came: nothing to tell.
        if (!this.#told.has(gateway)) return
        try {
          await this.#observe(gateway, true)
        } catch (error) {
          this.#told.delete(gateway)
          throw error
        }
      })
    }
  }

  #back(gateway: GatewayId): void {
    if (!this.#away.delete(gateway)) return
    this.#told.delete(gateway)
    this.#devices.forget(gateway)
    this.#inTurn(() => this.#observe(gateway, false))
  }

  async #measure(gateway: GatewayId, batch: ReadingBatch): Promise<void> {
    const { watch, db, rules } = this.#settings
    if (this.#isRepeated(gateway, batch)) return
    const inUse = await rules.find('device', { gateway, state: 'active' })
    for (const [device, all] of await byDevice(db, gateway, batch)) {
      const resource = `${gateway}/${device}`
      const owner = inUse.find(({ path }) => path === resource)
      const found = all.filter(({ def }) => isOf(owner, def))
      if (owner === undefined || found.length === 0) continue
      const readings = found.flatMap((one) => one.readings)
      // Of another owner it is news again.
      const owned = `${device} ${owner.org} ${owner.owner_epoch}`
      const news = this.#devices.note(gateway, owned, readings)
      if (news !== undefined) {
        try {
          await this.#observe(resource, news === 'lost')
        } catch (error) {
          this.#devices.untold(gateway, owned)
          throw error
        }
      }
      await this.#charge(gateway, found)
      for (const { def, readings } of found) {
        const { channel } = def
        if (!(await this.#channels.has(resource, channel))) continue
        for (const value of telling(readings)) await watch.measure({ resource, channel, value })
      }
    }
  }

  /** Readings of a workspace at its limit wait at the gateway; their alarms do not. */
  async #alarmed(gateway: GatewayId, alarms: readonly HeldAlarm[]): Promise<void> {
    const { rules, watch } = this.#settings
    const inUse = await rules.find('device', { gateway, state: 'active' })
    for (const alarm of alarms) {
      const { device, channel, value } = alarm
      const resource = `${gateway}/${device}`
      const owner = inUse.find(({ path }) => path === resource)
      // An earlier owner's, that was long under way, is nothing to whose device it is now.
      if (!isOf(owner, alarm) || !(await this.#channels.has(resource, channel))) continue
      await watch.measure({ resource, channel, value })
    }
  }

  /** A batch that is sent again, as its acknowledgement was lost, would bring back what is over. */
  #isRepeated(gateway: GatewayId, { epoch, seq }: ReadingBatch): boolean {
    const newest = this.#newest.get(gateway)
    if (newest?.epoch === epoch && seq <= newest.seq) return true
    this.#newest.set(gateway, { epoch, seq })
    return false
  }

  /** The batteries of one device. */
  async #charge(gateway: GatewayId, found: readonly OfChannel[]): Promise<void> {
    const [first] = found
    if (first === undefined) return
    const values: BatteryValue[] = []
    for (const { def, readings } of found) {
      const limit = await this.#limits.of(gateway, def)
      const value = limit && telling(readings).at(-1)
      values.push({ channel: def.channel, unit: def.unit, limit, value })
    }
    const resource = `${gateway}/${first.def.device}`
    // Of another owner it is news again.
    const battery = `${resource} ${first.def.org} ${first.def.ownerEpoch}`
    const told = this.#batteries.note(battery, values)
    if (told === undefined) return
    try {
      await this.#tell(
        told.low
          ? {
              kind: 'low-battery',
              resource,
              now: true,
              detail: `${told.channel} is ${told.value} ${told.unit}`,
            }
          : { kind: 'low-battery', resource, now: false },
      )
    } catch (error) {
      this.#batteries.forget(battery)
      throw error
    }
  }

  #observe(resource: string, now: boolean): Promise<void> {
    return this.#tell({ kind: 'offline', resource, now })
  }

  async #tell(observation: Observation): Promise<void> {
    const { watch, log } = this.#settings
    const mails = await watch.observe(observation)
    const { kind, resource } = observation
    if (mails > 0) log.info({ kind, resource, mails }, 'people are told')
  }

  /** One after the other: what is over must not overtake what began it. */
  #inTurn(work: () => Promise<void>): void {
    this.#waiting += 1
    this.#tail = this.#tail.then(work).then(
      () => {
        this.#waiting -= 1
      },
      (error: unknown) => {
        this.#waiting -= 1
        this.#settings.log.error({ err: error }, 'an alert could not be looked at')
      },
    )
  }
}

type Observation = Parameters<OrgDirectory['watch']['observe']>[0]

interface OfChannel {
  readonly def: ChannelDef
  readonly readings: readonly StoredReading[]
}

/** What came late of an earlier owner is not its present owner's, and nobody is told of it any more. */
const isOf = (
  owner: DirectoryRow<'device'> | undefined,
  { org, ownerEpoch }: Pick<HeldAlarm, 'org' | 'ownerEpoch'>,
): boolean => owner !== undefined && org === owner.org && ownerEpoch >= owner.owner_epoch

async function byDevice(
  db: CloudDatabase,
  gateway: GatewayId,
  { epoch, readings }: ReadingBatch,
): Promise<Map<string, OfChannel[]>> {
  const byChannel = new Map<number, StoredReading[]>()
  for (const reading of readings) {
    const before = byChannel.get(reading.channel)
    if (before === undefined) byChannel.set(reading.channel, [reading])
    else before.push(reading)
  }
  const key = { gateway, epoch: epoch as Epoch, stream: 'rd' } as const
  const known = await knownChannels(db.read, key, [...byChannel.keys()])
  const devices = new Map<string, OfChannel[]>()
  for (const [no, ofChannel] of byChannel) {
    const def = known.get(no)?.def
    if (def === undefined) continue
    const found = devices.get(def.device) ?? []
    found.push({ def, readings: ofChannel })
    devices.set(def.device, found)
  }
  return devices
}
