import type { CarrierMonth } from './carrier.ts'
import type { CarrierProfile } from './profile.ts'

/** Hundredths of a percent. */
const PARTS = 10_000n

/** What the gateways counted on one SIM in a month. */
export interface MeteredMonth {
  readonly sim: string
  readonly month: string
  /** Both ways, as the kernel counts. */
  readonly bytes: bigint
  readonly gateways: readonly string[]
}

/**
 * `over`: the carrier saw traffic that no gateway did. `under`: it billed less than was counted. `not-metered` and
 * `not-billed`: only one side knows the SIM in that month.
 */
export type Verdict = 'within' | 'over' | 'under' | 'not-metered' | 'not-billed'

export interface Reconciled {
  readonly sim: string
  readonly month: string
  readonly gateways: readonly string[]
  readonly metered: bigint
  /** What the carrier should have billed by its own rules: rounding of sessions makes it a range. */
  readonly expected: { readonly least: bigint; readonly most: bigint }
  readonly billed: bigint
  readonly sessions: number
  readonly verdict: Verdict
}

/** Compares by SIM and month, in order of month and SIM. Both maps are under `monthlyKey`. */
export function reconcile(
  metered: ReadonlyMap<string, MeteredMonth>,
  carrier: ReadonlyMap<string, CarrierMonth>,
  profile: CarrierProfile,
): Reconciled[] {
  return [...new Set([...metered.keys(), ...carrier.keys()])].sort().map((key) => {
    const [ours, theirs] = [metered.get(key), carrier.get(key)]
    const { sim, month } = ours ?? theirs ?? { sim: '', month: '' }
    const bytes = ours?.bytes ?? 0n
    const { bytes: billed, sessions } = theirs ?? { bytes: 0n, sessions: 0 }
    const expected = expectedOf(bytes, sessions, profile)
    const verdict = verdictOf({ ours, theirs, expected, band: profile.band })
    return { sim, month, gateways: ours?.gateways ?? [], metered: bytes, expected, billed, sessions, verdict }
  })
}

/** By how much the carrier is off the middle of what is expected, percent with two digits; null where nothing is. */
export function differencePercent({ expected, billed }: Reconciled): number | null {
  const middle = (expected.least + expected.most) / 2n
  return middle === 0n ? null : Number(((billed - middle) * PARTS) / middle) / 100
}

function expectedOf(
  bytes: bigint,
  sessions: number,
  { overhead, rounding }: CarrierProfile,
): Reconciled['expected'] {
  const packets = overhead === undefined ? 0n : ceiling(bytes, BigInt(overhead.packetBytes))
  const least = bytes + packets * BigInt(overhead?.perPacket ?? 0)
  if (rounding === undefined || least === 0n) return { least, most: least }
  const step = BigInt(rounding.step)
  const rounded = ceiling(least, step) * step
  if (rounding.per === 'month') return { least: rounded, most: rounded }
  // Each session is rounded up by less than one step; how much nobody knows who has only the sum.
  return { least: rounded, most: least + BigInt(sessions) * (step - 1n) + step }
}

const ceiling = (value: bigint, by: bigint): bigint => (value + by - 1n) / by

function verdictOf({
  ours,
  theirs,
  expected,
  band,
}: {
  readonly ours: MeteredMonth | undefined
  readonly theirs: CarrierMonth | undefined
  readonly expected: Reconciled['expected']
  readonly band: number
}): Verdict {
  if (ours === undefined) return 'not-metered'
  if (theirs === undefined) return 'not-billed'
  const parts = BigInt(Math.round(band * 100))
  if (theirs.bytes * PARTS > expected.most * (PARTS + parts)) return 'over'
  return theirs.bytes * PARTS < expected.least * (PARTS - parts) ? 'under' : 'within'
}
