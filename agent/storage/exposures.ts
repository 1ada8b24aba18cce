import type { Database } from 'better-sqlite3'
import { prepared } from './prepared.ts'

/** Different disclosures between two commits at most; beyond it they are counted together. */
const TOGETHER_MAX = 1_000
const OTHERS = 'others'

/** What was disclosed by a share that was made here, to whom. */
interface Exposure {
  readonly principal: string
  /** The topic. */
  readonly what: string
  /** Wall clock, epoch ms. */
  readonly first: number
  readonly last: number
  readonly count: number
}

/** By which change. */
type Numbered = Exposure & { readonly seq: number }

/** Disclosures since the last commit, counted in memory: a delivery waits for no disk. */
export class Disclosures {
  #noted = new Map<string, Numbered>()

  note(seq: number, { principal, what }: Pick<Exposure, 'principal' | 'what'>, at: number): void {
    this.#add({ seq, principal, what, first: at, last: at, count: 1 })
  }

  /** All of them; the next begin anew. */
  take(): Numbered[] {
    const taken = [...this.#noted.values()]
    this.#noted = new Map()
    return taken
  }

  putBack(taken: readonly Numbered[]): void {
    for (const one of taken) this.#add(one)
  }

  #add(one: Numbered): void {
    const named = `${one.seq} ${one.principal} ${one.what}`
    const isNew = !this.#noted.has(named)
    const name = isNew && this.#noted.size >= TOGETHER_MAX ? `${one.seq} ${OTHERS}` : named
    const known = this.#noted.get(name)
    const first = Math.min(known?.first ?? one.first, one.first)
    const last = Math.max(known?.last ?? one.last, one.last)
    const who = name === named ? one : { ...one, principal: OTHERS, what: OTHERS }
    this.#noted.set(name, { ...who, first, last, count: (known?.count ?? 0) + one.count })
  }
}

export function keepExposures(database: Database, exposures: readonly Numbered[]): void {
  for (const { seq, principal, what, first, last, count } of exposures) {
    prepared(
      database,
      `INSERT INTO exposure (seq, principal, what, first, last, count) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET last = max(last, excluded.last), count = count + excluded.count`,
    ).run(seq, principal, what, first, last, count)
  }
}

export const exposuresOf = (database: Database, seq: number): Exposure[] =>
  prepared(
    database,
    'SELECT principal, what, first, last, count FROM exposure WHERE seq = ? ORDER BY principal, what',
  ).all(seq) as Exposure[]
