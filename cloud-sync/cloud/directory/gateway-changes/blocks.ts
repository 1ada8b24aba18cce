import { z } from 'zod'
import type { GatewayChange } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { shownTo } from '../kernel/shown.ts'
import { Id, OrgId } from '../kernel/words.ts'
import { assertHasAll, givenToMember } from '../organisations/having.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'

type Block = DirectoryRow<'gateway_block'>

/** Takes something away at the gateway where that was asked for, and nowhere else. */
export async function block(
  writing: Writing,
  { change, gateway }: { change: GatewayChange; gateway: DirectoryRow<'gateway'> },
  what: Pick<Block, 'kind' | 'org' | 'subject' | 'incarnation'>,
): Promise<void> {
  const { author } = change.proposal
  const here = { gateway: gateway.id, ...what, state: 'live' } as const
  const owner_epoch = what.org === gateway.org ? gateway.owner_epoch : null
  if ((await writing.read.get('gateway_block', { ...here, owner_epoch })) !== undefined) return
  await writing.put('gateway_block', {
    ...here,
    owner_epoch,
    id: writing.world.newId(),
    blocked_by: author.name,
    blocked_by_org: author.org,
    created_at: writing.at,
  })
}

/** What of this organisation was taken away at gateways, its own and others': each to be lifted, or done everywhere. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const { actingOrg } = await demand(asking, 'audit.read', { org })
    const rows = await asking.read.find('gateway_block', { org, state: 'live' }, { orderBy: ['id'] })
    return rows.map((row) => ({
      block: row.id,
      gateway: row.gateway,
      kind: row.kind,
      subject: row.subject,
      by: shownTo(
        { viewer: actingOrg, owner: org },
        { kind: 'user', id: row.blocked_by, org: row.blocked_by_org },
      ),
      createdAt: row.created_at,
    }))
  },
})

/** It counts at that gateway again; whoever lifts it could have given it. */
export const lift = command({
  name: 'gateway-block.lift',
  input: z.strictObject({ org: OrgId, block: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, block: id }) {
    await demand(writing, 'org.read', { org })
    const row =
      (await writing.read.get('gateway_block', { id, org, state: 'live' })) ?? notFound('block at a gateway')
    await demandLifting(writing, row)
    await writing.put('gateway_block', { ...row, state: 'lifted' })
    return { block: id }
  },
})

async function demandLifting(asking: Asking, { org, kind, subject }: Block): Promise<void> {
  switch (kind) {
    case 'removed':
    case 'suspended': {
      await demand(asking, 'member.remove', { org }, { member: subject })
      const member = await asking.read.get('membership', { org, user: subject })
      if (member === undefined) return
      await demand(asking, 'member.remove', { org }, { member: subject, role: member.role })
      await assertHasAll(asking, await givenToMember(asking.read, member), { whose: subject })
      return
    }
    case 'key': {
      const token = await asking.read.get('token', { id: subject, org })
      await demand(asking, 'token.revokeAny', { org }, token === undefined ? {} : { member: token.user })
      return
    }
    case 'share':
      await demand(asking, 'crossorg.manage', { org })
  }
}
