import type { EvidenceFact } from '../../../../cloud-sync/evidence/index.ts'
import type { MeteredMonth } from './compare.ts'
import { monthlyKey, simOf } from './sim.ts'

/** Both ways of a link, as the kernel counts them. What was allotted to payers is the same bytes again. */
const COUNTED: ReadonlySet<string> = new Set(['cell.rx', 'cell.tx'])
const LINK = 'link:'

/** Adds up the bytes of cellular links by SIM and month. */
export class MeteredBytes {
  readonly #months = new Map<string, MeteredMonth & { readonly gateways: string[] }>()
  /** Of days that nobody knows yet. */
  undated = 0n

  add(gateway: string, { meter, subject, day, quantity }: EvidenceFact): void {
    if (!COUNTED.has(meter) || !subject.startsWith(LINK)) return
    if (day === null) {
      this.undated += quantity
      return
    }
    const [sim, month] = [simOf(subject.slice(LINK.length)), day.slice(0, 7)]
    const key = monthlyKey(sim, month)
    const before = this.#months.get(key) ?? { sim, month, bytes: 0n, gateways: [] }
    const gateways = before.gateways.includes(gateway) ? before.gateways : [...before.gateways, gateway]
    this.#months.set(key, { ...before, bytes: before.bytes + quantity, gateways })
  }

  /** Under `monthlyKey`; of one month, or of all. */
  within(month: string | undefined): Map<string, MeteredMonth> {
    return new Map([...this.#months].filter(([, one]) => month === undefined || one.month === month))
  }
}
