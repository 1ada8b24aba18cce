import { createHash } from 'node:crypto'
import type { OrgId } from '../../contract/index.ts'
import { type Day, parsePriceBook, type Period, type PriceBook } from '../billing/index.ts'
import type { BillingReader, BillingTransaction } from '../storage/index.ts'
import { refuse } from './errors.ts'

/** Before there is a book nothing has a price. */
const NO_PRICES = parsePriceBook({ version: 'none', cards: [], assignments: [] })
const BOOKS_KEPT_MAX = 4

/** Who adds a book and who closes a month by one wait for each other. */
export const PRICE_BOOKS = 'price books'

/** Parsed books by their number; a book never changes. */
export class PriceBooks {
  readonly #parsed = new Map<number, PriceBook>()

  /** The book in force; a partner has one of its own for its customers. */
  async current(read: BillingReader, owner = ''): Promise<PriceBook> {
    const [row] = await read.find(
      'price_book',
      { owner },
      { orderBy: ['number'], descending: true, limit: 1 },
    )
    if (row === undefined) return NO_PRICES
    const known = this.#parsed.get(row.number) ?? parsePriceBook(JSON.parse(row.data))
    if (this.#parsed.size >= BOOKS_KEPT_MAX) this.#parsed.clear()
    this.#parsed.set(row.number, known)
    return known
  }
}

/**
 * Appends a book. Prices of closed months stay: a correction rates the whole month anew, so another price there would
 * bill it again. @throws BillingError BILLING_PRICES_INVALID; refuses INVOICING_PRICES_RETROACTIVE
 */
export async function addPriceBook(
  tx: BillingTransaction,
  given: {
    readonly data: unknown
    readonly at: number
    readonly by: string
    readonly owner?: string
  },
): Promise<PriceBook> {
  const book = parsePriceBook(given.data)
  await tx.exclusively(PRICE_BOOKS)
  const [newest] = await tx.find('price_book', {}, { orderBy: ['number'], descending: true, limit: 1 })
  const owner = given.owner ?? ''
  const clash = await tx.get('price_book', { owner, version: book.version })
  if (clash !== undefined) refuse('INVOICING_INPUT_INVALID', `version: ${book.version} is there already`)
  const before = await new PriceBooks().current(tx, owner)
  const changed = await changedInThePast(tx, before, book)
  if (changed !== undefined)
    refuse('INVOICING_PRICES_RETROACTIVE', `${changed.org} has paid for ${changed.day} by another price`)
  const data = JSON.stringify(given.data)
  await tx.add('price_book', {
    number: (newest?.number ?? 0) + 1,
    owner,
    version: book.version,
    data,
    sha256: createHash('sha256').update(data).digest('hex'),
    made_at: given.at,
    made_by: given.by,
  })
  return book
}

/** The first day of a closed month that would have another price. */
async function changedInThePast(
  read: BillingReader,
  before: PriceBook,
  after: PriceBook,
): Promise<{ org: string; day: Day } | undefined> {
  const closed = new Map<string, { first: Period; last: Period }>()
  for (const { org, period } of await read.find(
    'billing_period',
    { state: 'closed' },
    { orderBy: ['period'] },
  )) {
    closed.set(org, { first: closed.get(org)?.first ?? period, last: period })
  }
  for (const [org, { first, last }] of closed) {
    const id = org as OrgId
    // A price changes on no other day than one on which a card begins.
    const days = [...before.changesOf(id), ...after.changesOf(id)].filter(
      (day) => day >= `${first}-01` && day.slice(0, 7) <= last,
    )
    const day = [`${first}-01`, ...days].find((one) => cardText(before, id, one) !== cardText(after, id, one))
    if (day !== undefined) return { org, day }
  }
  return undefined
}

const cardText = (book: PriceBook, org: OrgId, day: Day): string =>
  JSON.stringify(book.cardOn(org, day) ?? null, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
