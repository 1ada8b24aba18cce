import type { Meter, OrgId } from '../../../contract/index.ts'

/** What an organisation used of one meter on one day: the sum of its postings by subject, payer and network. */
export interface UsageDay {
  readonly org: OrgId
  /** As the gateway stamped it, or said of the record later; null where nobody has said yet. */
  readonly day: string | null
  readonly meter: Meter
  readonly gateway: string
  /** `sensor:device/name`, `gateway` or `link:id`. */
  readonly subject: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: boolean
  readonly quantity: bigint
  /** MCC and MNC of the cellular network, where there was one. */
  readonly network: string | null
}

/** Whose and of what a posting is, as it is stored. */
export interface Place {
  readonly network: string | null
  readonly gateway: string
  readonly subject: string
  readonly meter: string
  readonly custodian: string | null
  readonly workspace: string | null
  readonly billable: number
}

/** A meter of a subject on a gateway. */
type Thing = Pick<Place, 'gateway' | 'subject' | 'meter'>
type Sum = { -readonly [Field in keyof UsageDay]: UsageDay[Field] }
interface Day {
  /** By the number of the thing: hardly any has more than one payer a day. */
  readonly first: Map<number, Sum>
  readonly others: Map<number, Sum[]>
}

/**
 * Adds up postings by day, thing and payer. A month of 10,000 sensors is a third of a million of them: things have
 * numbers, so that no text is made for a posting and none is compared for a day.
 */
export class DaySums {
  readonly #org: OrgId
  readonly #days = new Map<string | null, Day>()
  readonly #things: Thing[] = []
  /** Numbers by gateway, meter and subject. */
  readonly #numbers = new Map<string, Map<string, Map<string, number>>>()
  /** Each text once, however many rows have it. */
  readonly #texts = new Map<string, string>()
  #last: Place | undefined
  #lastNumbers = new Map<string, number>()

  constructor(org: OrgId) {
    this.#org = org
  }

  add(place: Place, day: string | null, quantity: bigint): void {
    if (quantity === 0n) return
    const number = this.#numberOf(place)
    const sums = this.#sumsOf(day)
    const first = sums.first.get(number)
    if (first === undefined) {
      sums.first.set(number, this.#sumFor(place, { number, day, quantity }))
      return
    }
    if (hasPayer(first, place)) {
      first.quantity += quantity
      return
    }
    const others = sums.others.get(number) ?? []
    const same = others.find((sum) => hasPayer(sum, place))
    if (same === undefined) others.push(this.#sumFor(place, { number, day, quantity }))
    else same.quantity += quantity
    sums.others.set(number, others)
  }

  /** In order of day, gateway, subject, meter and payer; what has no day is first. */
  inOrder(): UsageDay[] {
    const order = [...this.#things.keys()].sort((a, b) => compareThings(this.#things[a], this.#things[b]))
    const ranks = new Uint32Array(order.length)
    for (const [rank, number] of order.entries()) ranks[number] = rank
    const all: UsageDay[] = []
    for (const [, { first, others }] of [...this.#days].sort(([a], [b]) => compare(a, b))) {
      const present = Uint32Array.from(first.keys(), (number) => ranks[number] ?? 0).sort()
      for (const rank of present) {
        const number = order[rank] ?? 0
        const one = first.get(number)
        if (one === undefined) continue
        const more = others.get(number)
        if (more === undefined) all.push(one)
        else all.push(...[one, ...more].sort(comparePayers))
      }
    }
    return all
  }

  #numberOf(place: Place): number {
    const { gateway, subject, meter } = place
    // Rows come record by record, and a record is of one gateway.
    if (this.#last?.gateway !== gateway || this.#last.meter !== meter) {
      this.#last = place
      this.#lastNumbers = within(within(this.#numbers, gateway), meter)
    }
    const known = this.#lastNumbers.get(subject)
    if (known !== undefined) return known
    const number = this.#things.push({ gateway: this.#text(gateway), subject, meter: this.#text(meter) }) - 1
    this.#lastNumbers.set(subject, number)
    return number
  }

  #sumsOf(day: string | null): Day {
    const known = this.#days.get(day)
    if (known !== undefined) return known
    const made = { first: new Map<number, Sum>(), others: new Map<number, Sum[]>() }
    this.#days.set(day, made)
    return made
  }

  #sumFor(
    { custodian, workspace, network, billable }: Place,
    { number, day, quantity }: { number: number; day: string | null; quantity: bigint },
  ): Sum {
    const { gateway, subject, meter } = this.#things[number] ?? { gateway: '', subject: '', meter: '' }
    return {
      org: this.#org,
      day,
      meter: meter as Meter,
      gateway,
      subject,
      custodian: custodian === null ? null : this.#text(custodian),
      workspace: workspace === null ? null : this.#text(workspace),
      network: network === null ? null : this.#text(network),
      billable: billable === 1,
      quantity,
    }
  }

  #text(text: string): string {
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }
}

function within<V>(maps: Map<string, Map<string, V>>, name: string): Map<string, V> {
  const known = maps.get(name)
  if (known !== undefined) return known
  const made = new Map<string, V>()
  maps.set(name, made)
  return made
}

const hasPayer = (sum: Sum, { custodian, workspace, network, billable }: Place): boolean =>
  sum.custodian === custodian &&
  sum.workspace === workspace &&
  sum.network === network &&
  sum.billable === (billable === 1)

/** By code unit; null first. */
function compare(a: string | null, b: string | null): number {
  if (a === b) return 0
  return (a ?? '') < (b ?? '') || a === null ? -1 : 1
}

function compareThings(a: Thing | undefined, b: Thing | undefined): number {
  if (a === undefined || b === undefined) return 0
  return compare(a.gateway, b.gateway) || compare(a.subject, b.subject) || compare(a.meter, b.meter)
}

const comparePayers = (a: Sum, b: Sum): number =>
  compare(a.custodian, b.custodian) ||
  compare(a.workspace, b.workspace) ||
  compare(a.network, b.network) ||
  Number(a.billable) - Number(b.billable)
