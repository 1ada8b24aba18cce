import type { LinkCounters, LinkScan } from './kernel.ts'

/** A 32-bit counter may pass its end twice in a pause longer than this, ms: 100 Mbit/s take 343 s for 4 GiB. */
const WRAP_SURE_MS = 300_000
const WRAP_32 = 1n << 32n

/** Where the counters of a link stood when they were last read. A change of any of the first three begins a generation. */
export interface LinkMark {
  readonly bootId: string
  readonly ifindex: number
  readonly sim: string | null
  readonly rx: bigint
  readonly tx: bigint
  /** Monotonic, ms; meaningful within its boot. */
  readonly monoMs: number
  /** Generations of the kernel's counters seen so far, from 0. */
  readonly gen: number
  /** Flags of a window that had no bytes to carry them. */
  readonly owed: LinkFlags
}

export interface LinkFlags {
  /** Counters ended between two looks: what passed after the last look is not in the sum. */
  readonly partial: boolean
  /** The sum goes on from a counter that began anew. */
  readonly reset: boolean
}

const NO_FLAGS: LinkFlags = { partial: false, reset: false }

/** All that is remembered between two looks; kept in the transaction that counts. */
export interface LinkMemory {
  /** Where the last look stood; null = nothing was ever looked at. */
  readonly scanned: { readonly bootId: string; readonly topIfindex: number } | null
  readonly marks: ReadonlyMap<string, LinkMark>
}

export const NO_MEMORY: LinkMemory = { scanned: null, marks: new Map() }

/** Bytes that passed between two looks on one link with one SIM. */
export interface LinkDelta {
  readonly iface: string
  /** ICCID; null where nobody knows. */
  readonly sim: string | null
  readonly rx: bigint
  readonly tx: bigint
  readonly flags: LinkFlags
}

export interface Look {
  readonly scan: LinkScan
  readonly monoMs: number
  /** ICCID behind an interface; null = unknown. */
  readonly simOf: (iface: string) => string | null
  /** Width of the source as declared; a decrease is a wrap only at 32. */
  readonly counterBits: 32 | 64
}

export interface Counted {
  readonly memory: LinkMemory
  readonly deltas: readonly LinkDelta[]
  /** Interfaces with another SIM than before: their usage interval ends here. */
  readonly swapped: readonly string[]
}

/**
 * What passed since the last look. Pure. The sum of all deltas is what the kernel counted, but for the last stretch of a
 * counter that ended between two looks: that one is flagged `partial` and at most one pause between looks long (I8).
 */
export function count(memory: LinkMemory, look: Look): Counted {
  const marks = new Map(memory.marks)
  const deltas: LinkDelta[] = []
  const swapped: string[] = []
  for (const link of look.scan.links) {
    const before = marks.get(link.iface)
    const { mark, delta } =
      before === undefined ? firstSight(memory, link, look) : nextSight(before, link, look)
    marks.set(link.iface, mark)
    if (before !== undefined && before.sim !== mark.sim) swapped.push(link.iface)
    if (delta !== null) deltas.push(delta)
  }
  const { bootId, topIfindex } = look.scan
  return { memory: { scanned: { bootId, topIfindex }, marks }, deltas, swapped }
}

interface Sight {
  readonly mark: LinkMark
  /** null where nothing passed. */
  readonly delta: LinkDelta | null
}

/**
 * An interface without a mark. One that came after the last look is counted from its beginning. One that was there before,
 * but not counted (metering begins, or it was only now configured), is counted from here.
 */
function firstSight({ scanned }: LinkMemory, link: LinkCounters, look: Look): Sight {
  const { bootId } = look.scan
  const { iface, ifindex, rx, tx } = link
  const isNew = scanned !== null && (scanned.bootId !== bootId || ifindex > scanned.topIfindex)
  const sim = look.simOf(iface)
  const mark = { bootId, ifindex, sim, rx, tx, monoMs: look.monoMs, gen: 0, owed: NO_FLAGS }
  return { mark, delta: isNew && rx + tx > 0n ? { iface, sim, rx, tx, flags: NO_FLAGS } : null }
}

function nextSight(before: LinkMark, link: LinkCounters, look: Look): Sight {
  const { iface, ifindex, rx, tx } = link
  const { bootId } = look.scan
  const isSameDevice = before.bootId === bootId && before.ifindex === ifindex
  // The SIM is forgotten with the device, not when the modem is silent for once.
  const sim = look.simOf(iface) ?? (isSameDevice ? before.sim : null)
  const isSwap = isSameDevice && before.sim !== sim
  const step = isSameDevice ? stepOf(before, link, look) : anew(link)
  // The bytes since the last look cannot be divided between two SIMs: they are the old one's.
  const undivided = { partial: isSwap && before.sim !== null, reset: false }
  const whole = either(either(before.owed, step.flags), undivided)
  const moved = step.rx + step.tx > 0n
  const owed = moved ? NO_FLAGS : whole
  const gen = before.gen + Number(step.begins || before.sim !== sim)
  return {
    mark: { bootId, ifindex, sim, rx, tx, monoMs: look.monoMs, gen, owed },
    delta: moved ? { iface, sim: isSwap ? before.sim : sim, rx: step.rx, tx: step.tx, flags: whole } : null,
  }
}

interface Step {
  readonly rx: bigint
  readonly tx: bigint
  /** A generation of the kernel's counters begins. */
  readonly begins: boolean
  readonly flags: LinkFlags
}

/** A counter that began again at 0. */
const anew = ({ rx, tx }: LinkCounters): Step => ({
  ...{ rx, tx, begins: true },
  flags: { partial: true, reset: true },
})

/** The same device as before. */
function stepOf(before: LinkMark, link: LinkCounters, look: Look): Step {
  const { rx, tx } = link
  const [up, down] = [rx - before.rx, tx - before.tx]
  if (up >= 0n && down >= 0n) return { rx: up, tx: down, begins: false, flags: NO_FLAGS }
  // "It went down, so it wrapped" is the bug that others had for a decade: only a declared 32-bit source wraps.
  if (look.counterBits === 64 || before.rx >= WRAP_32 || before.tx >= WRAP_32) return anew(link)
  const partial = look.monoMs - before.monoMs > WRAP_SURE_MS
  return { rx: wrapped(up), tx: wrapped(down), begins: false, flags: { partial, reset: false } }
}

const wrapped = (difference: bigint): bigint => (difference < 0n ? difference + WRAP_32 : difference)

const either = (a: LinkFlags, b: LinkFlags): LinkFlags => ({
  partial: a.partial || b.partial,
  reset: a.reset || b.reset,
})
