import type { Context } from 'hono'
import type { z } from 'zod'
import type { Actor } from '../../directory/index.ts'
import type { Log } from '../../log.ts'
import { linesAnswer } from '../lines-answer.ts'
import { ApiError, checked } from '../problem.ts'
import type { Allowances } from './allowance.ts'
import { jsonBody, noBody } from './body.ts'
import { assertNotCrossSite, callerOf, type Caller } from './credentials.ts'
import { HIDDEN, type Page, pageFrom, pageOf, PageQuery, pageUntil, placeOf } from './page.ts'
import type { Behind, Fields, Listing, Operation, Route } from './route.ts'
import { type Shape, shapeOf, typedQuery } from './shape.ts'

export interface Serving extends Behind {
  /** Refuses who is not the operator of this machine. */
  readonly assertOperator: (c: Context) => void
  readonly addressOf: (c: Context) => string
  readonly allowances: Allowances
  readonly log: Log
}

/** What a request is, before anything is done. */
export interface Request {
  readonly c: Context
  /** Whence it comes. */
  readonly address: string
  readonly caller: Caller | undefined
  /** Fields of path, query and body. */
  readonly sent: Fields
  /** Idempotency key; empty where the operation takes none. */
  readonly key: string
}

/** The steps before every operation, in the order in which they are cheapest to refuse. */
export function guarded(
  operation: Operation,
  serving: Serving,
  run: (request: Request) => Promise<Response>,
): (c: Context) => Promise<Response> {
  const shape = shapeOf(operation)
  return async (c) => {
    const address = serving.addressOf(c)
    if (operation.by !== 'operator') serving.allowances.assertAddress(address)
    assertNotCrossSite(c)
    const caller =
      operation.by === 'operator'
        ? await operatorIn(c, { serving, address })
        : await signedIn(c, operation, { serving, address })
    const key = operation.takesKey ? idempotencyKey(c) : ''
    const sent = await fieldsOf(c, operation, shape)
    return run({ c, address, caller, sent, key })
  }
}

async function signedIn(
  c: Context,
  { by }: Operation,
  { serving, address }: { serving: Serving; address: string },
): Promise<Caller | undefined> {
  if (by === 'anyone') return undefined
  const caller = await callerOf(c, serving.directory, c.req.param('org')).catch((error: unknown) =>
    serving.allowances.fined(address, error),
  )
  serving.allowances.assertUser(caller.actor.user)
  if (by === 'session' && caller.by !== 'session')
    throw new ApiError('API_SESSION_NEEDED', 'this is for a session, not for a key')
  return caller
}

/**
 * The token on this machine is nobody in particular; from anywhere it is also the session of a user who is an operator of
 * the platform, apart from all their organisations. Everybody else is refused as if they had shown nothing.
 */
async function operatorIn(
  c: Context,
  { serving, address }: { serving: Serving; address: string },
): Promise<Caller | undefined> {
  try {
    serving.assertOperator(c)
    return undefined
  } catch (refused) {
    serving.allowances.assertAddress(address)
    const caller = await callerOf(c, serving.directory, undefined)
      .catch((error: unknown) => serving.allowances.fined(address, error))
      .catch((error: unknown) => {
        throw error instanceof ApiError && error.status === 401 ? refused : error
      })
    serving.allowances.assertUser(caller.actor.user)
    const own = { ...caller, actor: { ...caller.actor, org: null } }
    const isOperator = caller.by === 'session' && (await serving.directory.gate.demandOperator(own.actor)).ok
    if (!isOperator) throw refused
    return own
  }
}

/** What the directory answers, as the API shows it. */
export function directoryAnswer(route: Route, behind: Serving) {
  return async ({ c, address, caller, sent, key }: Request): Promise<Response> => {
    const actor = actorFor(route, caller, address)
    const { list } = route
    const page = list === null ? undefined : checked(PageQuery, only(sent, ['limit', 'cursor']))
    const asked = list === null ? sent : without(sent, ['limit', 'cursor', ...HIDDEN])
    checked(route.request, asked)
    const input = { ...route.into(asked), ...(list && page ? placed(list, page) : {}) }
    const outcome = await route.run(behind, { actor, key, input })
    if (!outcome.ok) throw new ApiError(outcome.code, outcome.message)
    if (outcome.repeated) c.header('Idempotency-Replayed', 'true')
    if (route.media !== undefined) return download(c, { media: route.media, log: behind.log }, outcome.value)
    if (route.answer === null) return c.body(null, 204)
    if (list === null || page === undefined)
      return c.json(shown(route.answer, outcome.value), route.status as 200)
    const { items, next } = pageIn(list, page, outcome.value as never)
    return c.json({ items: items.map((item) => shown(route.answer as z.ZodType, item)), next })
  }
}

function pageIn(list: Listing, page: PageQuery, answer: never): Page {
  const items = list.items(answer)
  if (list.next !== null) return pageUntil(items, list.next(answer))
  return list.from === null ? pageOf(items, list.key, page) : pageFrom(items, list.key, page.limit)
}

/** A file as it is; nobody but who asked keeps a copy of it. */
function download(c: Context, { media, log }: { media: string; log: Log }, value: unknown): Response {
  c.header('Content-Type', media)
  c.header('Cache-Control', 'no-store')
  if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value)
    return linesAnswer(c, value as AsyncIterable<string>, log)
  return c.body(value as string | Uint8Array<ArrayBuffer>, 200)
}

/** Only what the schema names leaves; an answer without it is our fault and becomes a 500. */
const shown = (schema: z.ZodType, value: unknown): object => schema.parse(value) as object

function actorFor({ by }: Operation, caller: Caller | undefined, address: string): Actor {
  if (caller === undefined)
    return by === 'operator' ? { kind: 'operator', name: 'operator' } : { kind: 'visitor', address }
  return { ...caller.actor, address }
}

/** One more than the page holds, where only that tells whether there is a next one. */
function placed({ from, next }: Listing, { limit, cursor }: PageQuery): Fields {
  if (from === null) return {}
  return { ...(cursor === undefined ? {} : from(placeOf(cursor))), limit: next === null ? limit + 1 : limit }
}

function idempotencyKey(c: Context): string {
  const key = c.req.header('Idempotency-Key')
  if (key === undefined) throw new ApiError('API_IDEMPOTENCY_KEY_MISSING', 'the write has no Idempotency-Key')
  if (!/^[\x21-\x7e]{1,128}$/.test(key))
    throw new ApiError('API_REQUEST_INVALID', 'Idempotency-Key: 1 to 128 visible ASCII characters')
  return key
}

async function fieldsOf(c: Context, operation: Operation, shape: Shape): Promise<Fields> {
  const inPath = Object.fromEntries(shape.path.map((name) => [name, c.req.param(name)]))
  const query = queryOf(c)
  const takesBody = operation.method !== 'GET' && Object.keys(shape.others).length > 0
  if (operation.method !== 'GET' && Object.keys(query).length > 0)
    throw new ApiError('API_REQUEST_INVALID', 'there is no query here')
  const sent = takesBody
    ? await jsonBody(c, operation.bytesMax)
    : typedQuery(query, { ...shape.others, ...(operation.isList ? PAGE : {}) })
  if (!takesBody) await noBody(c)
  const twice = shape.path.find((name) => name in sent)
  if (twice !== undefined) throw new ApiError('API_REQUEST_INVALID', `${twice}: it stands in the address`)
  return { ...sent, ...inPath }
}

const PAGE = shapeOf({ path: '', request: PageQuery }).properties

function queryOf(c: Context): Record<string, string> {
  const given = Object.entries(c.req.queries())
  const twice = given.find(([, values]) => values.length > 1)
  if (twice !== undefined) throw new ApiError('API_REQUEST_INVALID', `${twice[0]}: given twice`)
  return Object.fromEntries(given.map(([name, [value = '']]) => [name, value]))
}

const only = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
const without = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
