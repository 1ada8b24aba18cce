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
/** Whether each right is given on the thing. */
const may = (
  d: TestDirectory,
  user: string,
  [resource, ...rights]: readonly [string, ...Rights],
  org = 'acme',
) =>
  Promise.all(
    rights.map(async (right) => {
      const thing = { kind: resource.includes('/') ? 'device' : 'gateway', resource } as const
      return (await done(d.ask.shares.check(d.actor(user, org), { org, right, thing }))).allowed
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

  engine.with('nobody makes a custodian who has what they lack themselves', async (d) => {
    await stage(d)
    const add = (by: string, device: string, more: object = {}) =>
      refusal(
        d.write.gateways.addDevice(d.as(by, 'acme'), {
          ...{ org: 'acme', gateway: 'GW-1', device, name: device, ...more },
        }),
      )
    // Who adds a device that never was looks after it; nobody sends somebody else, or takes over what was there.
    expect(await add('ed', 'own', { custodian: 'ed' })).toBe('done')
    expect(await add('ed', 'given', { custodian: 'mike' })).toBe('DIRECTORY_FORBIDDEN')
    expect(await add('adam', 'kept', { custodian: 'mike' })).toBe('done')
    const device = 'GW-1/kept'
    await done(d.write.gateways.removeDevice(d.as('ed', 'acme'), { org: 'acme', device }))
    expect(await add('ed', 'kept', { custodian: 'ed' })).toBe('DIRECTORY_FORBIDDEN')
    expect(await add('ed', 'kept')).toBe('done')
    // Nor does custody open what a custom role takes away, or give it to others.
    await restricted(d, ['device.operate', 'data.read'])
    expect([
      await add('zoe', 'hers', { custodian: 'zoe' }),
      await add('zoe', 'his', { custodian: 'mike' }),
    ]).toEqual(['done', ABOVE])
    expect(await may(d, 'zoe', ['GW-1/hers', 'device.operate', 'data.read', 'share.grant'])).toEqual([
      false,
      false,
      true,
    ])
    // What is claimed is in the installer's custody.
    const send = (by: string, installer: string) =>
      refusal(d.write.tickets.issue(d.as(by, 'acme'), { org: 'acme', installer }))
    expect(await send('ed', 'mike')).toBe('DIRECTORY_FORBIDDEN')
    expect(await send('zoe', 'mike')).toBe(ABOVE)
  })

  engine.with('who edits in one workspace places nothing in another', async (d) => {
    await stage(d)
    const make = async (name: string) =>
      (await done(d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name }))).workspace
    const [one, two] = [await make('One'), await make('Two')]
    const placed = { org: 'acme', gateway: 'GW-2', publicKey: Buffer.alloc(32, 2).toString('base64') }
    await done(d.write.gateways.register(d.operator(), { ...placed, workspace: one }))
    const level = { org: 'acme', workspace: one, user: 'mike', level: 'editor' } as const
    await done(d.write.workspaces.setLevel(d.as('ana', 'acme'), level))
    const place = (device: string, workspace: string) =>
      refusal(
        d.write.gateways.addDevice(d.as('mike', 'acme'), {
          ...{ org: 'acme', gateway: 'GW-2', device, name: device, workspace },
        }),
      )
    expect([await place('a', one), await place('b', two)]).toEqual(['done', 'DIRECTORY_FORBIDDEN'])
  })

  engine.with("customers configure nothing, whoever's custody it is in", async (d) => {
    await d.person('pia', 'part', { type: 'partner', preset: 'meter.me' })
    const customer = { org: 'part', id: 'cust', name: 'Cust', lead: 'cora@example.org' }
    await done(d.write.links.createCustomer(d.as('pia', 'part'), customer))
    const secret = await d.secretFor('cora@example.org')
    await d.person('cora')
    await done(d.write.invitations.accept(d.as('cora'), { secret }))
    for (const [name, org, role, by] of [
      ['pin', 'part', 'installer', 'pia'],
      ['carl', 'cust', 'customer-operator', 'cora'],
      ['mona', 'cust', 'customer-manager', 'cora'],
    ] as const) {
      await d.person(name)
      await d.joins(name, org, role, by)
    }
    await d.person('hans', 'host')
    const register = (org: string, gateway: string, key: number) =>
      done(
        d.write.gateways.register(d.operator(), {
          ...{
            org,
            gateway,
            publicKey: Buffer.alloc(32, key).toString('base64'),
            custodian: org === 'cust' ? 'carl' : undefined,
          },
        }),
      )
    await register('cust', 'GW-C', 3)
    await register('host', 'GW-H', 4)
    const add = (device: string, more: object = {}) =>
      refusal(
        d.write.gateways.addDevice(d.as('pin', 'part'), {
          ...{ org: 'cust', gateway: 'GW-C', device, name: device, ...more },
        }),
      )
    expect([await add('m1', { custodian: 'carl' }), await add('m1')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
    expect(await may(d, 'carl', ['GW-C', 'device.config', 'device.operate'], 'cust')).toEqual([false, true])
    const offered = { org: 'host', gateway: 'GW-H', device: 'g1', name: 'Guest', guest: 'cust' }
    const { hosting } = await done(d.write.hosting.offer(d.as('hans', 'host'), offered))
    const accept = (custodian: string) =>
      refusal(d.write.hosting.accept(d.as('cora', 'cust'), { org: 'cust', hosting, custodian }))
    expect([await accept('carl'), await accept('cora')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
    expect(await may(d, 'cora', ['GW-H/g1', 'device.config', 'share.grant'], 'cust')).toEqual([false, true])
    // A manager brings back nobody who would configure, by whatever they were given.
    const share = {
      thing: { kind: 'device', resource: 'GW-C/m1' },
      to: { kind: 'user', user: 'mona' },
    } as const
    await done(d.write.shares.share(d.as('pia', 'part'), { org: 'cust', ...share, level: 'editor' }))
    await d.person('max')
    await d.joins('max', 'cust', 'customer-manager', 'cora')
    await done(
      d.write.members.changeRole(d.as('cora', 'cust'), {
        org: 'cust',
        user: 'mona',
        role: 'customer-operator',
      }),
    )
    const suspend = (by: string, suspended: boolean) =>
      refusal(
        d.write.members.suspend(d.as(by, by === 'pia' ? 'part' : 'cust'), {
          org: 'cust',
          user: 'mona',
          suspended,
        }),
      )
    expect([await suspend('max', true), await suspend('max', false), await suspend('pia', false)]).toEqual([
      'done',
      ABOVE,
      'done',
    ])
    // What is there no more stands in nobody's way.
    const pressure = {
      org: 'cust',
      name: 'Pressure',
      resource: 'GW-C/m1',
      watch: { kind: 'offline' },
    } as const
    const { alert } = await done(d.write.alerts.create(d.as('pia', 'part'), pressure))
    const told = { org: 'cust', thing: { kind: 'alert', resource: alert }, to: share.to } as const
    await done(d.write.shares.share(d.as('pia', 'part'), told))
    await done(d.write.alerts.remove(d.as('pia', 'part'), { org: 'cust', alert }))
    await done(d.write.gateways.removeDevice(d.as('pin', 'part'), { org: 'cust', device: 'GW-C/m1' }))
    expect([await suspend('max', true), await suspend('max', false)]).toEqual(['done', 'done'])
  })

  engine.with('a custom role takes away from what somebody was given too', async (d) => {
    await stage(d)
    await restricted(d, ['device.operate'])
    const thing = { kind: 'gateway', resource: 'GW-1' } as const
    await done(
      d.write.shares.share(d.as('ana', 'acme'), {
        ...{ org: 'acme', thing, to: { kind: 'user', user: 'zoe' }, level: 'editor' },
      }),
    )
    expect(await may(d, 'zoe', ['GW-1', 'device.operate', 'device.config'])).toEqual([false, true])
  })

  engine.with('who only looks saves no view', async (d) => {
    await d.person('iris', 'flows', { preset: 'iotflows' })
    for (const [name, role] of [
      ['obo', 'observer'],
      ['mo', 'member'],
    ] as const) {
      await d.person(name)
      await d.joins(name, 'flows', role, 'iris')
    }
    const save = (by: string) =>
      refusal(
        d.write.views.save(d.as(by, 'flows'), {
          ...{ org: 'flows', name: 'Map', kind: 'map', gateways: [], definition: {} },
        }),
      )
    expect([await save('obo'), await save('mo')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
  })
})
