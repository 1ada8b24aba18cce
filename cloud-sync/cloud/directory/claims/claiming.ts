import { z } from 'zod'
import { NOBODYS_KEY, openOnlineProof } from '../../../codec/index.ts'
import {
  ClaimNonce,
  GatewayId,
  type MemberName,
  type OnlineProof,
  OrgId,
  RESERVATION_MS,
  type WorkspaceId,
} from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { backOff, limitTries } from '../accounts/attempts.ts'
import { refuse } from '../errors.ts'
import type { Actor } from '../kernel/actor.ts'
import { demand } from '../kernel/authority.ts'
import { networkOf } from '../kernel/network.ts'
import { Id } from '../kernel/words.ts'
import { command, type DirectoryWorld, orgChain } from '../kernel/write.ts'
import { workspaceOf } from '../organisations/workspaces.ts'
import { newestCode } from './codes.ts'
import { makeTicket, ticketShown } from './tickets.ts'

/** Tries in a quarter of an hour, counted before anything is looked at, whether or not there is such a gateway. */
const TRIES_A_SERIAL_MAX = 10
/** Of all accounts together, but for the first of each: a code has 80 bits, so this bounds what the trying costs. */
const TRIES_A_SERIAL_ALL_MAX = 1_000
const TRIES_FREE = 3
const TRIES_AN_ACCOUNT_MAX = 30
const TRIES_AN_ADDRESS_MAX = 100
/** Longest proof, characters of base64. */
const PROOF_LENGTH_MAX = 2_000

/**
 * Reserves a gateway for an organisation by its label. It claims nothing yet: the gateway itself has to sign, and does so
 * only for somebody who is there. There may be several reservations for one gateway, so that nobody who has only seen its
 * label keeps it from its owner.
 */
export const reserve = command({
  name: 'gateway.reserve',
  input: z.strictObject({
    org: OrgId,
    workspace: Id.optional(),
    gateway: GatewayId,
    nonce: ClaimNonce,
    /** A message of kind `claim/proof`, base64. */
    proof: z.base64().max(PROOF_LENGTH_MAX),
  }),
  chains: ({ org }) => [orgChain(org)],
  before: countTry,
  async run(writing, { org, workspace, gateway, nonce, proof }) {
    const standing = await demand(writing, 'gw.claim', { org, workspace })
    if (workspace !== undefined) await workspaceOf(writing, org, workspace)
    const row = await writing.read.get('gateway', { id: gateway })
    const code = await newestCode(writing.read, gateway)
    const asked = (workspace ?? null) as WorkspaceId | null
    const expected = { org, workspace: asked, gateway, nonce, user: standing.user as MemberName }
    // Asked in this order whatever the answers are: what was wrong cannot be told from outside, nor measured.
    const isProven = proves(writing.world, { proof, expected, claimKey: code?.claim_key ?? NOBODYS_KEY })
    if (!isProven || code === undefined || row?.state !== 'unclaimed')
      refuse('DIRECTORY_CLAIM_REFUSED', 'this gateway cannot be claimed with this label')
    await writing.working.drop('attempt', { bucket: serialBucket(gateway, standing.user) })
    const before = await writing.read.find('claim_ticket', { org, gateway, state: 'live' })
    for (const old of before)
      await writing.put('claim_ticket', { ...old, state: 'revoked', revoked_at: writing.at })
    const reservation = await makeTicket(writing, {
      org,
      workspace: workspace ?? null,
      standing,
      installer: standing.user,
      kind: 'reservation',
      serials: [gateway],
      maxUses: 1,
      until: writing.at + RESERVATION_MS,
      generation: code.generation,
    })
    return { gateway, ...ticketShown(reservation, writing) }
  },
})

const serialBucket = (gateway: string, user: string): string => `claim:gateway:${gateway}:${user}`

async function countTry(
  world: DirectoryWorld,
  actor: Actor,
  { gateway }: { gateway: string },
): Promise<void> {
  if (actor.kind !== 'user') return
  // These do not grow, and one account's are its own: what somebody guesses must not keep its owner from it.
  const bucket = serialBucket(gateway, actor.user)
  const tries = await limitTries(world, { bucket, max: TRIES_A_SERIAL_MAX })
  if (tries > TRIES_FREE)
    await limitTries(world, { bucket: `claim:gateway:${gateway}`, max: TRIES_A_SERIAL_ALL_MAX })
  await backOff(world, { bucket: `claim:account:${actor.user}`, max: TRIES_AN_ACCOUNT_MAX })
  if (actor.address !== undefined)
    await backOff(world, { bucket: `claim:address:${networkOf(actor.address)}`, max: TRIES_AN_ADDRESS_MAX })
}

function proves(
  { seal }: DirectoryWorld,
  {
    proof,
    expected,
    claimKey,
  }: { proof: string; expected: Omit<OnlineProof, 'v'>; claimKey: DirectoryRow<'gateway_code'>['claim_key'] },
): boolean {
  if (seal === undefined) return false
  const said = openOnlineProof(Buffer.from(proof, 'base64'), { cloudId: seal().cloudId, claimKey })
  return (
    said !== undefined &&
    said.gateway === expected.gateway &&
    said.org === expected.org &&
    said.workspace === expected.workspace &&
    said.user === expected.user &&
    said.nonce === expected.nonce
  )
}
