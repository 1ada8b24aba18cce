import type { z } from 'zod'
import {
  type Actor,
  DIRECTORY_QUERIES,
  DIRECTORY_WRITES,
  type OrgDirectory,
  type Outcome,
} from '../../directory/index.ts'
import type { BillingDesk } from '../../invoicing/index.ts'
import type { ProblemCode } from '../problem.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** `anyone` need not be signed in; `session` means the account itself, which no key speaks for. */
type By = 'anyone' | 'user' | 'session' | 'operator'

/** One address and what it takes and gives: the router and the OpenAPI document are both made of these. */
export interface Operation {
  readonly method: Method
  /** `/v1/organisations/{org}`: a name in braces is a field of the request. */
  readonly path: string
  readonly by: By
  /** `members.changeRole`; unique. */
  readonly id: string
  readonly says: string
  /** Path, query and body together, as they are sent. */
  readonly request: z.ZodType
  /** Null = nothing, 204. Of a list the schema of an item. */
  readonly answer: z.ZodType | null
  /** The answer is a text or bytes of this kind, no JSON. */
  readonly media?: string
  readonly status: 200 | 201 | 202 | 204
  readonly isList: boolean
  /** Takes an idempotency key, and without one it does nothing. */
  readonly takesKey: boolean
  readonly bytesMax: number
}

/** An operation that a command or a question of the directory answers. */
export interface Route extends Operation {
  /** Area and name of it, `members.changeRole`. */
  readonly does: string
  /** From what is sent, what the directory takes. */
  readonly into: (request: Fields) => Fields
  readonly list: Listing | null
  readonly run: (behind: Behind, by: Run) => Promise<Answered>
}

/** Who answers. */
export interface Behind {
  readonly directory: OrgDirectory
  readonly billing: BillingDesk
}

/** What they answer; a refusal has a code that the API knows, or is as if the address were not there. */
type Answered =
  | { readonly ok: true; readonly value: unknown; readonly repeated: boolean }
  | { readonly ok: false; readonly code: ProblemCode; readonly message: string }

export type Fields = Readonly<Record<string, unknown>>

interface Run {
  readonly actor: Actor
  /** Of the write; nothing for a question. */
  readonly key: string
  readonly input: Fields
}

/** How a list goes page by page. */
export interface Listing {
  /** The items in what the directory answers. */
  readonly items: (answer: never) => readonly unknown[]
  /** The place of an item: unique, and in the order of the list. */
  readonly key: (item: never) => string
  /** Fields of the question that begin it at a place; null = it comes whole and is cut here. */
  readonly from: ((place: string) => Fields) | null
  /** The place at which it goes on, where the answer says so by itself; null = it is told by one item more. */
  readonly next: ((answer: never) => string | null) | null
}

type Writes = typeof DIRECTORY_WRITES
type Queries = typeof DIRECTORY_QUERIES
type Result<C> = C extends { readonly run: (...given: never[]) => Promise<infer R> } ? R : never
/** Does not compile where the answer has not what the schema promises. */
type Fits<R, S extends z.ZodType> = R extends z.input<S> ? unknown : { readonly 'does not fit': R }

interface Row {
  /** `POST /v1/organisations/{org}/teams` */
  readonly at: string
  readonly says: string
  readonly by?: By
  /** Where one command has two addresses. */
  readonly id?: string
  /** Where what is sent is not what the directory takes. */
  readonly request?: z.ZodType
  readonly into?: (request: never) => Fields
  /** Largest body. */
  readonly bytesMax?: number
  /** Where a POST makes nothing that stays. */
  readonly status?: 200 | 202
}

/** Largest body, bytes, where a row says nothing else: an organisation with its description is some 10,000. */
export const BODY_BYTES_MAX = 16 * 1024

/** A command of the directory at an address; `answer: null` = 204. */
export function write<A extends keyof Writes, M extends keyof Writes[A] & string, S extends z.ZodType>(
  area: A,
  name: M,
  row: Row & { readonly answer: (S & Fits<Result<Writes[A][M]>, S>) | null },
): Route {
  const { input } = named(DIRECTORY_WRITES, area, name) as Asks
  const route = routeOf(`${area}.${name}`, input, row)
  const status = row.answer === null ? 204 : (row.status ?? (route.method === 'POST' ? 201 : 200))
  return {
    ...route,
    answer: row.answer,
    status,
    takesKey: true,
    list: null,
    run: ({ directory: { write: writes } }, { actor, key, input: given }) =>
      (named(writes, area, name) as Bound)({ actor, key }, given),
  }
}

/** A question of the directory with one answer. */
export function read<A extends keyof Queries, M extends keyof Queries[A] & string, S extends z.ZodType>(
  area: A,
  name: M,
  row: Row & { readonly answer: S & Fits<Result<Queries[A][M]>, S> },
): Route {
  return { ...questionOf(area, name, row), answer: row.answer, list: null }
}

/** A question of the directory whose answer is a list, page by page. */
export function list<A extends keyof Queries, M extends keyof Queries[A] & string, S extends z.ZodType>(
  area: A,
  name: M,
  row: Row & {
    readonly item: S
    readonly items: (answer: Result<Queries[A][M]>) => readonly z.input<S>[]
    readonly key: (item: z.input<S>) => string
    readonly from?: (place: string) => Fields
    readonly next?: (answer: Result<Queries[A][M]>) => string | null
  },
): Route {
  const { item, items, key, from = null, next = null } = row
  return { ...questionOf(area, name, row), answer: item, isList: true, list: { items, key, from, next } }
}

/** Both are called alike; the table has checked what goes in and what comes out. */
type Bound = (by: unknown, input: Fields) => Promise<Outcome<unknown>>
interface Asks {
  readonly input: z.ZodType
}
const named = (areas: object, area: string, name: string): unknown =>
  (areas as Readonly<Record<string, Readonly<Record<string, unknown>>>>)[area]?.[name]

function questionOf(area: keyof Queries, name: string, row: Row): Omit<Route, 'answer' | 'list'> {
  const { input } = named(DIRECTORY_QUERIES, area, name) as Asks
  return {
    ...routeOf(`${area}.${name}`, input, row),
    status: 200,
    takesKey: false,
    run: ({ directory: { ask } }, { actor, input: given }) => (named(ask, area, name) as Bound)(actor, given),
  }
}

function routeOf(
  does: string,
  input: z.ZodType,
  { at, says, by = 'user', id = does, request = input, into, bytesMax = BODY_BYTES_MAX }: Row,
): Omit<Route, 'answer' | 'status' | 'takesKey' | 'list' | 'run'> {
  const [method = '', path = ''] = at.split(' ')
  const mapped = (into ?? ((same: Fields) => same)) as Route['into']
  return {
    method: method as Method,
    path,
    by,
    does,
    id,
    says,
    request,
    into: mapped,
    bytesMax,
    isList: false,
  }
}
