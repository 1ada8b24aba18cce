import { z } from 'zod'
import { GatewayId } from '../../../contract/index.ts'
import { notFound } from '../errors.ts'
import { demand, may } from '../kernel/authority.ts'
import { assertRoomForItem } from '../kernel/limits.ts'
import { shownTo } from '../kernel/shown.ts'
import { Id, OrgId, Title } from '../kernel/words.ts'
import { command, orgChain, query } from '../kernel/write.ts'

const DEFINITION_LENGTH_MAX = 64_000
const GATEWAYS_MAX = 200

const ViewBody = {
  name: Title,
  kind: z.enum(['graph', 'map', 'table']),
  gateways: z.array(GatewayId).max(GATEWAYS_MAX),
  /** The viewer's own affair; kept as it is. */
  definition: z.json().refine((json) => JSON.stringify(json).length <= DEFINITION_LENGTH_MAX, 'too long'),
}

/** A graph, map or table that somebody saved and may share (S0.19). Whoever made it owns it. */
export const save = command({
  name: 'view.save',
  input: z.strictObject({ org: OrgId, ...ViewBody }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, kind, gateways, definition }) {
    const own = await demand(writing, 'org.read', { org })
    await assertRoomForItem(writing, own, 'saved_view')
    const id = writing.world.newId()
    await writing.put('saved_view', {
      id,
      org,
      owner: own.user,
      owner_org: own.actingOrg,
      owner_incarnation: own.incarnation,
      name,
      kind,
      gateways: JSON.stringify(gateways),
      definition: JSON.stringify(definition),
      state: 'active',
      created_at: writing.at,
    })
    // Asked of the view as it is now: who may not change what they own, an observer for one, saves none.
    await demand(writing, 'view.edit', { org, thing: { kind: 'view', resource: id } })
    return { view: id }
  },
})

export const change = command({
  name: 'view.change',
  input: z.strictObject({ org: OrgId, view: Id, ...ViewBody }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, view: id, name, kind, gateways, definition }) {
    await demand(writing, 'view.edit', { org, thing: { kind: 'view', resource: id } })
    const row = (await writing.read.get('saved_view', { id, org, state: 'active' })) ?? notFound('view')
    const changed = { name, kind, gateways: JSON.stringify(gateways), definition: JSON.stringify(definition) }
    await writing.put('saved_view', { ...row, ...changed })
    return { view: id }
  },
})

/** Its shares end with it, and with them what they brought along. */
export const remove = command({
  name: 'view.delete',
  input: z.strictObject({ org: OrgId, view: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, view: id }) {
    await demand(writing, 'share.changeOwner', { org, thing: { kind: 'view', resource: id } })
    const { read } = writing
    const row = (await read.get('saved_view', { id, org, state: 'active' })) ?? notFound('view')
    for (const grant of await read.find('grant', { org, resource: id, state: ['live', 'legacy'] })) {
      await writing.put('grant', { ...grant, state: 'revoked' })
      for (const brought of await read.find('grant', {
        org,
        brought_by: grant.id,
        state: ['live', 'legacy'],
      }))
        await writing.put('grant', { ...brought, state: 'revoked' })
    }
    await writing.put('saved_view', { ...row, state: 'deleted' })
    return { view: id }
  },
})

/** Views that the actor may see. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const { actingOrg: viewer } = await demand(asking, 'org.read', { org })
    const views = await asking.read.find('saved_view', { org, state: 'active' }, { orderBy: ['id'] })
    const seen = await Promise.all(
      views.map(({ id }) => may(asking, 'view.read', { org, thing: { kind: 'view', resource: id } })),
    )
    return views
      .filter((_view, index) => seen[index] === true)
      .map(({ id, name, kind, owner, owner_org, gateways, definition }) => ({
        id,
        name,
        kind,
        owner: shownTo({ viewer, owner: org }, { kind: 'user', id: owner, org: owner_org }),
        gateways: JSON.parse(gateways) as string[],
        definition: JSON.parse(definition) as unknown,
      }))
  },
})
