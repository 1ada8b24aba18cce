import { expect } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const ABOVE = 'DIRECTORY_ABOVE_RANK'
type Rights = Parameters<TestDirectory['write']['roles']['create']>[1]['without']
type Role = Parameters<TestDirectory['write']['members']['changeRole']>[1]['role']

/** acme with owner ana, administrators zoe and adam, member mike, editor ed, a gateway; xpart with owner xena. */
async function stage(d: TestDirectory): Promise<void> {
  await d.person('ana', 'acme')
  const people = { zoe: 'admin', adam: 'admin', mike: 'member', ed: 'editor' }
  for (const [name, role] of Object.entries(people)) {
    await d.person(name)
    await d.joins(name, 'acme', role, 'ana')
  }
  await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey: KEY }))
}

async function linked(d: TestDirectory, cap: 'super-installer' | 'systems-admin'): Promise<void> {
  await d.person('xena', 'xpart', { type: 'partner', preset: 'meter.me' })
  await d.person('xen')
  await d.joins('xen', 'xpart', cap, 'xena')
  await done(d.write.links.ask(d.as('xena', 'xpart'), { org: 'xpart', customer: 'acme', cap }))
  const { managedBy } = await done(d.ask.links.list(d.actor('ana', 'acme'), { org: 'acme' }))
  await done(d.write.links.accept(d.as('ana', 'acme'), { org: 'acme', link: managedBy[0]?.link ?? '' }))
}

async function restricted(d: TestDirectory, without: Rights): Promise<void> {
  const { role } = await done(
    d.write.roles.create(d.as('ana', 'acme'), { org: 'acme', name: 'Quiet', without }),
  )
  await done(d.write.members.setCustomRole(d.as('ana', 'acme'), { org: 'acme', user: 'zoe', role }))
}

const promote = (d: TestDirectory, [by, org]: readonly [string, string], role: Role) =>
  refusal(d.write.members.changeRole(d.as(by, org), { org: 'acme', user: 'mike', role }))
const invite = (d: TestDirectory, [by, org]: readonly [string, string], role: Role) =>
  refusal(d.write.invitations.invite(d.as(by, org), { org: 'acme', email: `${role}@example.org`, role }))
const share = (d: TestDirectory, by: string, level: 'viewer' | 'editor') =>
  refusal(
    d.write.shares.share(d.as(by, 'acme'), {
      org: 'acme',
      thing: { kind: 'gateway', resource: 'GW-1' },
      to: { kind: 'user', user: 'mike' },
      level,
    }),
  )
const XEN = ['xen', 'xpart'] as const
const ZOE = ['zoe', 'acme'] as const

onSqlite((engine) => {
  engine.with('a partner makes nobody an administrator, whose rights it lacks', async (d) => {
    await stage(d)
    await linked(d, 'super-installer')
    expect([await invite(d, XEN, 'admin'), await promote(d, XEN, 'admin')]).toEqual([ABOVE, ABOVE])
    // What it has it gives.
    expect([await invite(d, XEN, 'editor'), await promote(d, XEN, 'editor')]).toEqual(['done', 'done'])
    expect(await promote(d, ['adam', 'acme'], 'admin')).toBe('done')
  })

  engine.with('a systems administrator makes nobody an editor, who would configure devices', async (d) => {
    await stage(d)
    await linked(d, 'systems-admin')
    expect([await promote(d, XEN, 'editor'), await invite(d, XEN, 'editor')]).toEqual([ABOVE, ABOVE])
    expect([await promote(d, XEN, 'viewer'), await invite(d, XEN, 'viewer')]).toEqual(['done', 'done'])
  })

  engine.with('what a custom role takes from an administrator they give to nobody', async (d) => {
    await stage(d)
    await restricted(d, ['gw.transfer', 'crossorg.manage', 'gw.release'])
    expect([await promote(d, ZOE, 'admin'), await invite(d, ZOE, 'admin')]).toEqual([ABOVE, ABOVE])
    expect([await promote(d, ZOE, 'editor'), await invite(d, ZOE, 'editor')]).toEqual(['done', 'done'])
    expect(await promote(d, ['ana', 'acme'], 'owner')).toBe('done')
  })

  engine.with('nor by sharing, by a team, by a custodian or by ending a suspension', async (d) => {
    await stage(d)
    const { team } = await done(
      d.write.teams.create(d.as('ana', 'acme'), { org: 'acme', handle: 'crew', name: 'Crew' }),
    )
    await done(
      d.write.shares.share(d.as('ana', 'acme'), {
        org: 'acme',
        thing: { kind: 'gateway', resource: 'GW-1' },
        to: { kind: 'team', handle: 'crew' },
        level: 'editor',
      }),
    )
    await restricted(d, ['device.operate', 'device.config'])
    const join = (by: string) =>
      refusal(d.write.teams.setMember(d.as(by, 'acme'), { org: 'acme', team, user: 'mike', role: 'member' }))
    const keep = (by: string) =>
      refusal(
        d.write.gateways.setCustodian(d.as(by, 'acme'), {
          ...{ org: 'acme', kind: 'gateway', resource: 'GW-1', user: 'mike' },
        } as never),
      )
    const suspend = (suspended: boolean) =>
      refusal(d.write.members.suspend(d.as('zoe', 'acme'), { org: 'acme', user: 'ed', suspended }))
    expect([await share(d, 'zoe', 'editor'), await share(d, 'zoe', 'viewer')]).toEqual([ABOVE, 'done'])
    expect([await join('zoe'), await join('adam')]).toEqual([ABOVE, 'done'])
    expect([await keep('zoe'), await keep('adam')]).toEqual([ABOVE, 'done'])
    expect([await suspend(true), await suspend(false)]).toEqual(['done', ABOVE])
  })

  engine.with('a key that only writes makes no key that opens all', async (d) => {
    await stage(d)
    const make = (scope: 'full' | 'write') =>
      refusal(d.write.tokens.regenerateKey(d.as('adam', 'acme', scope), { org: 'acme' }))
    expect([await make('write'), await make('full')]).toEqual([ABOVE, 'done'])
  })
})
