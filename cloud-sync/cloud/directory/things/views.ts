import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { GatewayId } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound } from '../errors.ts'
import { demand, may } from '../kernel/authority.ts'
import { assertRoomForItem } from '../kernel/limits.ts'
import { shownTo } from '../kernel/shown.ts'
import { Id, OrgId, Title } from '../kernel/words.ts'
import { command, orgChain, query } from '../kernel/write.ts'

const DEFINITION_LENGTH_MAX = 64_000
const GATEWAYS_MAX = 200
const PAGE_MAX = 200
/** Views that one question decides about at most, and how many in one go. */
const LOOKED_AT_MAX = 250
const IN_ONE_GO = 25

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

const shownHead = (
  viewer: string,
  { id, org, name, kind, owner, owner_org, gateways }: Omit<DirectoryRow<'saved_view'>, 'definition'>,
) => ({
  id,
  name,
  kind,
  owner: shownTo({ viewer, owner: org }, { kind: 'user', id: owner, org: owner_org }),
  gateways: JSON.parse(gateways) as string[],
})

/**
 * Views that the actor may see, by id, without what they are made of. `next` is where it goes on, null = nowhere: of many
 * that somebody may not see a question looks at no more than some, and lets others be served meanwhile.
 */
export const list = query({
  input: z.strictObject({
    org: OrgId,
    after: Id.optional(),
    limit: z.int().min(1).max(PAGE_MAX).default(PAGE_MAX),
  }),
  async run(asking, { org, after, limit }) {
    const { actingOrg: viewer } = await demand(asking, 'org.read', { org })
    const views: ReturnType<typeof shownHead>[] = []
    let place = after ?? ''
    for (let looked = 0; looked < LOOKED_AT_MAX; looked += IN_ONE_GO) {
      const heads = await asking.read.viewHeads(org, { after: place, limit: IN_ONE_GO })
      for (const head of heads) {
        place = head.id
        const on = { org, thing: { kind: 'view', resource: head.id } } as const
        if (await may(asking, 'view.read', on)) views.push(shownHead(viewer, head))
        if (views.length === limit) return { views, next: place }
      }
      if (heads.length < IN_ONE_GO) return { views, next: null }
      await setImmediate()
    }
    return { views, next: place }
  },
})

/** One of them, with what it is made of. */
export const show = query({
  input: z.strictObject({ org: OrgId, view: Id }),
  async run(asking, { org, view: id }) {
    const { actingOrg: viewer } = await demand(asking, 'view.read', {
      org,
      thing: { kind: 'view', resource: id },
    })
    const row = (await asking.read.get('saved_view', { id, org, state: 'active' })) ?? notFound('view')
    return { ...shownHead(viewer, row), definition: JSON.parse(row.definition) as unknown }
  },
})
