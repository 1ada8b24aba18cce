import { z } from 'zod'
import { ChannelName, TeamHandle } from '../../../contract/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { assertRoomForItem } from '../kernel/limits.ts'
import { shownTo } from '../kernel/shown.ts'
import { Id, OrgId, Title } from '../kernel/words.ts'
import { command, orgChain, ownChain, query, type Asking } from '../kernel/write.ts'

const DevicePath = z.string().regex(/^[A-Za-z0-9-]{1,64}(\/[a-z0-9-]{1,64})?$/, 'GATEWAY or GATEWAY/DEVICE')
const thingOf = (resource: string) =>
  ({ kind: resource.includes('/') ? 'device' : 'gateway', resource }) as const

/** Tells people when a device is offline, its battery low, or a value beyond a bound. */
const RuleBody = z.strictObject({
  org: OrgId,
  name: Title,
  resource: DevicePath,
  watch: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('offline') }),
    z
      .strictObject({
        kind: z.literal('low-battery'),
        /** Low below it: in percent of charge, or in the unit of the channel. */
        below: z.number().optional(),
        /** What says how full it is, as a voltage; absent = every channel that a profile names as a charge in percent. */
        channel: ChannelName.optional(),
      })
      .refine(({ channel, below }) => channel === undefined || below !== undefined, 'a channel needs below'),
    z
      .strictObject({
        kind: z.literal('threshold'),
        channel: ChannelName,
        above: z.number().optional(),
        below: z.number().optional(),
      })
      .refine(({ above, below }) => above !== undefined || below !== undefined, 'give above, below or both'),
  ]),
  /** The handle of a team that is told too (S2.16). */
  team: TeamHandle.optional(),
})

export const create = command({
  name: 'alert.create',
  input: RuleBody,
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, resource, watch, team }) {
    const own = await demand(writing, 'alert.manage', { org, thing: thingOf(resource) })
    await assertRoomForItem(writing, own, 'alert_rule')
    const { channel = null, ...bounds } = watch.kind === 'offline' ? {} : watch
    const id = writing.world.newId()
    await writing.put('alert_rule', {
      id,
      org,
      owner: own.user,
      owner_org: own.actingOrg,
      owner_incarnation: own.incarnation,
      name,
      kind: watch.kind,
      resource,
      channel,
      bounds: JSON.stringify({ above: null, below: null, ...bounds, kind: undefined }),
      team: await teamIdOf(writing, org, team),
      state: 'active',
      created_at: writing.at,
    })
    return { alert: id }
  },
})

export const remove = command({
  name: 'alert.delete',
  input: z.strictObject({ org: OrgId, alert: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, alert: id }) {
    await demand(writing, 'alert.manage', { org, thing: { kind: 'alert', resource: id } })
    const rule = (await writing.read.get('alert_rule', { id, org, state: 'active' })) ?? notFound('alert')
    await writing.put('alert_rule', { ...rule, state: 'deleted' })
    return { alert: id }
  },
})

/**
 * Switches alerts about one device, or a gateway with all on it, off or on for oneself; nobody else notices (S4.16). It
 * ends with the membership through which one is alerted.
 */
export const setOptOut = command({
  name: 'alert.set-opt-out',
  input: z.strictObject({
    /** Whose device it is. */
    org: OrgId,
    resource: DevicePath,
    kind: z.enum(['offline', 'low-battery', 'all']).default('all'),
    off: z.boolean(),
  }),
  chains: ownChain,
  async run(writing, { org, resource, kind, off }) {
    const own = await demand(writing, 'alert.self', { org, thing: thingOf(resource) })
    const { user, actingOrg, incarnation } = own
    const row = { user, device: resource, kind, org: actingOrg, incarnation }
    if (off) await writing.put('alert_opt_out', row)
    else await writing.drop('alert_opt_out', row)
    return { resource, kind, off }
  },
})

export const list = query({
  input: z.strictObject({ org: OrgId, resource: DevicePath }),
  async run(asking, { org, resource }) {
    const { actingOrg: viewer } = await demand(asking, 'alert.self', { org, thing: thingOf(resource) })
    const rules = await asking.read.find(
      'alert_rule',
      { org, resource, state: 'active' },
      { orderBy: ['id'] },
    )
    return rules.map(({ id, name, kind, channel, bounds, owner, owner_org }) => ({
      id,
      name,
      kind,
      channel,
      owner: shownTo({ viewer, owner: org }, { kind: 'user', id: owner, org: owner_org }),
      ...(JSON.parse(bounds) as Bounds),
    }))
  },
})

export interface Bounds {
  readonly above: number | null
  readonly below: number | null
}

async function teamIdOf({ read }: Asking, org: string, handle: string | undefined): Promise<string | null> {
  if (handle === undefined) return null
  const team = await read.get('team', { org, handle, state: 'active' })
  return team?.id ?? refuse('DIRECTORY_NOT_FOUND', `there is no team ${handle}`)
}
