import { type ClaimTicket, type GatewayId, NOBODY, PolicySnapshot } from '../../cloud-sync/contract/index.ts'

const common = { v: 2, version: 1, issuedAt: 0, critical: [] } as const

/**
 * What is in force between a claim on site and the cloud's first snapshot, made of the ticket alone, so that the same code
 * decides: the devices are the organisation's, its few members that the ticket names count, and nothing is shared.
 * `ownerEpoch` is the one that the cloud will give the new owner.
 */
export function provisionalPolicy(
  ticket: ClaimTicket,
  gateway: GatewayId,
  ownerEpoch: number,
): PolicySnapshot {
  const { id: org } = ticket.organisation
  return PolicySnapshot.parse({
    ...common,
    gateway,
    // An installer who is no member of the organisation is nobody's custodian.
    owner: {
      org,
      ownerEpoch,
      claim: 'provisional',
      custodian: ticket.members.some(({ name }) => name === ticket.installer) ? ticket.installer : null,
    },
    organisations: [ticket.organisation],
    members: ticket.members,
    roles: ticket.roles ?? [],
    keys: ticket.keys,
  })
}

/** What is in force on a gateway that was let go: nobody may do anything. */
export const closedPolicy = (gateway: GatewayId): PolicySnapshot =>
  PolicySnapshot.parse({
    ...common,
    gateway,
    owner: { org: NOBODY, ownerEpoch: 1, claim: 'unclaimed' },
    organisations: [],
    members: [],
  })
