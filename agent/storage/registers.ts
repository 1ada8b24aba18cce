import type { Database } from 'better-sqlite3'
import type { LinkSource } from '../../cloud-sync/contract/index.ts'
import type { ReadSpan, Register } from '../metering/index.ts'
import { prepared } from './prepared.ts'

interface Row
  extends Omit<
    Register,
    'billable' | 'end' | 'reported' | 'id' | 'gen' | 'ownerEpoch' | 'q' | 'src' | 'readAt'
  > {
  readonly id: bigint
  readonly gen: bigint
  readonly owner_epoch: bigint
  readonly billable: bigint
  readonly end: bigint
  readonly reported: bigint
  readonly q: bigint
  readonly src: string | null
  readonly read_at: string | null
}

/** Every register there ever was; ends are exact to 2^63. */
export function loadRegisters(database: Database): Register[] {
  const rows = prepared(database, 'SELECT * FROM register JOIN register_value USING (id) ORDER BY id')
    .safeIntegers()
    .all() as Row[]
  return rows.map(({ owner_epoch, read_at, ...row }) => ({
    ...row,
    id: Number(row.id),
    gen: Number(row.gen),
    ownerEpoch: Number(owner_epoch),
    billable: row.billable === 1n,
    q: Number(row.q),
    src: row.src === null ? null : (JSON.parse(row.src) as LinkSource),
    readAt: read_at === null ? null : (JSON.parse(read_at) as ReadSpan[]),
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
    'UPDATE register_value SET end = ?, reported = ?, q = ?, day = ?, src = ?, read_at = ? WHERE id = ?',
  )
  const insert = prepared(
    database,
    'INSERT INTO register_value (end, reported, q, day, src, read_at, id) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  for (const register of registers) {
    const { id, meter, subject, gen, org, ownerEpoch, custodian, workspace, billable } = register
    const src = register.src === null ? null : JSON.stringify(register.src)
    const readAt = register.readAt == null ? null : JSON.stringify(register.readAt)
    const where = [register.end, register.reported, register.q, register.day, src, readAt, id] as const
    if (update.run(...where).changes > 0) continue
    born.run(id, meter, subject, gen, org, ownerEpoch, custodian, workspace, billable ? 1 : 0)
    insert.run(...where)
  }
}
