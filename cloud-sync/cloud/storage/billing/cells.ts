import { deflateSync, inflateSync } from 'node:zlib'
import type { Cell } from '../../billing/index.ts'

/** What differs from cell to cell of one line. */
const TEXTS = ['day', 'gateway', 'subject', 'custodian', 'workspace'] as const
const NUMBERS = ['consumed', 'charged', 'unitPrice', 'amount', 'minor'] as const
const COLUMNS = [...TEXTS, ...NUMBERS] as const

const FAST = 1
const BYTES_A_NUMBER = 4
/** Tables of fewer values have places of two bytes: half as much to pack. */
const NARROW_VALUES_MAX = 0x7fff
/** Place of null in every table. */
const NOTHING = -1

interface Header {
  readonly count: number
  /** Bytes of a place; four where nothing is said. */
  readonly width?: 2 | 4
  /** Every text that stands in the first columns, and every number in the others, once. */
  readonly texts: readonly string[]
  readonly numbers: readonly string[]
}

/**
 * The cells of one line, column by column, each value by its place in a table of all that occur: a month of 10,000
 * sensors has a third of a million cells and hardly any different values.
 */
export function packCells(cells: readonly Cell[]): Uint8Array {
  const texts = new Places<string>()
  const numbers = new Places<bigint>()
  const columns = new Int32Array(COLUMNS.length * cells.length)
  let at = 0
  for (const column of TEXTS) for (const cell of cells) columns[at++] = texts.of(cell[column])
  for (const column of NUMBERS) for (const cell of cells) columns[at++] = numbers.of(cell[column])
  const isNarrow = Math.max(texts.values.length, numbers.values.length) <= NARROW_VALUES_MAX
  const header: Header = {
    count: cells.length,
    width: isNarrow ? 2 : BYTES_A_NUMBER,
    texts: texts.values,
    numbers: numbers.values.map((value) => value.toString()),
  }
  const head = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(BYTES_A_NUMBER)
  size.writeUInt32LE(head.length)
  const places = isNarrow ? new Int16Array(columns) : columns
  return deflateSync(Buffer.concat([size, head, Buffer.from(places.buffer)]), { level: FAST })
}

/** The cells as they were packed; service, sku and card are the line's. */
export function unpackCells(packed: Uint8Array, line: Pick<Cell, 'service' | 'sku' | 'card'>): Cell[] {
  const bytes = inflateSync(packed)
  const start = BYTES_A_NUMBER + bytes.readUInt32LE(0)
  const { count, width, texts, numbers } = JSON.parse(bytes.toString('utf8', BYTES_A_NUMBER, start)) as Header
  const amounts = numbers.map(BigInt)
  // A copy, because the columns need not begin at a multiple of their width.
  const { buffer } = Uint8Array.prototype.slice.call(bytes, start)
  const columns = width === 2 ? new Int16Array(buffer) : new Int32Array(buffer)
  const { service, sku, card } = line
  const text = (column: number, row: number): string | null =>
    texts[columns[column * count + row] ?? 0] ?? null
  const number = (column: number, row: number): bigint | null =>
    amounts[columns[column * count + row] ?? 0] ?? null
  return Array.from({ length: count }, (_, row) => ({
    day: text(0, row) ?? '',
    service,
    sku,
    card,
    gateway: text(1, row),
    subject: text(2, row),
    custodian: text(3, row),
    workspace: text(4, row),
    consumed: number(5, row) ?? 0n,
    charged: number(6, row) ?? 0n,
    unitPrice: number(7, row),
    amount: number(8, row) ?? 0n,
    minor: number(9, row) ?? 0n,
  }))
}

/** Gives each value the place where it stands once. */
class Places<T> {
  readonly values: T[] = []
  readonly #places = new Map<T, number>()
  #last: T | null = null
  #lastPlace = NOTHING

  of(value: T | null): number {
    if (value === null) return NOTHING
    // Most cells have what the one before has.
    if (value === this.#last) return this.#lastPlace
    let place = this.#places.get(value)
    if (place === undefined) {
      place = this.values.length
      this.values.push(value)
      this.#places.set(value, place)
    }
    this.#last = value
    this.#lastPlace = place
    return place
  }
}
