import { z } from 'zod'
import { hasNul } from '../nul.ts'
import { ApiError } from '../problem.ts'

const LIMIT_DEFAULT = 50
/** One less than a question of the directory may answer at once, so that one more tells whether there is more. */
const LIMIT_MAX = 199
const KEY_BYTES_MAX = 512

/** What a list is asked with besides its own questions. */
export const PageQuery = z.strictObject({
  limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT).describe('items at most'),
  cursor: z.string().max(1_024).optional().describe('`next` of the page before, as it was given'),
})
export type PageQuery = z.output<typeof PageQuery>

/** Fields of questions that a cursor stands for. */
export const HIDDEN: ReadonlySet<string> = new Set(['limit', 'after', 'before'])

export interface Page {
  readonly items: readonly unknown[]
  /** Ask again with it; null where there is nothing more. */
  readonly next: string | null
}

/** The place in a list that a cursor stands for; throws API_REQUEST_INVALID for one that was never given. */
export function placeOf(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  const place = bytes.toString('utf8')
  const isWhole = bytes.length > 0 && bytes.length <= KEY_BYTES_MAX
  const isOurs = isWhole && cursorOf(place) === cursor && !hasNul(place)
  if (!isOurs) throw new ApiError('API_REQUEST_INVALID', 'cursor: take the one that was given')
  return place
}

const cursorOf = (place: string): string => Buffer.from(place).toString('base64url')

/**
 * A page of a list that came whole, in the order of `key`: what is added or taken away meanwhile neither hides nor
 * repeats any other item.
 */
export function pageOf(
  items: readonly unknown[],
  key: (item: never) => string,
  { limit, cursor }: PageQuery,
): Page {
  const after = cursor === undefined ? undefined : placeOf(cursor)
  const placed = items
    .map((item) => ({ item, place: key(item as never) }))
    .filter(({ place }) => after === undefined || place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1))
  return cut(placed, limit)
}

/** A page of what was asked for from a place on, one item more than the page holds. */
export const pageFrom = (items: readonly unknown[], key: (item: never) => string, limit: number): Page =>
  cut(
    items.map((item) => ({ item, place: key(item as never) })),
    limit,
  )

/** A page that says by itself where it goes on; it may hold fewer items than were asked for. */
export const pageUntil = (items: readonly unknown[], place: string | null): Page => ({
  items,
  next: place === null ? null : cursorOf(place),
})

function cut(placed: readonly { item: unknown; place: string }[], limit: number): Page {
  const page = placed.slice(0, limit)
  const last = page.at(-1)
  const next = last === undefined || placed.length <= limit ? null : cursorOf(last.place)
  return { items: page.map(({ item }) => item), next }
}
