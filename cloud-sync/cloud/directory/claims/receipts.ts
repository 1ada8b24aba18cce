import { z } from 'zod'
import { NOBODYS_KEY, openReceipt, SIGNED_HEAD_BYTES } from '../../../codec/index.ts'
import { ClaimReceipt, ClaimTicket, GatewayId, NOBODY } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { activeOrganisation } from '../kernel/authority.ts'
import { type Asking, command, orgChain, type Writing } from '../kernel/write.ts'
import { partnersOf } from '../organisations/links.ts'
import { moveGuests } from '../things/guests.ts'
import { takeAwayAll } from '../things/removal.ts'
import { newestCode } from './codes.ts'
import { addOwnership } from './ownership.ts'
import { PLATFORM_CHAIN } from './provisioning.ts'
import { usesOf } from './tickets.ts'
import { judge, type TicketStanding, type Verdict } from './verdict.ts'

/** Longest receipt, characters of base64. */
const RECEIPT_LENGTH_MAX = 4_000

type Claimed = Extract<ClaimReceipt, { what: 'claimed' }>

/**
 * What a gateway says happened to it, by whatever carrier. Anybody may bring it: its own signature says whether it
 * counts, and the same claim counter counts once.
 */
export const receive = command({
  name: 'gateway.receipt',
  input: z.strictObject({ gateway: GatewayId, receipt: z.base64().max(RECEIPT_LENGTH_MAX) }),
  async chains({ gateway, receipt }, _actor, read) {
    const row = await read.get('gateway', { id: gateway })
    const claimant = unverified(receipt)?.org ?? NOBODY
    return [PLATFORM_CHAIN, ...[NOBODY, row?.org ?? NOBODY, claimant].map(orgChain)]
  },
  before: verified,
  async run(writing, { gateway: id, receipt: given }, receipt: ClaimReceipt) {
    const gateway = (await writing.read.get('gateway', { id })) ?? refuseReceipt()
    const { what, claimCounter: counter } = receipt
    const known = await writing.read.get('claim_receipt', { gateway: id, counter, what })
    // The first word stands. Another one under the same counter is a gateway that was set back, and changes nothing.
    if (known !== undefined) return shown(known)
    const verdict = await judged(writing, gateway, receipt)
    const row = {
      gateway: id,
      counter,
      what,
      org: what === 'claimed' ? receipt.org : gateway.org,
      ticket: what === 'claimed' ? receipt.ticket : null,
      receipt: given,
      verdict: verdict.is,
      because: 'because' in verdict ? verdict.because : null,
      at: writing.at,
    }
    await writing.add('claim_receipt', row)
    await follow(writing, { gateway, receipt, verdict, evidence: given })
    return shown(row)
  },
})

/** What followed, for whoever brings a receipt or asks after one. */
const shown = ({ gateway, counter, what, verdict, because }: DirectoryRow<'claim_receipt'>) => ({
  gateway,
  claimCounter: counter,
  what,
  verdict,
  because,
})

/**
 * Before anything waits for it: anybody may bring one, and who brings rubbish holds up nobody. The same work whether or not
 * there is such a gateway.
 */
async function verified(
  { seal, store }: Asking['world'],
  _actor: unknown,
  { gateway: id, receipt }: { gateway: GatewayId; receipt: string },
): Promise<ClaimReceipt> {
  const row = await store.read.get('gateway', { id })
  const publicKey = row?.public_key ?? NOBODYS_KEY
  const message = Buffer.from(receipt, 'base64')
  const said = seal === undefined ? undefined : openReceipt(message, { cloudId: seal().cloudId, publicKey })
  return said === undefined || said.gateway !== id || row === undefined ? refuseReceipt() : said
}

const refuseReceipt = (): never =>
  refuse('DIRECTORY_CLAIM_REFUSED', 'this is no receipt of a gateway of this cloud')

/** Only to know which chains to hold: its signature has been checked by then. */
function unverified(receipt: string): Claimed | undefined {
  try {
    const body = Buffer.from(receipt, 'base64').subarray(SIGNED_HEAD_BYTES)
    const parsed = ClaimReceipt.safeParse(JSON.parse(body.toString('utf8')))
    return parsed.success && parsed.data.what === 'claimed' ? parsed.data : undefined
  } catch {
    return undefined
  }
}

async function judged(
  writing: Writing,
  gateway: DirectoryRow<'gateway'>,
  receipt: ClaimReceipt,
): Promise<Verdict> {
  const { read, at } = writing
  const code = await newestCode(read, gateway.id)
  const [last] = await read.find(
    'claim_receipt',
    { gateway: gateway.id, what: 'claimed' },
    { orderBy: ['counter'], descending: true, limit: 1 },
  )
  const ticket = receipt.what === 'claimed' ? await standingOf(writing, receipt) : undefined
  return judge(
    { state: gateway.state, generation: code?.generation ?? 0, counter: last?.counter ?? 0 },
    {
      what: receipt.what,
      generation: receipt.generation,
      counter: receipt.claimCounter,
      at: receipt.at,
    },
    { ticket, now: at },
  )
}

async function standingOf(writing: Writing, receipt: Claimed): Promise<TicketStanding | undefined> {
  const { read } = writing
  const row = await read.get('claim_ticket', { id: receipt.ticket })
  if (row === undefined) return undefined
  const { serials, generation = receipt.generation } = ClaimTicket.parse(JSON.parse(row.body))
  const uses = await usesOf(read, row.id)
  return {
    state: generation === receipt.generation ? row.state : 'revoked',
    from: row.from_at,
    until: row.until_at,
    namesGateway: serials === null || serials.includes(receipt.gateway),
    usedElsewhere: uses.filter((gateway) => gateway !== receipt.gateway).length,
    maxUses: row.max_uses,
    isTheirs: row.org === receipt.org && row.installer === receipt.installer,
    installerActive: await isInstaller(writing, row),
    organisationActive: (await activeOrganisation(writing, row.org)) !== undefined,
  }
}

/** Still in the membership that they had when the ticket was issued. */
async function isInstaller(
  { read, at }: Writing,
  { org, installer, created_at }: DirectoryRow<'claim_ticket'>,
): Promise<boolean> {
  const partners = await partnersOf({ read, at }, org)
  const members = await read.find('membership', {
    org: [org, ...partners.map(({ partner }) => partner)],
    user: installer,
    state: 'active',
  })
  return members.some(({ since }) => since <= created_at)
}

interface Followed {
  readonly gateway: DirectoryRow<'gateway'>
  readonly receipt: ClaimReceipt
  readonly verdict: Verdict
  readonly evidence: string
}

async function follow(writing: Writing, { gateway, receipt, verdict, evidence }: Followed): Promise<void> {
  switch (verdict.is) {
    case 'confirmed':
      if (receipt.what !== 'claimed') return
      // Claimed by the new code before its release was heard of: that is over now.
      if (gateway.state === 'releasing') await takeAwayAll(writing, gateway)
      await confirm(writing, { gateway, receipt, evidence })
      return
    case 'disputed':
      if (gateway.state === 'releasing') await takeAwayAll(writing, gateway)
      await writing.put('gateway', { ...nobodys(gateway), state: 'disputed' })
      await moveGuests(writing, gateway.id, NOBODY)
      if (receipt.what === 'claimed') await hold(writing, receipt, null)
      return
    case 'released':
      await takeAwayAll(writing, gateway)
      await writing.put('gateway', { ...nobodys(gateway), state: 'unclaimed' })
      await moveGuests(writing, gateway.id, NOBODY)
      return
    case 'void':
      if (verdict.because !== 'older') await holdVoid(writing, gateway, receipt)
  }
}

/** Metered for somebody whose it is not: it is the owner's to pay, as what they have. */
async function holdVoid(
  writing: Writing,
  gateway: DirectoryRow<'gateway'>,
  receipt: ClaimReceipt,
): Promise<void> {
  if (receipt.what !== 'claimed' || receipt.org === gateway.org) return
  await hold(writing, receipt, gateway.state === 'claimed' ? gateway.org : null)
}

const nobodys = (gateway: DirectoryRow<'gateway'>): DirectoryRow<'gateway'> => ({
  ...gateway,
  org: NOBODY,
  workspace: null,
  custodian: null,
})

async function confirm(
  writing: Writing,
  { gateway, receipt, evidence }: { gateway: DirectoryRow<'gateway'>; receipt: Claimed; evidence: string },
): Promise<void> {
  const { org, installer } = receipt
  const ticket = await writing.read.get('claim_ticket', { id: receipt.ticket })
  const member = await writing.read.get('membership', { org, user: installer, state: 'active' })
  const epoch = await addOwnership(writing, { gateway, to: org, cause: 'claimed', evidence })
  await writing.put('gateway', {
    ...gateway,
    org,
    workspace: await livingWorkspace(writing.read, org, ticket?.workspace ?? null),
    custodian: member?.user ?? null,
    owner_epoch: epoch,
    state: 'claimed',
  })
  await moveGuests(writing, gateway.id, org)
}

async function livingWorkspace(
  read: DirectoryReader,
  org: string,
  id: string | null,
): Promise<string | null> {
  if (id === null) return null
  return (await read.get('workspace', { id, org, state: 'active' }))?.id ?? null
}

async function hold(writing: Writing, receipt: Claimed, winner: string | null): Promise<void> {
  await writing.put('usage_hold', {
    gateway: receipt.gateway,
    counter: receipt.claimCounter,
    org: receipt.org,
    since: receipt.at ?? writing.at,
    winner,
    decided_at: winner === null ? null : writing.at,
  })
}
