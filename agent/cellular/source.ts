import type { LinkSource } from '../../cloud-sync/contract/index.ts'
import type { Modem } from './mmcli.ts'

/** A modem changes its radio access all day long; it ends an interval at most this often, ms. */
const ACCESS_CHANGES_MS_MIN = 3_600_000

interface Known {
  readonly src: LinkSource
  /** When it was last taken over, monotonic, ms. */
  readonly sinceMs: number
}

/** A link at this moment. */
export interface LinkNow {
  readonly iface: string
  readonly ifindex: number
  readonly iccid: string | null
  /** Undefined while nobody tells: then what was known stays. */
  readonly modem: Modem | undefined
}

/** On which network each link is: the rate of its bytes depends on it. */
export class LinkSources {
  readonly #known = new Map<string, Known>()

  /**
   * The source that the bytes since the last look were counted on, and whether another begins now: a SIM, an operator,
   * roaming, or the device itself; radio access alone only once in a while.
   */
  look(link: LinkNow, monoMs: number): { readonly src: LinkSource; readonly isAnother: boolean } {
    const before = this.#known.get(link.iface)
    const src = sourceOf(link, before?.src)
    if (before === undefined) {
      this.#known.set(link.iface, { src, sinceMs: monoMs })
      return { src, isAnother: false }
    }
    const isOther = (Object.keys(src) as (keyof LinkSource)[]).some(
      (key) => key !== 'rat' && src[key] !== before.src[key],
    )
    const isAccess = src.rat !== before.src.rat && monoMs - before.sinceMs >= ACCESS_CHANGES_MS_MIN
    if (isOther || isAccess) this.#known.set(link.iface, { src, sinceMs: monoMs })
    return { src: before.src, isAnother: isOther || isAccess }
  }
}

function sourceOf({ iface, ifindex, iccid, modem }: LinkNow, before: LinkSource | undefined): LinkSource {
  if (modem === undefined) {
    const { mccmnc = null, roaming = false, rat = null } = before ?? {}
    return { iface, ifindex, iccid, mccmnc, roaming, rat }
  }
  const { operator, roaming, access } = modem
  const mccmnc = operator !== null && /^\d{5,6}$/.test(operator) ? operator : null
  return { iface, ifindex, iccid, mccmnc, roaming, rat: access[0]?.slice(0, 32) ?? null }
}
