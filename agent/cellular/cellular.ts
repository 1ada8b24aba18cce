import type { LinkSource, Subject } from '../../cloud-sync/contract/index.ts'
import { USAGE_QUALITY } from '../../cloud-sync/contract/index.ts'
import type { Increment, Moment } from '../metering/index.ts'
import { Scheduler } from '../schedule/scheduler.ts'
import type { Ticker } from '../schedule/ticker.ts'
import { attribute, type Carried, carriedOver, NOTHING_CARRIED, type Payers } from './attribution.ts'
import { type BudgetStep, factorsOf, spend, stepOf, UNUSED } from './budget.ts'
import { Divergence } from './divergence.ts'
import type { KernelLinks, LinkScan } from './kernel.ts'
import { type CellularMemory, kept, remembered } from './memory.ts'
import { type AskModems, lookAtModems, type Modem, type ModemLook } from './mmcli.ts'
import type { CellularGateway, CellularMeter, OwnTraffic } from './ports.ts'
import { count, type Counted, type LinkDelta, type LinkMemory } from './register.ts'
import { LinkSources } from './source.ts'

/** ModemManager itself reads its modems every 30 s. */
const MODEMS_EVERY_MS = 30_000
/** A subject holds so many characters of an ICCID or an interface's name. */
const SUBJECT_NAME_MAX = 64

export interface CellularRules {
  /** null = whatever the kernel or ModemManager calls cellular. */
  readonly interfaces: readonly string[] | null
  readonly counterBits: 32 | 64
  readonly sampleEveryMs: number
  /** The host pays what its guests' sensors send, too. */
  readonly hostAbsorbs: boolean
  /** Of each SIM; null = none. `day` of the month, 1 to 28. */
  readonly budget: { readonly bytes: number; readonly day: number } | null
}

interface Sources {
  /** By interface. */
  readonly of: ReadonlyMap<string, LinkSource>
  readonly isAnother: boolean
}

export interface CellularParts {
  readonly rules: CellularRules
  readonly kernel: KernelLinks
  /** null = nobody asks ModemManager. */
  readonly modems: AskModems | null
  readonly meter: CellularMeter
  readonly gateway: CellularGateway
  readonly now: () => Moment
  readonly ticker?: Ticker
  readonly log: {
    info(detail: object, message: string): void
    warn(detail: object, message: string): void
  }
}

/**
 * Meters cellular links: looks at the kernel's counters, divides what passed among those who pay, and counts it into the
 * registers `cell.rx`, `cell.tx` and `cell.alloc` in one transaction with what it remembers.
 */
export class Cellular {
  readonly #parts: CellularParts
  readonly #scheduler: Scheduler
  #memory: CellularMemory
  /** By interface. */
  readonly #carried = new Map<string, Carried>()
  #modems: ModemLook = { state: 'absent' }
  #modemsAt = -Infinity
  readonly #comparisons = new Map<string, Divergence>()
  readonly #sources = new LinkSources()
  #told = ''

  /** @throws where what was kept cannot be read */
  constructor(parts: CellularParts) {
    this.#parts = parts
    this.#memory = remembered(parts.meter.read())
    this.#scheduler = new Scheduler({
      ...(parts.ticker !== undefined && { ticker: parts.ticker }),
      onError: (_job, error) => {
        parts.log.warn(
          { err: error },
          'cellular links were not read; what passed is counted at the next turn',
        )
      },
    })
  }

  /** Looks once, then every `sampleEveryMs` until `stop`. */
  async start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    this.#slow()
    const job = this.#scheduler.every('cellular', this.#parts.rules.sampleEveryMs, () => this.look())
    job.kick()
    await Promise.resolve()
  }

  /** Counts a last time, so that the end of a run is in this run's records; no modem is waited for. */
  async stop(): Promise<void> {
    await this.#scheduler.stop()
    await this.#count()
  }

  /** What the modems said last. */
  modems(): ModemLook {
    return this.#modems
  }

  /** One turn; resolves once what passed is committed. */
  async look(): Promise<void> {
    await this.#askModems()
    await this.#count()
  }

  async #count(): Promise<void> {
    const { kernel, rules, now, meter } = this.#parts
    const moment = now()
    const bearers = this.#known().flatMap(({ bearers }) => bearers.flatMap(({ iface }) => iface ?? []))
    const scan = kernel.scan({ interfaces: rules.interfaces, bearers })
    const simOf = (iface: string): string | null => this.#modemOf(iface)?.sim ?? null
    const { counterBits } = rules
    const counted = count(this.#memory.links, { scan, monoMs: moment.monoMs, simOf, counterBits })
    const uses = this.#spend(counted.deltas, moment.day)
    const sources = this.#look(scan, counted.memory, moment.monoMs)
    const increments = this.#increments(counted, sources.of)
    const isReset = counted.deltas.some(({ flags }) => flags.reset)
    const events = [...counted.swapped.map(() => 'sim_swap'), ...(isReset ? ['ctr_reset'] : [])]
    this.#memory = { links: counted.memory, uses }
    this.#compare(scan, moment.monoMs)
    this.#slow()
    await meter.count({ increments, memory: kept(this.#memory), events, isLast: sources.isAnother })
  }

  /** On which network the bytes of each link were counted, and whether a link has gone over to another. */
  #look(scan: LinkScan, { marks }: LinkMemory, monoMs: number): Sources {
    const of = new Map<string, LinkSource>()
    let isAnother = false
    for (const { iface, ifindex } of scan.links) {
      const iccid = marks.get(iface)?.sim ?? null
      const seen = this.#sources.look({ iface, ifindex, iccid, modem: this.#modemOf(iface) }, monoMs)
      of.set(iface, seen.src)
      isAnother ||= seen.isAnother
    }
    return { of, isAnother }
  }

  #known(): readonly Modem[] {
    return this.#modems.state === 'known' ? this.#modems.modems : []
  }

  /** A single modem is the one behind whatever is cellular, also while it has not named its interface. */
  #modemOf(iface: string): Modem | undefined {
    const modems = this.#known()
    const owner = modems.find(({ bearers }) => bearers.some((bearer) => bearer.iface === iface))
    return owner ?? (modems.length === 1 ? modems[0] : undefined)
  }

  async #askModems(): Promise<void> {
    const { modems, now, log } = this.#parts
    if (modems === null || now().monoMs - this.#modemsAt < MODEMS_EVERY_MS) return
    this.#modemsAt = now().monoMs
    const before = this.#modems.state
    const look = await lookAtModems(modems)
    this.#modems = look
    if (look.state === 'known') this.#tellTime(look.modems)
    if (look.state === before) return
    if (look.state === 'failed')
      log.warn({ reason: look.reason }, 'ModemManager does not answer; the kernel goes on counting')
    else log.info({ state: look.state }, 'ModemManager')
  }

  #tellTime(modems: readonly Modem[]): void {
    const told = modems.map(({ networkTime }) => Date.parse(networkTime ?? '')).find(Number.isFinite)
    if (told !== undefined) this.#parts.gateway.onNetworkTime?.(told)
  }

  #increments(
    { deltas, memory }: Pick<Counted, 'deltas' | 'memory'>,
    sources: ReadonlyMap<string, LinkSource>,
  ): Increment[] {
    if (deltas.length === 0) return []
    const { gateway, rules } = this.#parts
    const payers = { host: gateway.host(), hostAbsorbs: rules.hostAbsorbs }
    // What the connections claim is of the link that each went by; other links carry nothing of the gateway's own.
    const own = new Map(gateway.ownTraffic())
    const increments = deltas.flatMap((delta) => {
      const used = own.get(delta.iface) ?? NOTHING_CARRIED
      own.delete(delta.iface)
      return this.#divided(delta, { used, payers, src: sources.get(delta.iface) })
    })
    for (const [iface, used] of own)
      if (memory.marks.has(iface)) this.#carried.set(iface, carriedOver(this.#carriedOn(iface), used))
    return increments
  }

  /** Claims of an interface that no window had room for yet. */
  #carriedOn(iface: string): Carried {
    return this.#carried.get(iface) ?? NOTHING_CARRIED
  }

  #divided(
    delta: LinkDelta,
    { used, payers, src }: { used: OwnTraffic; payers: Payers; src: LinkSource | undefined },
  ): Increment[] {
    const subject = subjectOf(delta)
    const counted = { q: qualityOf(delta.flags), ...(src !== undefined && { src }) }
    const evidence = { subject, owner: payers.host, ...counted, billable: false }
    const window = { ...used, bytes: delta.rx + delta.tx }
    const divided = attribute(window, this.#carriedOn(delta.iface), payers)
    this.#carried.set(delta.iface, divided.carried)
    return [
      { ...evidence, meter: 'cell.rx', by: delta.rx },
      { ...evidence, meter: 'cell.tx', by: delta.tx },
      ...divided.shares.map(({ subject: of, owner, bytes }): Increment => {
        return { meter: 'cell.alloc', subject: of ?? subject, owner, by: bytes, ...counted }
      }),
    ]
  }

  #spend(deltas: readonly LinkDelta[], day: string | null): CellularMemory['uses'] {
    const { budget } = this.#parts.rules
    if (budget === null) return this.#memory.uses
    const bytesOf = new Map<string, bigint>([...this.#memory.uses.keys()].map((subject) => [subject, 0n]))
    for (const delta of deltas) {
      const subject = subjectOf(delta)
      bytesOf.set(subject, (bytesOf.get(subject) ?? 0n) + delta.rx + delta.tx)
    }
    // Also with no bytes: a new period frees the lanes on its first day.
    const next = [...bytesOf].map(([subject, bytes]) => {
      const before = this.#memory.uses.get(subject) ?? UNUSED
      return [subject, spend(before, { bytes, day, billingDay: budget.day })] as const
    })
    return new Map(next)
  }

  #slow(): void {
    const { rules, gateway, log } = this.#parts
    const { budget } = rules
    if (budget === null) return
    const inUse = new Set([...this.#memory.links.marks].map(([iface, { sim }]) => subjectOf({ iface, sim })))
    const steps = [...this.#memory.uses]
      .filter(([subject]) => inUse.has(subject as Subject))
      .map(([subject, { used }]) => [subject, stepOf(used, BigInt(budget.bytes))] as const)
    const told = JSON.stringify(steps)
    if (told === this.#told) return
    this.#told = told
    const reached: readonly BudgetStep[] = steps.map(([, step]) => step)
    const factors = factorsOf(reached)
    if (factors.backfill < 1) log.warn({ steps, factors }, 'the data budget slows what is sent')
    gateway.onFactors(factors)
  }

  #compare({ links }: LinkScan, monoMs: number): void {
    for (const { iface, rx, tx } of links) {
      const bearer = this.#modemOf(iface)?.bearers.find((one) => one.iface === iface)
      const mark = this.#memory.links.marks.get(iface)
      if (bearer?.total == null || mark === undefined) continue
      const comparison = this.#comparisons.get(iface) ?? new Divergence()
      this.#comparisons.set(iface, comparison)
      const pair = { kernel: rx + tx, modem: bearer.total.rx + bearer.total.tx }
      const parted = comparison.look(
        `${bearer.path} ${mark.bootId} ${mark.ifindex} ${mark.gen}`,
        monoMs,
        pair,
      )
      if (parted === null) continue
      const detail = { iface, kernel: parted.kernel.toString(), modem: parted.modem.toString() }
      this.#parts.log.warn(detail, 'the kernel and the modem count differently; the kernel is billed')
    }
  }
}

const qualityOf = ({ partial, reset }: LinkDelta['flags']): number =>
  (partial ? 1 << USAGE_QUALITY.PARTIAL : 0) | (reset ? 1 << USAGE_QUALITY.CTR_RESET : 0)

/** A SIM is one payer's contract wherever it is plugged in; without one the interface stands for it. */
function subjectOf({ iface, sim }: { readonly iface: string; readonly sim: string | null }): Subject {
  const name = (sim ?? iface).replace(/[^A-Za-z0-9._-]/g, '_').slice(0, SUBJECT_NAME_MAX)
  return `link:${name}` as Subject
}
