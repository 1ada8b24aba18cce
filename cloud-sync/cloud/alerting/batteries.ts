import type { ChannelDef } from '../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../storage/index.ts'

/** Where no rule says another limit, percent of charge. A voltage has none: it depends on the kind and number of cells. */
const LOW_PERCENT = 20
/** So far above its limit a battery has recovered: points of charge, of everything else a share of the limit. */
const RECOVERED_POINTS = 5
const RECOVERED_SHARE = 0.02
const FULL_PERCENT = 100
/** A rule that was made or deleted counts after so long at the latest, ms. */
const RULES_READ_EVERY_MS = 5_000
/** The remaining charge of a battery, whatever its channel is called (RFC 8428, 12.1). */
const CHARGE_UNIT = '%EL'
/** Names of a battery's charge in percent, in small letters, without underscores. */
const CHARGE_NAMES: ReadonlySet<string> = new Set([
  ...['battery', 'batterycharge', 'batterylevel', 'batterypercent', 'batterysoc'],
  ...['batt', 'battcharge', 'battlevel', 'battpercent', 'battsoc'],
])

/** Whether the hardware profile names this channel as the charge of a battery. */
export function isCharge({
  sensor,
  channel,
  unit,
}: Pick<ChannelDef, 'sensor' | 'channel' | 'unit'>): boolean {
  if (unit === CHARGE_UNIT) return true
  const named = channel.toLowerCase().replaceAll('_', '')
  return (
    unit === '%' && (CHARGE_NAMES.has(named) || (sensor === 'battery' && CHARGE_NAMES.has(`battery${named}`)))
  )
}

/** From where on a battery is low. */
export interface BatteryLimit {
  /** Low below it. */
  readonly below: number
  /** Not low any more from here on; between the two it stays what it was. */
  readonly recovered: number
}

interface Rule {
  readonly resource: string
  /** Null = every charge in percent. */
  readonly channel: string | null
  readonly below: number
}

type Named = Pick<ChannelDef, 'device' | 'sensor' | 'channel' | 'unit'>

/** Below which value which channel means a low battery: what rules say, else 20 % of charge. */
export class BatteryLimits {
  readonly #read: DirectoryReader
  readonly #monoMs: () => number
  #readAt = -Infinity
  /** By resource. */
  #rules: ReadonlyMap<string, readonly Rule[]> = new Map()

  constructor(read: DirectoryReader, monoMs: () => number) {
    this.#read = read
    this.#monoMs = monoMs
  }

  /**
   * Rules of the device and of its gateway, those without a channel for its charge; of several the highest, so that
   * nobody is told too late. Undefined where the channel says nothing about a battery.
   */
  async of(gateway: string, def: Named): Promise<BatteryLimit | undefined> {
    await this.#refresh()
    const charge = isCharge(def)
    const limits = [gateway, `${gateway}/${def.device}`]
      .flatMap((resource) => this.#rules.get(resource) ?? [])
      .filter(({ channel }) => (channel === null ? charge : channel === def.channel))
      .map(({ below }) => below)
    if (limits.length === 0 && !charge) return undefined
    const below = limits.length === 0 ? LOW_PERCENT : Math.max(...limits)
    return { below, recovered: recoveredFrom(below, charge) }
  }

  async #refresh(): Promise<void> {
    if (this.#monoMs() - this.#readAt < RULES_READ_EVERY_MS) return
    this.#readAt = this.#monoMs()
    const rules = await this.#read.find('alert_rule', { kind: 'low-battery', state: 'active' })
    const byResource = new Map<string, Rule[]>()
    for (const rule of rules.flatMap(limitIn))
      byResource.set(rule.resource, [...(byResource.get(rule.resource) ?? []), rule])
    this.#rules = byResource
  }
}

/** A rule without a limit tells somebody, by the limit of others. */
function limitIn({ resource, channel, bounds }: DirectoryRow<'alert_rule'>): Rule[] {
  const { below } = JSON.parse(bounds) as { below: number | null }
  return below === null ? [] : [{ resource, channel, below }]
}

/** A full battery has always recovered. */
function recoveredFrom(below: number, charge: boolean): number {
  if (!charge) return below + Math.abs(below) * RECOVERED_SHARE
  return Math.min(below + RECOVERED_POINTS, Math.max(below, FULL_PERCENT))
}

/** What a batch says of one channel of a device. */
export interface BatteryValue {
  readonly channel: string
  readonly unit: string
  /** The newest; undefined = no good one. */
  readonly value: number | undefined
  /** Undefined = it says nothing about a battery, or not any more. */
  readonly limit: BatteryLimit | undefined
}

type Charge = 'low' | 'well' | 'between'

/** What is to be told of a device: it is low, by which channel, or it is not any more. */
export type BatteryTold =
  | { readonly low: true; readonly channel: string; readonly unit: string; readonly value: number }
  | { readonly low: false }

interface Battery {
  readonly channels: ReadonlyMap<string, Charge>
  readonly told: boolean | undefined
}

/** Which devices are low on battery, by their readings alone. As many entries as there are devices with a battery. */
export class BatteryConditions {
  readonly #batteries = new Map<string, Battery>()

  /**
   * A device is low while one of its channels is. Between limit and recovery a channel stays what it was; where that is not
   * known, since the cloud has started, nothing is told: what is open stays open.
   */
  note(device: string, values: readonly BatteryValue[]): BatteryTold | undefined {
    const before = this.#batteries.get(device)
    const channels = channelsAfter(before?.channels, values)
    if (before === undefined && channels.size === 0) return undefined
    const now = conditionOf(channels)
    this.#batteries.set(device, { channels, told: now ?? before?.told })
    if (now === undefined || now === before?.told) return undefined
    return now ? lowOf(channels, values) : { low: false }
  }

  /** What was to be told could not be: the next reading tells it. */
  forget(device: string): void {
    this.#batteries.delete(device)
  }
}

/** By which channel it became low: one of these, as it was not before. */
function lowOf(
  channels: ReadonlyMap<string, Charge>,
  values: readonly BatteryValue[],
): BatteryTold | undefined {
  for (const { channel, unit, value } of values)
    if (value !== undefined && channels.get(channel) === 'low') return { low: true, channel, unit, value }
  return undefined
}

function channelsAfter(
  before: Battery['channels'] | undefined,
  values: readonly BatteryValue[],
): Map<string, Charge> {
  const channels = new Map(before)
  for (const { channel, value, limit } of values) {
    if (limit === undefined) channels.delete(channel)
    else if (value !== undefined) channels.set(channel, chargeOf(value, limit, channels.get(channel)))
  }
  return channels
}

function chargeOf(value: number, { below, recovered }: BatteryLimit, before: Charge = 'between'): Charge {
  if (value < below) return 'low'
  return value >= recovered ? 'well' : before
}

/** Low, not low, or nobody knows. */
function conditionOf(channels: ReadonlyMap<string, Charge>): boolean | undefined {
  const all = [...channels.values()]
  if (all.includes('low')) return true
  return all.includes('between') ? undefined : false
}
