import { createHash } from 'node:crypto'
import { z } from 'zod'
import {
  CHAINS,
  type DirectoryRow,
  type DirectoryStore,
  type DirectoryTransaction,
  type Finish,
  POLICY_TABLES,
  type PolicyTable,
} from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import type { NamedActor } from './actor.ts'

/** What one entry does to the rows of its chain. */
const Op = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('put'), table: z.string(), row: z.record(z.string(), z.unknown()) }),
  z.strictObject({ do: z.literal('drop'), table: z.string(), row: z.record(z.string(), z.unknown()) }),
])
export type Op = z.infer<typeof Op>

/**
 * One fact: who changed what when, chained to the fact before. Its text, once written, is what is hashed and never
 * encoded again; its shape never changes meaning.
 */
const Entry = z.strictObject({
  v: z.literal(1),
  chain: z.string(),
  seq: z.int().min(1),
  prev: z.string(),
  at: z.int(),
  actor: z.strictObject({ kind: z.string(), id: z.string(), org: z.string().nullable() }),
  kind: z.string(),
  ops: z.array(Op),
})

export const ZERO = '0'.repeat(64)
const REBUILD_PAGE = 500

export interface Fact {
  readonly at: number
  readonly actor: NamedActor
  readonly kind: string
}

/** The chain that a row belongs to. */
export function chainOf(table: PolicyTable, row: Readonly<Record<string, unknown>>): string {
  const [kind, column] = CHAINS[table]
  return kind === 'platform' ? 'platform' : `${kind}:${String(row[column])}`
}

/** The next entry of each chain that has operations, and where each ends then; the caller holds these chains. */
export function nextEntries({
  heads,
  fact,
  ops,
}: {
  heads: ReadonlyMap<string, Head>
  fact: Fact
  ops: ReadonlyMap<string, readonly Op[]>
}): Pick<Finish, 'entries' | 'heads'> {
  const entries = [...ops].map(([chain, done]) => {
    const { seq: before, hash: prev } = heads.get(chain) ?? { seq: 0, hash: ZERO }
    const seq = before + 1
    const entry = JSON.stringify({ v: 1, chain, seq, prev, ...fact, ops: done })
    return { chain, seq, hash: sha256(entry), at: fact.at, kind: fact.kind, entry }
  })
  return { entries, heads: entries.map(({ chain, seq, hash }) => ({ chain, seq, hash })) }
}

export type Head = Pick<DirectoryRow<'chain_head'>, 'seq' | 'hash'>

/** Reads the whole log, checks every chain and writes what it adds up to into an empty directory. */
export async function rebuild(from: DirectoryStore, into: DirectoryStore): Promise<{ entries: number }> {
  const heads = new Map<string, Head>()
  let entries = 0
  for (let after = 0; ; ) {
    const page = await from.read.find('policy_log', {}, { orderBy: ['position'], after, limit: REBUILD_PAGE })
    const last = page.at(-1)
    if (last === undefined) return { entries }
    await into.transaction(async (tx) => {
      for (const row of page) await replay(tx, checked(row, heads))
    })
    entries += page.length
    after = last.position
  }
}

/** Reads the whole log and checks every chain from its first entry; throws DIRECTORY_LOG_BROKEN with the first fault. */
export async function verifyChains({ read }: DirectoryStore): Promise<{ entries: number; chains: number }> {
  const heads = new Map<string, Head>()
  let entries = 0
  for (let after = 0; ; ) {
    const page = await read.find('policy_log', {}, { orderBy: ['position'], after, limit: REBUILD_PAGE })
    for (const row of page) checked(row, heads)
    const last = page.at(-1)
    entries += page.length
    if (last === undefined) return { entries, chains: heads.size }
    after = last.position
  }
}

/** Checks an entry against its chain; throws DIRECTORY_LOG_BROKEN. */
function checked(row: DirectoryRow<'policy_log'>, heads: Map<string, Head>): z.infer<typeof Entry> {
  const broken = (): never => refuse('DIRECTORY_LOG_BROKEN', `${row.chain} is broken at ${row.seq}`)
  const { seq, hash } = heads.get(row.chain) ?? { seq: 0, hash: ZERO }
  const entry = Entry.safeParse(JSON.parse(row.entry))
  if (!entry.success || sha256(row.entry) !== row.hash) return broken()
  const { data } = entry
  const follows =
    data.seq === seq + 1 && data.prev === hash && data.chain === row.chain && row.seq === data.seq
  if (!follows) return broken()
  heads.set(row.chain, { seq: data.seq, hash: row.hash })
  return data
}

async function replay(tx: DirectoryTransaction, { ops }: z.infer<typeof Entry>): Promise<void> {
  for (const { do: how, table, row } of ops) {
    if (!isPolicyTable(table)) refuse('DIRECTORY_LOG_BROKEN', `there is no table ${table}`)
    else if (how === 'put') await tx.put(table, row)
    else await tx.drop(table, row)
  }
}

const isPolicyTable = (table: string): table is PolicyTable => table in POLICY_TABLES

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
