import type { Database } from 'better-sqlite3'
import { ChannelDef } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { prepared } from './prepared.ts'

/** Definitions a gateway may collect over its life; each owner, unit or resolution change of a channel is one more. */
const CHANNELS_MAX = 100_000

/** Everything of a definition but its number. */
export type ChannelKey = Omit<ChannelDef, 'no'>

/** Gives each channel of each owner its number. A number is stored in the transaction of the first reading under it. */
export class ChannelBook {
  readonly #byKey = new Map<string, ChannelDef>()
  readonly #byNo = new Map<number, ChannelDef>()
  #unsaved: ChannelDef[] = []
  #nextNo = 1

  /** Loads what is stored. */
  constructor(database: Database) {
    const rows = prepared(database, 'SELECT def FROM channel ORDER BY no').all() as { def: string }[]
    for (const { def } of rows) this.#keep(ChannelDef.parse(JSON.parse(def)))
  }

  /** The definition with exactly these parts, made now if need be. */
  define(key: ChannelKey): ChannelDef {
    const text = keyText(key)
    const known = this.#byKey.get(text)
    if (known !== undefined) return known
    if (this.#byNo.size >= CHANNELS_MAX) {
      throw new AgentError('STORE_FULL', `There are ${CHANNELS_MAX} channel definitions already.`)
    }
    // Parsed before it is stored, because it is parsed again at every start.
    const def = ChannelDef.parse({ no: this.#nextNo, ...key })
    this.#keep(def)
    this.#unsaved.push(def)
    return def
  }

  get(no: number): ChannelDef | undefined {
    return this.#byNo.get(no)
  }

  /** As the codec wants it. Throws for a number that was never given: that is a fault of this program. */
  readonly resolutionOf = (no: number): ChannelDef['resolution'] => this.#known(no).resolution

  defs(numbers: Iterable<number>): ChannelDef[] {
    return [...numbers].map((no) => this.#known(no))
  }

  all(): ChannelDef[] {
    return [...this.#byNo.values()]
  }

  /** Stores the new ones; the answer is called once that is committed. */
  write(database: Database): () => void {
    const saved = this.#unsaved
    const insert = prepared(database, 'INSERT INTO channel (no, def) VALUES (?, ?)')
    for (const def of saved) insert.run(def.no, JSON.stringify(def))
    return () => void (this.#unsaved = this.#unsaved.slice(saved.length))
  }

  #known(no: number): ChannelDef {
    const def = this.#byNo.get(no)
    if (def === undefined) throw new Error(`channel number ${no} was never given`)
    return def
  }

  #keep(def: ChannelDef): void {
    this.#byKey.set(keyText(def), def)
    this.#byNo.set(def.no, def)
    this.#nextNo = Math.max(this.#nextNo, def.no + 1)
  }
}

function keyText({
  device,
  sensor,
  channel,
  unit,
  resolution,
  derived,
  org,
  ownerEpoch,
}: ChannelKey): string {
  return JSON.stringify([
    device,
    sensor,
    channel,
    unit,
    resolution && [resolution.step, resolution.digits],
    derived,
    org,
    ownerEpoch,
  ])
}
