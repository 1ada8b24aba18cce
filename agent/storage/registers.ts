import type { Database } from 'better-sqlite3'
import type { LinkSource } from '../../cloud-sync/contract/index.ts'
import type { Register } from '../metering/index.ts'
import { prepared } from './prepared.ts'

interface Row
  extends Omit<Register, 'billable' | 'end' | 'reported' | 'id' | 'gen' | 'ownerEpoch' | 'q' | 'src'> {
  readonly id: bigint
  readonly gen: bigint
  readonly owner_epoch: bigint
  readonly billable: bigint
  readonly end: bigint
  readonly reported: bigint
  readonly q: bigint
  readonly src: string | null
}

/** Every register there ever was; ends are exact to 2^63. */
export function loadRegisters(database: Database): Register[] {
  const rows = prepared(database, 'SELECT * FROM register JOIN register_value USING (id) ORDER BY id')
    .safeIntegers()
    .all() as Row[]
  return rows.map(({ owner_epoch, ...row }) => ({
    ...row,
    id: Number(row.id),
    gen: Number(row.gen),
    ownerEpoch: Number(owner_epoch),
    billable: row.billable === 1n,
    q: Number(row.q),
    src: row.src === null ? null : (JSON.parse(row.src) as LinkSource),
  }))
}

/** Stores where these stand now; a new one with its owner. */
export function saveRegisters(database: Database, registers: readonly Register[]): void {
  const born = prepared(
    database,
    `INSERT OR IGNORE INTO register (id, meter, subject, gen, org, owner_epoch, custodian, workspace, billable)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const update = prepared(
    database,
    'UPDATE register_value SET end = ?, reported = ?, q = ?, day = ?, src = ? WHERE id = ?',
  )
  const insert = prepared(
    database,
    'INSERT INTO register_value (end, reported, q, day, src, id) VALUES (?, ?, ?, ?, ?, ?)',
  )
  for (const register of registers) {
    const { id, meter, subject, gen, org, ownerEpoch, custodian, workspace, billable } = register
    const src = register.src === null ? null : JSON.stringify(register.src)
    const where = [register.end, register.reported, register.q, register.day, src, id] as const
    if (update.run(...where).changes > 0) continue
    born.run(id, meter, subject, gen, org, ownerEpoch, custodian, workspace, billable ? 1 : 0)
    insert.run(...where)
  }
}
