import { expect } from 'vitest'
import { projectGateway } from '../../../../cloud-sync/cloud/policies/index.ts'
import type { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'
import {
  acmeWithWorkspaces,
  quotasOver,
  sharesAt,
  usageDay,
  usageOver,
  WrittenUse,
} from '../../../support/quota-cloud.ts'

const DAY_MS = 86_400_000
const METER = 'sensor.readings'
const org = 'acme'
const allocate = (d: TestDirectory, workspace: string, limit: number) =>
  d.write.workspaces.allocate(d.as('ana', org), { org, workspace, quotas: { [METER]: limit } })
const quotaOf = async (d: TestDirectory, workspace: string) =>
  (await done(d.ask.quotas.ofWorkspace(d.actor('ana', org), { org, workspace })))[0]
const mailsOf = async (d: TestDirectory) =>
  (await d.mailsTo('ana@example.org')).map(({ subject }) => subject).filter((one) => one.includes('limit'))

onSqlite((engine) => {
  engine.with(
    'S3.3 a workspace at its limit has a share of its own, and its namesake is not concerned',
    async (d) => {
      const usage = new WrittenUse()
      const quotas = quotasOver(d, usage)
      const { wall, crest } = await acmeWithWorkspaces(d, ['GW-1', 'GW-2'])
      await done(allocate(d, wall, 100))
      await quotas.look()
      expect(await sharesAt(d, wall)).toEqual({ 'GW-1': 50, 'GW-2': 50 })
      expect(await sharesAt(d, crest)).toEqual({})
      const content = await projectGateway(d.store.read, 'GW-1' as GatewayId)
      expect(content?.quotas).toEqual([{ workspace: wall, meter: METER, period: 'month', limit: 50 }])
      usage.set(wall, 'GW-1', 45)
      await quotas.look()
      expect(await sharesAt(d, wall)).toEqual({ 'GW-1': 94, 'GW-2': 6 })
      await quotas.stop()
    },
  )

  engine.with('S3.9 each workspace begins with what is included, and its limit can be raised', async (d) => {
    const quotas = quotasOver(d, new WrittenUse())
    const { wall, crest } = await acmeWithWorkspaces(d)
    const included = { [`included.${METER}`]: 20, [METER]: 100 }
    await done(d.write.organisations.govern(d.operator(), { org, quotas: included }))
    await quotas.look()
    expect([await sharesAt(d, wall), await sharesAt(d, crest)]).toEqual([{ 'GW-1': 20 }, { 'GW-1': 20 }])
    await done(allocate(d, wall, 80))
    await quotas.look()
    expect([await sharesAt(d, wall), await sharesAt(d, crest)]).toEqual([{ 'GW-1': 100 }, { 'GW-1': 20 }])
    await quotas.stop()
  })

  engine.with('S3.15 what is allocated to all workspaces is never more than the account has', async (d) => {
    const { wall, crest } = await acmeWithWorkspaces(d)
    await done(d.write.organisations.govern(d.operator(), { org, quotas: { [METER]: 100 } }))
    await done(allocate(d, wall, 70))
    expect(await refusal(allocate(d, crest, 31))).toBe('DIRECTORY_QUOTA_EXCEEDED')
    await done(allocate(d, crest, 30))
    // Not enough: the account's limit is raised, or the other's lowered.
    await done(d.write.organisations.govern(d.operator(), { org, quotas: { [METER]: 101 } }))
    await done(allocate(d, crest, 31))
  })

  engine.with(
    'S3.16 an add-on is of one workspace, beside what the account gives out, and ends',
    async (d) => {
      const quotas = quotasOver(d, new WrittenUse())
      const { wall, crest } = await acmeWithWorkspaces(d)
      await done(d.write.organisations.govern(d.operator(), { org, quotas: { [METER]: 100 } }))
      await done(allocate(d, wall, 90))
      // Has a limit of its own, to which nothing of the neighbour's is added.
      await done(allocate(d, crest, 10))
      const more = { org, workspace: wall, name: 'More readings', service: METER, amount: 40 }
      expect(await refusal(d.write.quotas.grantAddOn(d.as('ana', org), more))).toBe('DIRECTORY_FORBIDDEN')
      const { addOn } = await done(d.write.quotas.grantAddOn(d.operator(), more))
      await quotas.look()
      expect([await sharesAt(d, wall), await sharesAt(d, crest)]).toEqual([{ 'GW-1': 130 }, { 'GW-1': 10 }])
      await done(d.write.quotas.endAddOn(d.operator(), { org, workspace: wall, addOn }))
      await quotas.look()
      expect([await sharesAt(d, wall), await sharesAt(d, crest)]).toEqual([{ 'GW-1': 90 }, { 'GW-1': 10 }])
      await quotas.stop()
    },
  )

  engine.with(
    'S1.2 devices and people that are added to a workspace are linked to its organisation',
    async (d) => {
      const { wall } = await acmeWithWorkspaces(d)
      await d.person('bob')
      await d.joins('bob', org, 'member', 'ana')
      await done(
        d.write.workspaces.setLevel(d.as('ana', org), { org, workspace: wall, user: 'bob', level: 'editor' }),
      )
      expect(await d.store.read.find('device', { workspace: wall })).toMatchObject([{ org }])
      const grants = await d.store.read.find('grant', { resource: wall, principal: 'bob' })
      expect(grants).toMatchObject([{ org, principal_org: org }])
      const content = await projectGateway(d.store.read, 'GW-1' as GatewayId)
      // What the gateway meters and sends of it is frozen with both.
      expect(content?.devices.find(({ id }) => id === 'wall')).toMatchObject({ org, workspace: wall })
    },
  )

  engine.with('S1.13 the overview of a workspace counts devices, SIM cards and users', async (d) => {
    await d.person('ana', 'acme')
    const made = { org, name: 'Dam' }
    const { workspace: wall } = await done(d.write.workspaces.create(d.as('ana', org), made))
    const { workspace: crest } = await done(d.write.workspaces.create(d.as('ana', org), made))
    for (const [gateway, workspace] of [
      ['GW-1', wall],
      ['GW-2', crest],
    ] as const) {
      const known = { org, gateway, publicKey: Buffer.alloc(32).toString('base64'), workspace }
      await done(d.write.gateways.register(d.operator(), known))
      const device = { org, gateway, device: 'tilt', name: 'Tilt', workspace: wall }
      await done(d.write.gateways.addDevice(d.as('ana', org), device))
    }
    // GW-1 had two cards, one of them in two days; what its sensors sent over them is no card, nor is the other's its own.
    const days = [
      ['GW-1', 'link:8944-1', '2026-01-01'],
      ['GW-1', 'link:8944-1', '2026-01-02'],
      ['GW-1', 'link:8944-2', '2025-12-31'],
      ['GW-1', 'sensor:tilt/main', '2026-01-02'],
      ['GW-2', 'link:8944-3', '2026-01-02'],
    ].map(([gateway, subject, day]) => usageDay({ gateway, subject, day, meter: 'cell.alloc' }))
    Object.assign(d.world, { usage: usageOver(days) })
    await d.person('bob')
    await d.joins('bob', org, 'member', 'ana')
    const metrics = (workspace: string) => d.ask.quotas.metrics(d.actor('ana', org), { org, workspace })
    const before = await done(metrics(wall))
    const level = { org, workspace: wall, user: 'bob', level: 'viewer' } as const
    await done(d.write.workspaces.setLevel(d.as('ana', org), level))
    expect(await done(metrics(wall))).toEqual({
      ...{ devices: 2, gateways: 1, simCards: 2, users: before.users + 1 },
    })
    expect(await done(metrics(crest))).toMatchObject({ devices: 0, gateways: 1, simCards: 1 })
    expect(await refusal(d.ask.quotas.metrics(d.actor('bob', org), { org, workspace: wall }))).toBe('done')
    await d.person('eve')
    expect(await refusal(d.ask.quotas.metrics(d.actor('eve', org), { org, workspace: wall }))).not.toBe(
      'done',
    )
  })

  engine.with('a month of limits begins where the bills have it begin: in the billing zone', async (d) => {
    const usage = new WrittenUse()
    Object.assign(d.world, { usage })
    const quotas = quotasOver(d, usage)
    const { wall } = await acmeWithWorkspaces(d)
    await done(allocate(d, wall, 100))
    const zone = { org: 'acme', billingZone: 'Pacific/Kiritimati' }
    await done(d.write.organisations.govern(d.operator(), zone))
    // Noon UTC of the last day: on Kiritimati, 14 hours ahead, it is the first of the next month.
    const next = new Date(d.now())
    d.pass(Date.UTC(next.getUTCFullYear(), next.getUTCMonth() + 1, 1) - DAY_MS / 2 - d.now())
    const period = (await quotaOf(d, wall))?.period ?? ''
    expect(period).toBe(new Date(d.now() + DAY_MS).toISOString().slice(0, 7))
    // What the ledger has under labels of that month is warned of in it.
    usage.month = period
    usage.set(wall, 'GW-1', 85)
    await quotas.look()
    const listed = await done(d.ask.quotas.warnings(d.actor('ana', 'acme'), { org: 'acme' }))
    expect(listed.map(({ period: month, step }) => [month, step])).toEqual([[period, 80]])
    await quotas.stop()
  })

  engine.with(
    'a workspace is warned at 80, 90 and 100 %, once each a month, by mail and in the list',
    async (d) => {
      const usage = new WrittenUse()
      Object.assign(d.world, { usage })
      const quotas = quotasOver(d, usage)
      const { wall } = await acmeWithWorkspaces(d)
      await done(allocate(d, wall, 100))
      for (const used of [79, 80, 85, 89]) {
        usage.set(wall, 'GW-1', used)
        await quotas.look()
      }
      expect(await mailsOf(d)).toEqual([`Dam has reached 80 % of its limit of ${METER}`])
      usage.set(wall, 'GW-1', 130)
      await quotas.look()
      await quotas.look()
      // Two steps at once are one mail.
      expect((await mailsOf(d)).length).toBe(2)
      await done(allocate(d, wall, 200))
      usage.set(wall, 'GW-1', 199)
      await quotas.look()
      expect((await mailsOf(d)).length).toBe(2)
      expect(await quotaOf(d, wall)).toMatchObject({
        used: '199',
        limit: '200',
        percent: 99,
        warned: [80, 90, 100],
      })
      const listed = await done(d.ask.quotas.warnings(d.actor('ana', org), { org }))
      expect(listed.map(({ step }) => step).toSorted((a, b) => a - b)).toEqual([80, 90, 100])
      // A new month.
      d.pass(31 * 24 * 3_600_000)
      usage.month = new Date(d.now()).toISOString().slice(0, 7)
      usage.set(wall, 'GW-1', 160)
      await quotas.look()
      expect((await mailsOf(d)).length).toBe(3)
      await quotas.stop()
    },
  )

  engine.with(
    'an organisation invoiced outside is not shown what it used, and is told when it is blocked',
    async (d) => {
      const usage = new WrittenUse()
      Object.assign(d.world, { usage })
      const quotas = quotasOver(d, usage)
      const { wall } = await acmeWithWorkspaces(d)
      await done(allocate(d, wall, 100))
      await done(d.write.organisations.govern(d.operator(), { org, billing: 'external' }))
      usage.set(wall, 'GW-1', 85)
      await quotas.look()
      expect(await mailsOf(d)).toEqual([])
      usage.set(wall, 'GW-1', 100)
      await quotas.look()
      expect((await mailsOf(d)).length).toBe(1)
      expect(await quotaOf(d, wall)).toMatchObject({ used: null, percent: null, warned: [] })
      expect(await done(d.ask.quotas.warnings(d.actor('ana', org), { org }))).toEqual([])
      await quotas.stop()
    },
  )

  engine.with('the shares of a workspace that moved or lost its limit are gone', async (d) => {
    const quotas = quotasOver(d, new WrittenUse())
    const { wall } = await acmeWithWorkspaces(d)
    await done(allocate(d, wall, 100))
    await quotas.look()
    expect(await sharesAt(d, wall)).toEqual({ 'GW-1': 100 })
    await done(d.write.workspaces.allocate(d.as('ana', org), { org, workspace: wall, quotas: {} }))
    await quotas.look()
    expect(await sharesAt(d, wall)).toEqual({})
    await quotas.stop()
  })
})
