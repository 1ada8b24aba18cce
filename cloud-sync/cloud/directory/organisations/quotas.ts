import { z } from 'zod'
import { billingDay, GatewayId, METERS, type ZoneFrom } from '../../../contract/index.ts'
import { limitOf, QUOTA_STEPS } from '../../billing/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand, demandOperator } from '../kernel/authority.ts'
import { Id, OrgId, Title } from '../kernel/words.ts'
import type { MeteredUse } from '../kernel/workspace-usage.ts'
import { type Asking, command, orgChain, query } from '../kernel/write.ts'
import { quotasOf, workspaceOf } from './workspaces.ts'

const InWorkspace = z.strictObject({ org: OrgId, workspace: Id })
const Service = z.string().regex(/^[a-z][a-z0-9_.-]{0,63}$/)
const ADD_ONS_MAX = 100
/** Before the name of a service among the limits of an organisation: what each of its workspaces has from the start. */
const INCLUDED = 'included.'

/** What a workspace has bought beside what the account allocates to it (S3.16). The platform sells it. */
export const grantAddOn = command({
  name: 'quota.add-on',
  input: InWorkspace.extend({ name: Title, service: Service, amount: z.int().min(1) }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace, name, service, amount }) {
    await demandOperator(writing)
    await workspaceOf(writing, org, workspace)
    const present = await writing.read.find('workspace_add_on', { workspace, state: 'active' })
    if (present.length >= ADD_ONS_MAX) refuse('DIRECTORY_QUOTA_EXCEEDED', `${ADD_ONS_MAX} add-ons at most`)
    const id = writing.world.newId()
    const row = {
      id,
      org,
      workspace,
      name,
      service,
      amount,
      state: 'active',
      created_at: writing.at,
    } as const
    await writing.put('workspace_add_on', row)
    return { addOn: id }
  },
})

export const endAddOn = command({
  name: 'quota.end-add-on',
  input: InWorkspace.extend({ addOn: Id }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, workspace, addOn: id }) {
    await demandOperator(writing)
    const row = await writing.read.get('workspace_add_on', { id, org, workspace, state: 'active' })
    if (row === undefined) return notFound('add-on')
    await writing.put('workspace_add_on', { ...row, state: 'ended' })
    return { addOn: id }
  },
})

/** What each gateway may use of a workspace's limits: the cloud's own doing, in the policies of these gateways. */
export const split = command({
  name: 'quota.split',
  input: z.strictObject({
    org: OrgId,
    workspace: Id,
    shares: z
      .array(z.strictObject({ gateway: GatewayId, meter: z.enum(METERS), amount: z.int().min(0) }))
      .max(10_000),
  }),
  async chains({ org, workspace }, _actor, read) {
    const rows = await read.find('quota_share', { workspace })
    return [...new Set([org, ...rows.map((row) => row.org)])].map(orgChain)
  },
  async run(writing, { org, workspace, shares }) {
    await demandOperator(writing)
    const before = await writing.read.find('quota_share', { workspace })
    const kept = new Set<string>()
    for (const { gateway, meter, amount } of shares) {
      kept.add(`${gateway} ${meter}`)
      const same = before.some(
        (row) => row.gateway === gateway && row.meter === meter && row.amount === amount && row.org === org,
      )
      if (!same) await writing.put('quota_share', { workspace, gateway, meter, org, amount })
    }
    for (const row of before)
      if (!kept.has(`${row.gateway} ${row.meter}`)) await writing.drop('quota_share', row)
    return { workspace, shares: shares.length }
  },
})

export interface Limited {
  readonly workspace: DirectoryRow<'workspace'>
  readonly meter: string
  readonly limit: bigint
}

/** Every limit of these workspaces; a meter without any is not limited (S3.9). */
export async function limitsOf(
  read: DirectoryReader,
  organisation: DirectoryRow<'organisation'>,
  workspaces: readonly DirectoryRow<'workspace'>[],
): Promise<Limited[]> {
  const ids = workspaces.map(({ id }) => id)
  const bought = await read.find('workspace_add_on', { workspace: ids, state: 'active' })
  const ofAccount = quotasOf(organisation)
  return workspaces.flatMap((workspace) => {
    const own = quotasOf(workspace)
    return METERS.flatMap((meter): Limited[] => {
      const addOns = bought.filter((row) => row.workspace === workspace.id && row.service === meter)
      const [included, allocated] = [ofAccount[`${INCLUDED}${meter}`], own[meter]]
      if (included === undefined && allocated === undefined && addOns.length === 0) return []
      const limit = limitOf({
        included: BigInt(included ?? 0),
        allocated: BigInt(allocated ?? 0),
        addOns: addOns.map(({ amount }) => BigInt(amount)),
      })
      return [{ workspace, meter, limit }]
    })
  })
}

/** The month of a moment, as its bills have it: in the organisation's billing zone. */
export const monthAt = (at: number, { billing_zones: zones }: Zoned): string =>
  billingDay(JSON.parse(zones) as ZoneFrom[], at).day.slice(0, 7)
type Zoned = Pick<DirectoryRow<'organisation'>, 'billing_zones'>

/** How a workspace stands to its limits this month. */
export const ofWorkspace = query({
  input: InWorkspace,
  async run(asking, { org, workspace: id }) {
    const { organisation } = await demand(asking, 'usage.read', { org, workspace: id })
    const workspace = await workspaceOf(asking, org, id)
    const month = monthAt(asking.at, organisation)
    const limits = await limitsOf(asking.read, organisation, [workspace])
    // Invoiced outside: what was used is not shown, on no surface (S0.35).
    const isHidden = organisation.billing === 'external'
    const use = isHidden ? [] : await useOf(asking, { org, month })
    const warnings = await asking.read.find('quota_warning', { workspace: id, period: month })
    return limits.map(({ meter, limit }) => {
      const used = sumOf(use, { workspace: id, meter })
      return {
        meter,
        period: month,
        limit: limit.toString(),
        used: isHidden ? null : used.toString(),
        percent: isHidden || limit === 0n ? null : Number((used * 100n) / limit),
        warned: isHidden ? [] : QUOTA_STEPS.filter((step) => isWarned(warnings, meter, step)),
      }
    })
  },
})

const isWarned = (rows: readonly DirectoryRow<'quota_warning'>[], meter: string, step: number): boolean =>
  rows.some((row) => row.meter === meter && row.step === step)

const useOf = (
  { world }: Pick<Asking, 'world'>,
  asked: { org: string; month: string },
): Promise<MeteredUse[]> => world.usage?.ofMonth(asked) ?? Promise.resolve([])

export const sumOf = (
  use: readonly MeteredUse[],
  { workspace, meter }: { workspace: string; meter: string },
): bigint =>
  use.reduce(
    (sum, one) => (one.workspace === workspace && one.meter === meter ? sum + one.quantity : sum),
    0n,
  )

/** Every warning of the organisation's workspaces, the newest first. */
export const warnings = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    const { organisation } = await demand(asking, 'usage.read', { org })
    if (organisation.billing === 'external') return []
    const rows = await asking.read.find('quota_warning', { org }, { orderBy: ['at'], descending: true })
    return rows.map(({ workspace, meter, period, step, used, limit, at }) => ({
      ...{ workspace, meter, period, step, used, limit, at },
    }))
  },
})

/** What is in a workspace, counted (S1.13). */
export const metrics = query({
  input: InWorkspace,
  async run(asking, { org, workspace: id }) {
    await demand(asking, 'data.read', { org, workspace: id })
    const { read, world } = asking
    await workspaceOf(asking, org, id)
    const devices = await read.find('device', { org, workspace: id, state: 'active' })
    const gateways = await read.find('gateway', { org, workspace: id })
    const paths = [...new Set(gateways.map((gateway) => gateway.id))]
    const cards = (await world.usage?.simCards({ org, gateways: paths })) ?? []
    const where = { resource_kind: 'workspace', resource: id, principal_kind: 'user', state: 'live' } as const
    const people = new Set((await read.find('grant', where)).map(({ principal }) => principal))
    return { devices: devices.length, gateways: gateways.length, simCards: cards.length, users: people.size }
  },
})
