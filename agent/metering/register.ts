import type {
  LinkSource,
  MemberName,
  Meter,
  OrgId,
  Subject,
  WorkspaceId,
} from '../../cloud-sync/contract/index.ts'

/** Who pays, frozen when it accrues. */
export interface Owner {
  readonly org: OrgId
  readonly ownerEpoch: number
  readonly custodian: MemberName | null
  readonly workspace: WorkspaceId | null
}

/** First and last of readings that followed each other closely, monotonic ms. */
export type ReadSpan = readonly [first: number, last: number]
/** Shorter than any day: of a longer span every day in between has a reading. */
const SPAN_GAP_MS = 3 * 3_600_000

/** Spans with one more moment, which is not before them. */
function withMoment(spans: readonly ReadSpan[], at: number): readonly ReadSpan[] {
  const [first, last] = spans.at(-1) ?? [at, at]
  const isClose = spans.length > 0 && at >= first && at - last <= SPAN_GAP_MS
  return isClose ? [...spans.slice(0, -1), [first, at]] : [...spans, [at, at]]
}

/**
 * A counter that only grows. Its owner never changes: another owner, custodian or workspace begins a new generation at 0,
 * so that nobody's consumption can slide into another's bill.
 */
export interface Register extends Owner {
  readonly id: number
  readonly meter: Meter
  readonly subject: Subject
  /** Counts generations of the same meter and subject from 0. */
  readonly gen: number
  readonly billable: boolean
  /** Where it stands. */
  readonly end: bigint
  /** Where it stood in the last record that named it. */
  readonly reported: bigint
  /** `sensor.active_day` only: the last day counted, YYYY-MM-DD. */
  readonly day: string | null
  /** Quality bits to be set in the next record. */
  readonly q: number
  /** Cellular meters only: the link that what is not reported yet was counted on. */
  readonly src: LinkSource | null
  /** `sensor.readings` of a time that the gateway did not know: when it was read since a record named it. */
  readonly readAt?: readonly ReadSpan[] | null
}

export interface Increment {
  readonly meter: Meter
  readonly subject: Subject
  readonly owner: Owner
  readonly by: bigint
  /** `sensor.active_day` only: counts 1 unless this day was counted already; `by` is ignored. */
  readonly day?: string
  /** Quality bits for the record that reports it. */
  readonly q?: number
  /** Default true; evidence that nobody is billed for says false. */
  readonly billable?: boolean
  /** Cellular meters only: the link it was counted on. */
  readonly src?: LinkSource
  /** `sensor.readings` only, where no day is known: when it was read, monotonic ms. */
  readonly at?: number
}

export const sameOwner = (a: Owner, b: Owner): boolean =>
  a.org === b.org &&
  a.ownerEpoch === b.ownerEpoch &&
  a.custodian === b.custodian &&
  a.workspace === b.workspace

const sameSource = (a: LinkSource, b: LinkSource): boolean =>
  a.iface === b.iface &&
  a.ifindex === b.ifindex &&
  a.iccid === b.iccid &&
  a.mccmnc === b.mccmnc &&
  a.roaming === b.roaming &&
  a.rat === b.rat

/**
 * Whether the register goes on: for the same payer, and not for another link while what it counted on the last one is not
 * reported. Intervals end with a link's network, so the second is rare.
 */
function goesOn(register: Register, { owner, src, billable = true }: Increment): boolean {
  if (register.billable !== billable) return false
  const isHeld = register.src !== null && register.end !== register.reported
  return sameOwner(register, owner) && (!isHeld || src === undefined || sameSource(register.src, src))
}

const keyOf = (meter: Meter, subject: Subject): string => `${meter} ${subject}`

const NONE: ReadonlyMap<number, Register> = new Map()

function keepLatest(latest: Map<string, Register>, register: Register): void {
  const key = keyOf(register.meter, register.subject)
  const known = latest.get(key)
  if (known === undefined || known.gen <= register.gen) latest.set(key, register)
}

/** All registers of a gateway in memory. `plan` changes nothing; `apply` is called once the plan is committed. */
export class RegisterBook {
  readonly #byId = new Map<number, Register>()
  readonly #latest = new Map<string, Register>()
  #nextId = 1

  constructor(registers: readonly Register[] = []) {
    this.apply(registers)
  }

  /**
   * The registers as they would stand after these increments: each changed one once, new ones included.
   * @param over registers as this same commit has left them, by id; they stand before those of the book
   */
  plan(increments: readonly Increment[], over: ReadonlyMap<number, Register> = NONE): Register[] {
    const latest = new Map<string, Register>()
    const changed = new Map<number, Register>()
    let nextId = this.#nextId
    for (const register of over.values()) {
      keepLatest(latest, register)
      nextId = Math.max(nextId, register.id + 1)
    }
    for (const increment of increments) {
      const key = keyOf(increment.meter, increment.subject)
      const before = latest.get(key) ?? this.#latest.get(key)
      const by = amountOf(increment, before)
      if (by === 0n) continue
      const same = before !== undefined && goesOn(before, increment)
      const base = same ? before : born(increment, nextId++, before)
      const after = counted(base, increment, by)
      latest.set(key, after)
      changed.set(after.id, after)
    }
    return [...changed.values()]
  }

  apply(registers: readonly Register[]): void {
    for (const register of registers) {
      this.#byId.set(register.id, register)
      keepLatest(this.#latest, register)
      this.#nextId = Math.max(this.#nextId, register.id + 1)
    }
  }

  /** Those that moved since a record named them. */
  moved(): Register[] {
    return [...this.#byId.values()].filter((register) => register.end !== register.reported)
  }

  /** The newest generation of each meter and subject. */
  latest(): Register[] {
    return [...this.#latest.values()]
  }

  all(): Register[] {
    return [...this.#byId.values()]
  }
}

/** A sensor-day is counted once, for the owner at its first reading: days never go back, whoever owns the sensor now. */
function amountOf(increment: Increment, before: Register | undefined): bigint {
  if (increment.day === undefined) return increment.by
  const counted = before?.day ?? null
  return counted === null || increment.day > counted ? 1n : 0n
}

/** The register as it stands after this. */
function counted(base: Register, { day, q = 0, src, at }: Increment, by: bigint): Register {
  return {
    ...base,
    end: base.end + by,
    day: day ?? base.day,
    q: base.q | q,
    src: src ?? base.src,
    ...(at !== undefined && { readAt: withMoment(base.readAt ?? [], at) }),
  }
}

/** Another generation of the same meter and subject, at 0. */
function born(increment: Increment, id: number, before: Register | undefined): Register {
  const { meter, subject, owner, day, billable = true, src = null } = increment
  const { org, ownerEpoch, custodian, workspace } = owner
  const whose = { org, ownerEpoch, custodian, workspace }
  const gen = before === undefined ? 0 : before.gen + 1
  return { id, meter, subject, gen, ...whose, billable, end: 0n, reported: 0n, day: day ?? null, q: 0, src }
}
