import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** How often a link is read again because it was taken away and put back while it was being read. */
const READS_MAX = 3

/** Interfaces upon one another that are followed at most; the kernel nests fewer. */
const DEPTH_MAX = 8

/** What the kernel says of one interface at one moment. */
export interface LinkCounters {
  readonly iface: string
  /** Never given twice in one boot: a modem that is plugged in again has another. */
  readonly ifindex: number
  readonly rx: bigint
  readonly tx: bigint
}

/** One look at all cellular links. */
export interface LinkScan {
  readonly bootId: string
  /** The highest index of any interface, cellular or not: whatever comes later in this boot has a higher one. */
  readonly topIfindex: number
  readonly links: readonly LinkCounters[]
}

export interface LinkRules {
  /** Names by configuration; null = whatever the kernel or the modem calls cellular. */
  readonly interfaces: readonly string[] | null
  /** Interfaces that a modem names as its bearer's. */
  readonly bearers: readonly string[]
}

/**
 * Reads the kernel's interface counters. Only cellular links are answered: configured by name, of the kernel's device type
 * `wwan`, or a bearer's. An interface that runs upon a cellular one (qmimux0 upon wwan0) is left out: its bytes are counted
 * below, once (metering.md 5.1).
 *
 * @param root `/`, or another folder for a test.
 */
export class KernelLinks {
  readonly #net: string
  readonly #bootIdFile: string

  constructor(root = '/') {
    this.#net = join(root, 'sys/class/net')
    this.#bootIdFile = join(root, 'proc/sys/kernel/random/boot_id')
  }

  /** @throws where the system has no /sys or no boot id */
  scan({ interfaces, bearers }: LinkRules): LinkScan {
    const bootId = readFileSync(this.#bootIdFile, 'utf8').trim()
    const names = readdirSync(this.#net)
    const isCellular = (name: string): boolean =>
      interfaces === null ? bearers.includes(name) || this.#isWwan(name) : interfaces.includes(name)
    const cellular = names.filter(isCellular)
    const lowest = cellular.filter((name) => !cellular.some((below) => this.#runsUpon(name, below)))
    const links = lowest.flatMap((name) => this.#counters(name) ?? [])
    const indexes = names.map((name) => this.#number(name, 'ifindex') ?? 0n)
    return { bootId, topIfindex: Number(indexes.reduce((top, one) => (one > top ? one : top), 0n)), links }
  }

  /** The interface whose counters have another one's bytes: wwan0 for qmimux0, unless qmimux0 alone is configured by name. */
  countedAs(iface: string, interfaces: LinkRules['interfaces']): string {
    const stack = [iface]
    while (stack.length < DEPTH_MAX) {
      const below = this.#entries(stack.at(-1) ?? '').find((entry) => entry.startsWith('lower_'))
      if (below === undefined) break
      stack.push(below.slice('lower_'.length))
    }
    return stack.findLast((name) => interfaces === null || interfaces.includes(name)) ?? iface
  }

  #entries(iface: string): string[] {
    try {
      return readdirSync(join(this.#net, iface))
    } catch {
      // Gone since: nothing is below it.
      return []
    }
  }

  #isWwan(name: string): boolean {
    return /^DEVTYPE=wwan$/m.test(this.#text(name, 'uevent') ?? '')
  }

  #runsUpon(name: string, below: string): boolean {
    return name !== below && this.#text(name, `lower_${below}/ifindex`) !== undefined
  }

  /** undefined where the interface has just gone. */
  #counters(iface: string): LinkCounters | undefined {
    for (let read = 0; read < READS_MAX; read += 1) {
      const before = this.#number(iface, 'ifindex')
      const rx = this.#number(iface, 'statistics/rx_bytes')
      const tx = this.#number(iface, 'statistics/tx_bytes')
      // Another index afterwards: the counters may be those of two devices.
      if (before === undefined || rx === undefined || tx === undefined) return undefined
      if (this.#number(iface, 'ifindex') === before) return { iface, ifindex: Number(before), rx, tx }
    }
    return undefined
  }

  #number(iface: string, file: string): bigint | undefined {
    const text = this.#text(iface, file)?.trim()
    return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined
  }

  #text(iface: string, file: string): string | undefined {
    try {
      return readFileSync(join(this.#net, iface, file), 'utf8')
    } catch {
      // An interface may go between two reads; that is an answer, not a failure.
      return undefined
    }
  }
}
