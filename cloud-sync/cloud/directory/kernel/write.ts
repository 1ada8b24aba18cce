import { z } from 'zod'
import type { CloudSeal } from '../../../codec/index.ts'
import {
  type DirectoryReader,
  type DirectoryRow,
  type DirectoryStore,
  type DirectoryTables,
  type DirectoryTransaction,
  isDuplicate,
  type PolicyTable,
} from '../../storage/index.ts'
import { DirectoryRefusal, type DirectoryErrorCode, refuse } from '../errors.ts'
import type { Message } from '../mail/port.ts'
import type { Hashing, ScryptCost } from './hashing.ts'
import { type Actor, nameOf } from './actor.ts'
import { auditLine, concernedBy, orgChain, orgsAmong } from './audit-lines.ts'
import { fingerprintOf } from './fingerprint.ts'
import { chainOf, type Head, nextEntries, type Op } from './log.ts'
import type { WorkspaceUsage } from './workspace-usage.ts'

/** What the directory is given of the outer world. */
export interface DirectoryWorld {
  readonly store: DirectoryStore
  /** Wall clock, epoch ms. */
  readonly now: () => number
  readonly newId: () => string
  /** 256 random bits, base64url. */
  readonly newSecret: () => string
  readonly scryptCost: ScryptCost
  /** Where everything that costs so much waits its turn: one for the whole process. */
  readonly hashing: Hashing
  /** What tells one write with a password from another; nobody who only has the database has it. */
  readonly fingerprintKey: Uint8Array
  /** Where links in mails lead, without a slash at the end. */
  readonly siteUrl: string
  /** What the ledger says of workspaces; absent = nothing is known. */
  readonly usage?: WorkspaceUsage
  /** What tickets and claim keys are signed with; absent = nothing is signed. */
  readonly seal?: () => CloudSeal & { readonly cloudId: string }
}

/** One write: by whom, and the key under which a repetition gets the same answer instead of a second effect. */
export interface Call {
  readonly actor: Actor
  readonly key: string
}

export type Outcome<R> =
  | { readonly ok: true; readonly value: R; readonly repeated: boolean }
  | { readonly ok: false; readonly code: DirectoryErrorCode; readonly message: string; readonly hint: string }

/** What a question is answered from. */
export interface Asking {
  readonly read: DirectoryReader
  readonly world: DirectoryWorld
  readonly actor: Actor
  /** The moment of the whole question or write, epoch ms. */
  readonly at: number
}

/** One kind of question. */
export interface Query<S extends z.ZodType, R> {
  readonly input: S
  readonly run: (asking: Asking, input: z.output<S>) => Promise<R>
}
export const query = <S extends z.ZodType, R>(made: Query<S, R>): Query<S, R> => made

/** Answers from a connection that no write waits for. */
export async function ask<S extends z.ZodType, R>(
  world: DirectoryWorld,
  made: Query<S, R>,
  actor: Actor,
  raw: unknown,
): Promise<Outcome<R>> {
  try {
    const parsed = made.input.safeParse(raw)
    if (!parsed.success) refuse('DIRECTORY_INPUT_INVALID', z.prettifyError(parsed.error))
    if (actor.kind === 'user' && actor.scope === 'write')
      refuse('DIRECTORY_FORBIDDEN', 'this key only writes')
    const value = await made.run({ read: world.store.read, world, actor, at: world.now() }, parsed.data)
    return { ok: true, value, repeated: false }
  } catch (error) {
    if (error instanceof DirectoryRefusal) return refused(error)
    throw error
  }
}

const refused = ({ code, message, hint }: DirectoryRefusal) => ({ ok: false, code, message, hint }) as const

type WorkingTable = Exclude<
  keyof DirectoryTables,
  PolicyTable | 'policy_log' | 'chain_head' | 'audit' | 'done_write'
>

/** What a command works with inside its transaction. */
export interface Writing extends Asking {
  /** Changes policy: the row and its entry in the log. */
  put<N extends PolicyTable>(table: N, row: DirectoryRow<N>): Promise<void>
  /** The same for a row that nobody else may have made at this moment; who comes second begins again. */
  add<N extends PolicyTable>(table: N, row: DirectoryRow<N>): Promise<void>
  drop<N extends PolicyTable>(table: N, row: DirectoryRow<N>): Promise<void>
  /** Changes what is not policy: secrets, sessions, counters. */
  readonly working: Pick<DirectoryTransaction, 'get' | 'find'> & {
    put<N extends WorkingTable>(table: N, row: DirectoryRow<N>): Promise<void>
    drop<N extends WorkingTable>(table: N, where: Partial<DirectoryRow<N>>): Promise<void>
  }
  /** Leaves after the commit, and only if there is one. */
  mail(message: Message): Promise<void>
}

/** One kind of write. */
export interface Command<S extends z.ZodType, R, P> {
  readonly name: string
  readonly input: S
  /** Chains of the log that it may write: nobody else writes these meanwhile. */
  readonly chains: (
    input: z.output<S>,
    actor: Actor,
    read: DirectoryReader,
  ) => readonly string[] | Promise<readonly string[]>
  /** Costly or refusing work before the transaction: passwords, limits. */
  readonly before?: (world: DirectoryWorld, actor: Actor, input: z.output<S>) => Promise<P>
  readonly run: (writing: Writing, input: z.output<S>, prepared: P) => Promise<R>
  /** What it was done to, where the audit names it: never a secret. */
  readonly about?: (input: z.output<S>, result: R) => string
  /** What the audit says of it, where it may end otherwise than done. */
  readonly outcome?: (result: R) => string
  /** Whether it is every organisation's affair whose chain it names: then it stands in the audit of each, not of the first. */
  readonly concernsAll?: boolean
  /** Fields of the result that are shown once: a repetition gets null. */
  readonly once?: readonly (keyof R & string)[]
}

export const command = <S extends z.ZodType, R, P = undefined>(made: Command<S, R, P>): Command<S, R, P> =>
  made

const KEY_LENGTH_MAX = 128
const REPEATED_WRITES_TRIED_MAX = 3
/** Refusals that an owner wants to see afterwards. */
const AUDITED: ReadonlySet<DirectoryErrorCode> = new Set([
  'DIRECTORY_FORBIDDEN',
  'DIRECTORY_ABOVE_RANK',
  'DIRECTORY_PASSWORD_WRONG',
  'DIRECTORY_LAST_OWNER',
  'DIRECTORY_NO_POLICY',
  'DIRECTORY_CLAIM_REFUSED',
])

/** Runs one write whole or not at all: rows, log, audit and the answer for a repetition in one transaction. */
export async function perform<S extends z.ZodType, R, P>(
  world: DirectoryWorld,
  made: Command<S, R, P>,
  call: Call,
  raw: unknown,
): Promise<Outcome<R>> {
  const parsed = made.input.safeParse(raw)
  if (!parsed.success)
    return refused(new DirectoryRefusal('DIRECTORY_INPUT_INVALID', z.prettifyError(parsed.error)))
  try {
    assertCall(call)
  } catch (error) {
    // Before anything is answered again: what a key may not do, it may not repeat either.
    if (error instanceof DirectoryRefusal) return refused(error)
    throw error
  }
  try {
    return await performed(world, made, call, parsed.data)
  } catch (error) {
    if (!(error instanceof DirectoryRefusal)) throw error
    const earlier = await doneBefore(world, made, call, parsed.data)
    if (earlier !== undefined) return earlier
    if (AUDITED.has(error.code) && call.actor.kind !== 'visitor')
      await auditRefusal(world, made, call, { input: parsed.data, outcome: error.code })
    return refused(error)
  }
}

function assertCall({ actor, key }: Call): void {
  if (key.length === 0 || key.length > KEY_LENGTH_MAX)
    refuse('DIRECTORY_INPUT_INVALID', `the idempotency key has 1 to ${KEY_LENGTH_MAX} characters`)
  if (actor.kind === 'user' && actor.scope === 'read') refuse('DIRECTORY_FORBIDDEN', 'this key only reads')
}

async function performed<S extends z.ZodType, R, P>(
  world: DirectoryWorld,
  made: Command<S, R, P>,
  call: Call,
  input: z.output<S>,
): Promise<Outcome<R>> {
  const prepared = (await made.before?.(world, call.actor, input)) as P
  const print = fingerprint(world, made, call, input)
  for (let tries = 1; ; tries += 1) {
    try {
      const value = await world.store.transaction((tx) =>
        inTransaction(tx, { world, made, call, input, prepared, print }),
      )
      return { ok: true, value, repeated: false }
    } catch (error) {
      if (!isDuplicate(error)) throw error
      // Somebody took the same name at the same moment, or it is this very write again.
      const earlier = await doneBefore(world, made, call, input)
      if (earlier !== undefined) return earlier
      if (tries >= REPEATED_WRITES_TRIED_MAX) refuse('DIRECTORY_EXISTS', 'somebody else was faster')
    }
  }
}

interface Running<S extends z.ZodType, R, P> {
  readonly world: DirectoryWorld
  readonly made: Command<S, R, P>
  readonly call: Call
  readonly input: z.output<S>
  readonly prepared: P
  readonly print: string
}

async function inTransaction<S extends z.ZodType, R, P>(
  tx: DirectoryTransaction,
  { world, made, call, input, prepared, print }: Running<S, R, P>,
): Promise<R> {
  const at = world.now()
  const named = await made.chains(input, call.actor, tx)
  const chains = [...new Set(named)].sort()
  const heads = new Map<string, Head>()
  if (chains.length > 0) for (const head of await tx.hold(chains)) heads.set(head.chain, head)
  const ops = new Map<string, Op[]>()
  const note = (how: Op['do'], table: PolicyTable, row: Record<string, unknown>): void => {
    const chain = chainOf(table, row)
    if (!chains.includes(chain)) throw new Error(`${made.name} writes ${chain} without holding it`)
    const known = ops.get(chain) ?? []
    known.push({ do: how, table, row })
    ops.set(chain, known)
  }
  const writing: Writing = {
    read: tx,
    world,
    actor: call.actor,
    at,
    async put(table, row) {
      note('put', table, row)
      await tx.put(table, row)
    },
    async add(table, row) {
      note('put', table, row)
      await tx.add(table, row)
    },
    async drop(table, row) {
      note('drop', table, row)
      await tx.drop(table, row)
    },
    working: tx,
    mail: ({ to, subject, body }) =>
      tx.put('mail', {
        id: world.newId(),
        recipient: to,
        subject,
        body,
        created_at: at,
        next_try_at: at,
        tries: 0,
        sent_at: null,
      }),
  }
  const value = await made.run(writing, input, prepared)
  const among = orgsAmong(named)
  const orgs = among.length === 0 ? [null] : made.concernsAll === true ? among : among.slice(0, 1)
  const told = { outcome: made.outcome?.(value) ?? 'done', about: made.about?.(input, value) }
  await tx.finish({
    ...nextEntries({ heads, fact: { at, actor: nameOf(call.actor), kind: made.name }, ops }),
    audit: orgs.map((org) => auditLine({ by: call, at, org, what: made.name, ...told })),
    done: {
      actor: actorKey(call.actor),
      key: call.key,
      fingerprint: print,
      result: JSON.stringify(withoutSecrets(value, made.once ?? [])),
      at,
    },
  })
  return value
}

/** The answer to the same write when it was done before; refuses the same key for another one. */
async function doneBefore<S extends z.ZodType, R, P>(
  world: DirectoryWorld,
  made: Command<S, R, P>,
  call: Call,
  input: z.output<S>,
): Promise<Outcome<R> | undefined> {
  const row = await world.store.read.get('done_write', { actor: actorKey(call.actor), key: call.key })
  if (row === undefined) return undefined
  if (row.fingerprint !== fingerprint(world, made, call, input)) {
    return refused(new DirectoryRefusal('DIRECTORY_KEY_REUSED', `${call.key} was used for another write`))
  }
  return { ok: true, value: JSON.parse(row.result) as R, repeated: true }
}

/** Besides the transaction that was taken back; nothing else of the write is left. */
async function auditRefusal<S extends z.ZodType, R, P>(
  world: DirectoryWorld,
  made: Command<S, R, P>,
  call: Call,
  { input, outcome }: { input: z.output<S>; outcome: string },
): Promise<void> {
  const known = await Promise.resolve(made.chains(input, call.actor, world.store.read)).catch(() => [])
  const org = await concernedBy(world.store.read, call.actor, orgsAmong(known)[0])
  await world.store.transaction((tx) =>
    tx.add('audit', auditLine({ by: call, at: world.now(), org, what: made.name, outcome })),
  )
}

export { orgChain }
export const userChain = (user: string): string => `user:${user}`
/** The chain of the user that acts; none for others. */
export const ownChain = (_input: unknown, actor: Actor): string[] =>
  actor.kind === 'user' ? [userChain(actor.user)] : []

/** In another organisation's name it is another write: what was answered in one is not shown in the other. */
const actorKey = (actor: Actor): string => {
  const { kind, id, org } = nameOf(actor)
  return org === null ? `${kind}:${id}` : `${kind}:${id}@${org}`
}

const fingerprint = (
  { fingerprintKey }: DirectoryWorld,
  { name }: { readonly name: string },
  { actor, key }: Call,
  input: unknown,
): string => fingerprintOf({ name, input, under: `${actorKey(actor)}\0${key}` }, fingerprintKey)

function withoutSecrets<R>(value: R, once: readonly (keyof R & string)[]): R {
  if (once.length === 0) return value
  return { ...value, ...Object.fromEntries(once.map((field) => [field, null])) }
}
