import { z } from 'zod'
import { sealBirth } from '../../../codec/index.ts'
import { ClaimBirth, ClaimTicket, GatewayId, NOBODY, OrgId } from '../../../contract/index.ts'
import { notFound } from '../errors.ts'
import { demand, demandOperator } from '../kernel/authority.ts'
import { type Asking, type DirectoryWorld, query } from '../kernel/write.ts'
import { newestCode } from './codes.ts'
import { holdsOf } from './ownership.ts'
import { sealedTicket } from './tickets.ts'

/** How a gateway of one's own came to be so: owners in their order, and what the gateway said. */
export const history = query({
  input: z.strictObject({ org: OrgId, gateway: GatewayId }),
  async run(asking, { org, gateway }) {
    await demand(asking, 'gw.release', { org, thing: { kind: 'gateway', resource: gateway } })
    return historyOf(asking, gateway)
  },
})

/** The same of any gateway, for the operator who has to decide. */
export const look = query({
  input: z.strictObject({ gateway: GatewayId }),
  async run(asking, { gateway }) {
    await demandOperator(asking)
    return historyOf(asking, gateway)
  },
})

async function historyOf({ read }: Pick<Asking, 'read'>, id: GatewayId) {
  const gateway = (await read.get('gateway', { id })) ?? notFound('gateway')
  const receipts = await read.find('claim_receipt', { gateway: id }, { orderBy: ['at', 'counter'] })
  const entries = await read.find('ownership_entry', { gateway: id }, { orderBy: ['epoch'] })
  return {
    gateway: id,
    state: gateway.state,
    org: gateway.org === NOBODY ? null : gateway.org,
    owners: entries.map(({ epoch, org, hash }) => ({ epoch, org, hash })),
    receipts: receipts.map(({ counter, what, org, ticket, verdict, because, at }) => ({
      claimCounter: counter,
      what,
      org,
      ticket,
      verdict,
      because,
      at,
    })),
    holds: (await holdsOf(read, id)).map(({ org, since, winner }) => ({ org, since, winner })),
  }
}

/**
 * What the cloud has to say to a gateway about claiming, as it travels: its newest code, and, while it is nobody's, who
 * has reserved it.
 */
export async function claimDocuments(
  { store, seal, now }: DirectoryWorld,
  gateway: GatewayId,
): Promise<readonly Uint8Array[]> {
  const code = await newestCode(store.read, gateway)
  if (code === undefined || seal === undefined) return []
  const { generation, model, claim_key: claimKey } = code
  const birth = sealBirth(ClaimBirth.parse({ v: 1, gateway, model, generation, claimKey }), seal())
  const row = await store.read.get('gateway', { id: gateway })
  if (row?.state !== 'unclaimed') return [birth]
  const reserved = await store.read.find('claim_ticket', { gateway, state: 'live' }, { orderBy: ['id'] })
  // What was reserved by an older label is over with it: somebody may have had a picture of that one.
  const live = reserved.filter(
    (one) => one.until_at > now() && ClaimTicket.parse(JSON.parse(one.body)).generation === generation,
  )
  return [birth, ...live.map((one) => Buffer.from(sealedTicket(one, { seal }), 'base64'))]
}
