import { createHash } from 'node:crypto'
import { z } from 'zod'
import { BillingError, type BillingErrorCode } from '../../billing/index.ts'
import type { Actor, DirectoryErrorCode, OrgDirectory } from '../../directory/index.ts'
import { isDuplicate } from '../../storage/index.ts'
import type { OrgId, Right } from '../../../contract/index.ts'
import { InvoicingError, type InvoicingErrorCode, refuse } from '../errors.ts'
import type { BilledOrganisation, InvoicingWorld } from '../ports.ts'
import type { PriceBooks } from '../prices.ts'

/** `API_NOT_FOUND`: as if there were no such address (I21). */
type Refused = InvoicingErrorCode | BillingErrorCode | DirectoryErrorCode | 'API_NOT_FOUND'

/** A refusal is a value; only a failure throws. */
export type Answered =
  | { readonly ok: true; readonly value: unknown; readonly repeated: boolean }
  | { readonly ok: false; readonly code: Refused; readonly message: string }

/** What a question or a write is answered from. */
export interface AtDesk {
  readonly world: InvoicingWorld
  readonly books: PriceBooks
  /** Whom it is about; where it is about nobody, nothing of it is read. */
  readonly org: OrgId
  readonly organisation: BilledOrganisation
  /** Who asks, for the record. */
  readonly by: string
  /** Of a write. */
  readonly key: string
  readonly now: number
}

/** One thing that can be asked or done. */
export interface Matter<S extends z.ZodType, R> {
  /** Of whom: a right in the organisation, or only whoever runs the cloud. */
  readonly right: Right | 'operator'
  /** Usage, or what it can be told from: there is no such thing where the invoice is written elsewhere (S0.35). */
  readonly isUsage: boolean
  readonly input: S
  readonly run: (at: AtDesk, input: z.output<S>) => Promise<R>
}
export const matter = <S extends z.ZodType, R>(made: Matter<S, R>): Matter<S, R> => made

/** A question that names nobody else's organisation. */
const NOBODY: BilledOrganisation = {
  id: '' as OrgId,
  name: '',
  billedOutside: false,
  zones: [],
  endedAt: null,
}

/** Answers a question, or does a write once for its key. */
export async function atDesk(
  given: { readonly world: InvoicingWorld; readonly books: PriceBooks; readonly gate: OrgDirectory['gate'] },
  made: Matter<z.ZodType, unknown>,
  call: {
    readonly actor: Actor
    readonly key: string
    readonly input: unknown
    readonly writes: string | null
  },
): Promise<Answered> {
  const { world, books } = given
  const { actor, key, input, writes } = call
  try {
    const parsed = made.input.safeParse(input)
    if (!parsed.success) return refused('INVOICING_INPUT_INVALID', z.prettifyError(parsed.error))
    const admitted = await admit(given, made, { actor, fields: parsed.data as Named })
    if (!admitted.ok) return admitted
    const { organisation } = admitted
    const at: AtDesk = {
      ...{ world, books, org: organisation.id, organisation, key, now: world.now() },
      by: actor.kind === 'user' ? actor.user : actor.kind,
    }
    if (writes === null) return { ok: true, value: await made.run(at, parsed.data), repeated: false }
    return await once(at, { name: writes, input: parsed.data }, () => made.run(at, parsed.data))
  } catch (error) {
    if (error instanceof InvoicingError || error instanceof BillingError)
      return refused(error.code, error.message)
    throw error
  }
}

/** The fields by which a question names whom it is about. */
interface Named {
  readonly org?: string
  readonly workspace?: string
}

async function admit(
  { world, gate }: { readonly world: InvoicingWorld; readonly gate: OrgDirectory['gate'] },
  { right, isUsage }: Matter<z.ZodType, unknown>,
  { actor, fields }: { actor: Actor; fields: Named },
) {
  const allowed = await (right === 'operator'
    ? gate.demandOperator(actor)
    : gate.demand(actor, right, fields))
  if (!allowed.ok) return allowed
  const organisation = fields.org === undefined ? NOBODY : await world.directory.organisation(fields.org)
  if (organisation === undefined) return refused('INVOICING_NOT_FOUND', 'there is no such organisation')
  // The same bytes as where the address is not there at all.
  if (isUsage && organisation.billedOutside && right !== 'operator')
    return refused('API_NOT_FOUND', 'no such address')
  return { ok: true, organisation } as const
}

const refused = (code: Refused, message: string) => ({ ok: false, code, message }) as const

/** The same write again has the answer of the first; every write of this desk may also be begun twice without harm. */
async function once(
  { world, by, key, now, org }: AtDesk,
  { name, input }: { name: string; input: unknown },
  run: () => Promise<unknown>,
): Promise<Answered> {
  const fingerprint = createHash('sha256')
    .update(`${name}\0${JSON.stringify(input)}`)
    .digest('hex')
  const done = await world.store.read.get('billing_done', { actor: by, key })
  if (done !== undefined) {
    if (done.fingerprint !== fingerprint) refuse('INVOICING_KEY_REUSED', `${key} was used for another write`)
    return { ok: true, value: JSON.parse(done.result) as unknown, repeated: true }
  }
  const value = await run()
  try {
    await world.store.transaction(async (tx) => {
      await tx.add('billing_done', {
        actor: by,
        key,
        fingerprint,
        result: JSON.stringify(value ?? null),
        at: now,
      })
      await tx.add('billing_audit', {
        at: now,
        org: org === '' ? null : org,
        actor: by,
        what: name,
        detail: key,
      })
    })
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  return { ok: true, value, repeated: false }
}
