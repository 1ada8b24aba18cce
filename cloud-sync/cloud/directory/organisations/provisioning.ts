import { z } from 'zod'
import type { DirectoryReader } from '../../storage/index.ts'
import { provenAccount } from '../accounts/addresses.ts'
import { notFound } from '../errors.ts'
import { activeOrganisation, demandOperator } from '../kernel/authority.ts'
import { foldEmail, foldName } from '../kernel/fold.ts'
import { sha256 } from '../kernel/log.ts'
import { OWNER_ROLES } from '../kernel/presets.ts'
import { Email, OrgId, Title } from '../kernel/words.ts'
import { command, orgChain, userChain, type Writing } from '../kernel/write.ts'
import { mails } from '../mail/texts.ts'
import { foundOrganisation } from './founding.ts'
import { sendInvitation } from './invitations.ts'

const Purchase = z.strictObject({
  /** The shop's number of the purchase. */
  purchase: z.string().min(1).max(128),
  /** The buyer's address. */
  email: Email,
  company: Title,
  product: Title,
  /** Where the buyer said so, among several. */
  org: OrgId.optional(),
})
type Purchase = z.infer<typeof Purchase>

const PURCHASES = 'shop'
const BUYERS = 'shop-buyer'
const HANDLE_LENGTH_MAX = 40
const SUFFIX_LENGTH = 6

/**
 * A purchase lands in the buyer's organisation; where there is none, one is made of what the purchase says and its
 * owner invited (S2.1). The same purchase again changes nothing.
 */
export const provision = command({
  name: 'purchase.provision',
  input: Purchase,
  chains: async (input, _actor, read) => {
    const buyer = await provenAccount(read, input.email)
    const org = orgChain(await organisationFor(read, input))
    return buyer === undefined ? [org] : [org, userChain(buyer.id)]
  },
  async run(writing, input) {
    await demandOperator(writing)
    const { purchase, email, product } = input
    const org = await organisationFor(writing.read, input)
    if (await writing.read.get('foreign_id', { source: PURCHASES, foreign: purchase }))
      return { organisation: org, made: false }
    const present = await activeOrganisation(writing, org)
    if (present === undefined) {
      if (input.org !== undefined) return notFound('organisation')
      await found(writing, org, input)
    }
    const landed = { source: PURCHASES, foreign: purchase, org, what: product, id: org }
    await writing.add('foreign_id', landed)
    if (present === undefined)
      await writing.add('foreign_id', { ...landed, source: BUYERS, foreign: foldEmail(email), what: 'buyer' })
    return { organisation: org, made: present === undefined }
  },
})

/** The buyer becomes the owner: at once with an account of this proven address, else by the invitation. */
async function found(writing: Writing, id: string, { email, company, product }: Purchase): Promise<void> {
  const user = await provenAccount(writing.read, email)
  const owner = user?.state === 'active' ? user.id : undefined
  const logoUrl = ''
  await foundOrganisation(writing, {
    id: OrgId.parse(id),
    name: company,
    description: product,
    logoUrl,
    preset: 'headgate',
    type: 'standard',
    owner,
  })
  if (owner !== undefined) return
  await sendInvitation(
    writing,
    { id, name: company },
    { email, role: 'owner', invitedBy: null, by: company, workspace: null, text: mails.provisioned },
  )
}

/** Where the purchase is, was or will be; the same answer for the same purchase. */
async function organisationFor(
  read: DirectoryReader,
  { purchase, email, company, org }: Purchase,
): Promise<string> {
  const known = await read.get('foreign_id', { source: PURCHASES, foreign: purchase })
  if (known !== undefined) return known.org
  if (org !== undefined) return org
  const user = await provenAccount(read, email)
  if (user?.state === 'active') {
    const where = { user: user.id, role: OWNER_ROLES, state: 'active' } as const
    const [first] = await read.find('membership', where, { orderBy: ['since', 'org'], limit: 1 })
    if (first !== undefined) return first.org
  }
  const bought = await read.get('foreign_id', { source: BUYERS, foreign: foldEmail(email) })
  return bought?.org ?? handleFor(company, purchase)
}

/** Letters of the company's name, and something of the purchase so that it is free. */
function handleFor(company: string, purchase: string): string {
  const letters = foldName(company)
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, HANDLE_LENGTH_MAX)
  return `${letters === '' ? 'org' : letters}-${sha256(purchase).slice(0, SUFFIX_LENGTH)}`
}
