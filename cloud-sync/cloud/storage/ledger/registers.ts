import type { Epoch, GatewayId, OrgId } from '../../../contract/index.ts'
import { answersTo, dialectOf, insertAll, updateAll } from '../relational/index.ts'
import type { Db } from './open.ts'
import { LEDGER_TABLES, type NewRegister } from './tables.ts'

/** Names the registers of one subject and generation in one epoch: a row. */
export interface RegisterPlace {
  readonly gateway: string
  readonly epoch: string
  readonly subject: string
  readonly gen: number
}

/** Where one of its meters stands, for whom it last counted, and by which record. */
export interface MeterStand {
  readonly meter: string
  readonly org: string
  readonly end: bigint
  readonly seq: number
}

export interface RegisterRow extends RegisterPlace {
  readonly stands: readonly MeterStand[]
}

/** A meter's place in a row, as JSON: an end may be beyond what a number holds. */
type Packed = readonly [meter: string, org: string, end: string, seq: number]

const byMeter = (a: { readonly meter: string }, b: { readonly meter: string }): number =>
  a.meter < b.meter ? -1 : 1

/** The same stands make the same text, in whatever order they came. */
const packed = (stands: readonly MeterStand[]): string =>
  JSON.stringify(
    stands.toSorted(byMeter).map(({ meter, org, end, seq }): Packed => [meter, org, end.toString(), seq]),
  )

const unpacked = (stands: string): MeterStand[] =>
  (JSON.parse(stands) as Packed[]).map(([meter, org, end, seq]) => ({ meter, org, end: BigInt(end), seq }))

const ROWS = {
  columns: { gateway: 'text', epoch: 'text', subject: 'text', gen: 'whole' },
  question: `select r.gateway, r.epoch, r.subject, r.gen, r.stands from k cross join usage_register r
    where r.gateway = k.gateway and r.epoch = k.epoch and r.subject = k.subject and r.gen = k.gen`,
} as const

/** Where the registers of these rows stand, those that are there. */
export async function standsAt(db: Db, places: readonly RegisterPlace[]): Promise<RegisterRow[]> {
  if (places.length === 0) return []
  const rows = await answersTo<NewRegister>(
    db,
    ROWS,
    places.map(({ gateway, epoch, subject, gen }) => [gateway, epoch, subject, gen]),
  )
  return rows.map(({ stands, ...place }) => ({ ...place, stands: unpacked(stands) }))
}

/** A row as it is now to be, and whether it is stored yet. */
export interface MovedRegisters {
  readonly row: RegisterRow
  readonly isThere: boolean
}

const TABLE = LEDGER_TABLES.usage_register
const MOVES = 'on conflict (gateway, epoch, subject, gen) do update set stands = excluded.stands'

/** Writes rows over those that are there; the caller holds their stream. */
export async function moveRegisters(db: Db, moved: readonly MovedRegisters[]): Promise<void> {
  const rows = moved.map(({ row: { stands, ...place } }) => ({ ...place, stands: packed(stands) }))
  if (dialectOf(db) === 'sqlite') {
    await insertAll(db, { into: 'usage_register', table: TABLE, then: MOVES }, rows)
    return
  }
  const there = rows.filter((_, at) => moved[at]?.isThere)
  const fresh = rows.filter((_, at) => moved[at]?.isThere === false)
  await updateAll(db, { of: 'usage_register', table: TABLE, set: ['stands'] }, there)
  await insertAll(db, { into: 'usage_register', table: TABLE }, fresh)
}

/** One register as it is told. */
export interface RegisterStand extends MeterStand, RegisterPlace {}

/** Where every register of one epoch stands, by subject, meter and generation. */
export async function registersOf(
  db: Db,
  { gateway, epoch }: { gateway: GatewayId; epoch: Epoch },
): Promise<Omit<RegisterStand, 'gateway' | 'epoch'>[]> {
  const stored = db.selectFrom('usage_register').selectAll()
  const rows = await stored.where('gateway', '=', gateway).where('epoch', '=', epoch).execute()
  return toldIn(rows).map(({ meter, subject, gen, org, seq, end }) => ({
    ...{ meter, subject, gen, org, seq, end },
  }))
}

/** Where every register stands that last counted for an organisation. */
export async function registersOfOrg(
  db: Db,
  { org, gateways }: { org: OrgId; gateways: readonly GatewayId[] },
): Promise<RegisterStand[]> {
  if (gateways.length === 0) return []
  const rows = await db.selectFrom('usage_register').selectAll().where('gateway', 'in', gateways).execute()
  return toldIn(rows).filter((stand) => stand.org === org)
}

function toldIn(rows: readonly NewRegister[]): RegisterStand[] {
  const told = rows.flatMap(({ stands, ...place }) =>
    unpacked(stands).map((stand) => ({ ...place, ...stand })),
  )
  const nameOf = ({ gateway, epoch, subject, meter }: RegisterStand): string =>
    [gateway, epoch, subject, meter].join('\n')
  return told.sort((a, b) => {
    const [one, other] = [nameOf(a), nameOf(b)]
    return one === other ? a.gen - b.gen : one < other ? -1 : 1
  })
}
