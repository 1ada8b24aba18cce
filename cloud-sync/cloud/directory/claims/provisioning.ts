import { z } from 'zod'
import { GatewayId, GatewayModel, NOBODY, OrgId, PublicKey } from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import type { Actor } from '../kernel/actor.ts'
import { activeOrganisation, demand, demandOperator, type Knowing } from '../kernel/authority.ts'
import { command, type DirectoryWorld, orgChain } from '../kernel/write.ts'
import { moveGuests } from '../things/guests.ts'
import { takeAwayAll } from '../things/removal.ts'
import { cancelTransfers, chainsOfOpenTransfers, endOffers } from '../things/transfers.ts'
import { mintCode, type MintedCode, newestCode, putCode } from './codes.ts'
import { addOwnership, holdsOf } from './ownership.ts'

/** Codes and receipts belong to no organisation. */
export const PLATFORM_CHAIN = 'platform'

const GatewayOnly = z.strictObject({ gateway: GatewayId })
/** The operator's commands are refused to everybody else before anything is derived. */
const minted = async (
  world: DirectoryWorld,
  actor: Actor,
  { gateway }: { gateway: GatewayId },
): Promise<MintedCode> => {
  await demandOperator({ actor, read: world.store.read })
  return mintCode(world, actor, gateway)
}
/** The gateway as it is, for who may let it go now. */
const assertReleasable = async (
  asking: Knowing,
  { org, gateway: id }: { org: string; gateway: string },
): Promise<DirectoryRow<'gateway'>> => {
  await demand(asking, 'gw.release', { org, thing: { kind: 'gateway', resource: id } })
  const gateway = (await asking.read.get('gateway', { id, org })) ?? notFound('gateway')
  if (gateway.state !== 'claimed') refuse('DIRECTORY_EXISTS', `${id} is being let go already, or is disputed`)
  return gateway
}
const chainsOf = async ({ gateway }: { gateway: string }, _actor: unknown, read: DirectoryReader) => {
  const org = (await read.get('gateway', { id: gateway }))?.org ?? NOBODY
  const reserved = await read.find('claim_ticket', { gateway, state: 'live' })
  const known = [PLATFORM_CHAIN, ...[org, NOBODY, ...reserved.map((ticket) => ticket.org)].map(orgChain)]
  return [...known, ...(await chainsOfOpenTransfers(read, gateway))]
}

/** In the factory: the gateway is known by its key, belongs to nobody, and its label says how to claim it. */
export const provision = command({
  name: 'gateway.provision',
  input: z.strictObject({ gateway: GatewayId, model: GatewayModel, publicKey: PublicKey }),
  chains: () => [PLATFORM_CHAIN, orgChain(NOBODY)],
  before: minted,
  once: ['label'],
  async run(writing, { gateway: id, model, publicKey }, code) {
    await demandOperator(writing)
    if (await writing.read.get('gateway', { id })) refuse('DIRECTORY_EXISTS', `${id} is registered already`)
    const gateway = {
      id,
      org: NOBODY,
      workspace: null,
      custodian: null,
      owner_epoch: 1,
      public_key: publicKey,
      state: 'unclaimed',
      created_at: writing.at,
    } as const
    await writing.add('gateway', gateway)
    return { gateway: id, ...(await putCode(writing, { gateway, model, minted: code })) }
  },
})

/** Another label for a gateway that is nobody's: the one before opens nothing from now on. */
export const relabel = command({
  name: 'gateway.relabel',
  input: GatewayOnly,
  chains: chainsOf,
  before: minted,
  once: ['label'],
  async run(writing, { gateway: id }, code) {
    await demandOperator(writing)
    const gateway = (await writing.read.get('gateway', { id })) ?? notFound('gateway')
    if (gateway.state !== 'unclaimed') refuse('DIRECTORY_EXISTS', `${id} belongs to somebody`)
    const model = (await newestCode(writing.read, id))?.model ?? 'gateway'
    return { gateway: id, ...(await putCode(writing, { gateway, model, minted: code })) }
  },
})

/**
 * The owner lets a gateway go. It stays theirs until the gateway has heard of it, and goes to nobody but who has the new
 * label, which is shown once.
 */
export const release = command({
  name: 'gateway.release',
  input: GatewayOnly.extend({ org: OrgId }),
  chains: chainsOf,
  before: async (world, actor, input) => {
    await assertReleasable({ read: world.store.read, actor, at: world.now() }, input)
    return mintCode(world, actor, input.gateway)
  },
  once: ['label'],
  async run(writing, { org, gateway: id }, code) {
    const gateway = await assertReleasable(writing, { org, gateway: id })
    await endOffers(writing, id)
    const model = (await newestCode(writing.read, id))?.model ?? 'gateway'
    await writing.put('gateway', { ...gateway, state: 'releasing' })
    return { gateway: id, ...(await putCode(writing, { gateway, model, minted: code })) }
  },
})

/**
 * The operator's decision: over a dispute, or over a gateway whose owner is gone; a transfer of it ends. An old owner's
 * silence never transfers a gateway. Null = nobody: it is let go, and its new label shown.
 */
export const decide = command({
  name: 'gateway.decide',
  input: GatewayOnly.extend({ org: OrgId.nullable() }),
  chains: async (input, actor, read) => [
    ...(await chainsOf(input, actor, read)),
    ...(input.org === null ? [] : [orgChain(input.org)]),
  ],
  before: minted,
  once: ['label'],
  async run(writing, { gateway: id, org }, code) {
    await demandOperator(writing)
    const gateway = (await writing.read.get('gateway', { id })) ?? notFound('gateway')
    if (gateway.state === 'decommissioned') refuse('DIRECTORY_EXISTS', `${id} is scrapped`)
    if (org !== null && (await activeOrganisation(writing, org)) === undefined)
      return notFound('organisation')
    const toldUpTo = await cancelTransfers(writing, id)
    for (const hold of await holdsOf(writing.read, id)) {
      if (hold.winner === null)
        await writing.put('usage_hold', { ...hold, winner: org ?? NOBODY, decided_at: writing.at })
    }
    if (org === null) {
      const model = (await newestCode(writing.read, id))?.model ?? 'gateway'
      const owner_epoch = Math.max(gateway.owner_epoch, toldUpTo)
      await writing.put('gateway', { ...gateway, owner_epoch, state: 'releasing' })
      const { label, birth } = await putCode(writing, { gateway, model, minted: code })
      return { gateway: id, org: null, label: label, birth: birth }
    }
    if (gateway.org !== org) await takeAwayAll(writing, gateway)
    const epoch = await addOwnership(writing, {
      ...{ gateway, to: org, cause: 'decided', evidence: null, toldUpTo },
    })
    await writing.put('gateway', {
      ...gateway,
      org,
      workspace: null,
      custodian: null,
      owner_epoch: epoch,
      state: 'claimed',
    })
    await moveGuests(writing, id, org)
    return { gateway: id, org: org, label: null, birth: null }
  },
})

/** Scrapped or stolen: nobody claims it any more. One that is being transferred is decided over first. */
export const decommission = command({
  name: 'gateway.decommission',
  input: GatewayOnly,
  chains: chainsOf,
  async run(writing, { gateway: id }) {
    await demandOperator(writing)
    const gateway = (await writing.read.get('gateway', { id })) ?? notFound('gateway')
    await endOffers(writing, id)
    await writing.put('gateway', { ...gateway, state: 'decommissioned' })
    return { gateway: id }
  },
})
