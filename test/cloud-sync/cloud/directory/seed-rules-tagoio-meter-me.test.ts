import { expect } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const profile = async (d: TestDirectory, name: string) =>
  (await done(d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name, type: 'profile' })))
    .workspace
/** Adds somebody who has an account to a profile, by e-mail. */
async function added(d: TestDirectory, user: string, workspace: string): Promise<void> {
  const email = `${user}@example.org`
  const into = { org: 'acme', email, workspace, level: 'owner' } as const
  await done(d.write.invitations.invite(d.as('ana', 'acme'), into))
  await done(d.write.invitations.accept(d.as(user), { secret: await d.secretFor(email) }))
}
const seen = async (d: TestDirectory, user: string) =>
  (await done(d.ask.workspaces.list(d.actor(user, 'acme'), { org: 'acme' }))).map(({ id }) => id)
const reads = async (d: TestDirectory, [user, org]: [string, string], resource: string, of = 'acme') =>
  (
    await done(
      d.ask.shares.check(d.actor(user, org), {
        org: of,
        right: 'data.read',
        thing: { kind: 'gateway', resource },
      }),
    )
  ).allowed

/** Partner flow with owner pat and super installer sue; customer ranch, with a system and its owner lea. */
async function partner(d: TestDirectory): Promise<string> {
  await d.person('pat', 'flow', { type: 'partner', preset: 'meter.me', name: 'Flow' })
  await d.person('sue')
  await d.joins('sue', 'flow', 'super-installer', 'pat')
  const { systems } = await done(
    d.write.links.createCustomer(d.as('sue', 'flow'), {
      org: 'flow',
      id: 'ranch',
      name: 'Ranch',
      systems: ['House'],
      lead: 'lea@example.org',
    }),
  )
  const secret = await d.secretFor('lea@example.org')
  await d.person('lea')
  await done(d.write.invitations.accept(d.as('lea'), { secret }))
  return systems[0] ?? ''
}

onSqlite((engine) => {
  engine.with('S3.1 profiles are shared, and stay with the account that made them', async (d) => {
    await d.person('ana', 'acme', { preset: 'tagoio' })
    await d.person('bob')
    const mine = await profile(d, 'Mine')
    await added(d, 'bob', mine)
    expect(await seen(d, 'bob')).toEqual([mine])
    expect(await d.store.read.get('workspace', { id: mine })).toMatchObject({
      org: 'acme',
      created_by: 'ana',
    })
    const transfer = { org: 'acme', user: 'bob', password: 'bob-password' }
    expect(await refusal(d.write.organisations.transferOwnership(d.as('bob', 'acme'), transfer))).toBe(
      'DIRECTORY_FORBIDDEN',
    )
  })

  engine.with('S3.4 an outsider in one profile gets that and nothing else', async (d) => {
    await d.person('ana', 'acme', { preset: 'tagoio' })
    await d.person('bob')
    const [mine, other] = [await profile(d, 'Mine'), await profile(d, 'Other')]
    for (const [gateway, workspace] of [
      ['GW-1', mine],
      ['GW-2', other],
    ] as const)
      await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway, workspace, publicKey: KEY }))
    await added(d, 'bob', mine)
    expect([await reads(d, ['bob', 'acme'], 'GW-1'), await reads(d, ['bob', 'acme'], 'GW-2')]).toEqual([
      true,
      false,
    ])
    const asBob = d.actor('bob', 'acme')
    expect(await refusal(d.ask.workspaces.members(asBob, { org: 'acme', workspace: other }))).toBe(
      'DIRECTORY_FORBIDDEN',
    )
    expect(await done(d.ask.members.list(asBob, { org: 'acme' }))).toHaveLength(1)
    await done(
      d.write.workspaces.removeLevel(d.as('ana', 'acme'), { org: 'acme', workspace: mine, user: 'bob' }),
    )
    expect(await reads(d, ['bob', 'acme'], 'GW-1')).toBe(false)
  })

  engine.with('S3.6 one acts in one context at a time, chosen and never mixed', async (d) => {
    await d.person('ana', 'acme', { preset: 'tagoio' })
    await d.person('bob', 'beta', { preset: 'tagoio' })
    const mine = await profile(d, 'Mine')
    await added(d, 'bob', mine)
    await done(
      d.write.gateways.register(d.operator(), {
        org: 'acme',
        gateway: 'GW-1',
        workspace: mine,
        publicKey: KEY,
      }),
    )
    expect([await reads(d, ['bob', 'acme'], 'GW-1'), await reads(d, ['bob', 'beta'], 'GW-1')]).toEqual([
      true,
      false,
    ])
    const { secret } = await done(d.doors.signIn({ login: 'bob', password: 'bob-password', address: '::1' }))
    expect([
      await d.doors.sessionActor(secret, 'acme'),
      await d.doors.sessionActor(secret, 'beta'),
    ]).toMatchObject([{ org: 'acme' }, { org: 'beta' }])
    const mineToChoose = await done(d.ask.organisations.mine(d.actor('bob'), {}))
    expect(mineToChoose.map(({ id }) => id)).toEqual(['acme', 'beta'])
  })

  engine.with('S3.7 profiles are added by the account owner, as many as the account may have', async (d) => {
    await d.person('ana', 'acme', { preset: 'tagoio' })
    await d.person('bob')
    const mine = await profile(d, 'Mine')
    await added(d, 'bob', mine)
    const add = (by: string) =>
      refusal(d.write.workspaces.create(d.as(by, 'acme'), { org: 'acme', name: 'New', type: 'profile' }))
    expect([await add('bob'), await add('ana')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
    await done(d.write.organisations.govern(d.operator(), { org: 'acme', quotas: { profiles: 3 } }))
    expect([await add('ana'), await add('ana')]).toEqual(['done', 'DIRECTORY_QUOTA_EXCEEDED'])
  })

  engine.with('S3.11 people are added to a profile by their e-mail address', async (d) => {
    await d.person('ana', 'acme', { preset: 'tagoio' })
    await d.person('bob')
    const mine = await profile(d, 'Mine')
    const into = (email: string) =>
      refusal(
        d.write.invitations.invite(d.as('ana', 'acme'), {
          org: 'acme',
          email,
          workspace: mine,
          level: 'owner',
        }),
      )
    expect([await into('bob@example.org'), await into('nobody@example.org')]).toEqual([
      'done',
      'DIRECTORY_NO_ACCOUNT',
    ])
    await done(d.write.invitations.accept(d.as('bob'), { secret: await d.secretFor('bob@example.org') }))
    const team = await done(
      d.ask.workspaces.members(d.actor('ana', 'acme'), { org: 'acme', workspace: mine }),
    )
    expect(team).toEqual([{ user: 'bob', role: 'member', level: 'owner' }])
  })

  engine.with('S4.1 an organisation holds its people and its systems', async (d) => {
    const house = await partner(d)
    const lea = d.actor('lea', 'ranch')
    expect(await done(d.ask.members.list(lea, { org: 'ranch' }))).toMatchObject([{ user: 'lea' }])
    expect(await done(d.ask.workspaces.list(lea, { org: 'ranch' }))).toMatchObject([
      { id: house, name: 'House', type: 'system' },
    ])
  })

  engine.with('S4.2 every partner and every customer is an organisation', async (d) => {
    await partner(d)
    const all = await d.store.read.find('organisation', {}, { orderBy: ['id'] })
    expect(all.map(({ id, type }) => `${id} ${type}`)).toEqual(['flow partner', 'ranch customer'])
  })

  engine.with('S4.3 a system belongs to one organisation, and there is none without', async (d) => {
    const house = await partner(d)
    expect(await d.store.read.get('workspace', { id: house })).toMatchObject({ org: 'ranch' })
    const nowhere = { org: 'nothing', name: 'X', type: 'system' } as const
    expect(await refusal(d.write.workspaces.create(d.as('sue', 'flow'), nowhere))).toBe('DIRECTORY_NOT_FOUND')
  })

  engine.with("S4.5 a partner makes a system in the customer's organisation, which owns it", async (d) => {
    await partner(d)
    const made = await done(
      d.write.workspaces.create(d.as('sue', 'flow'), { org: 'ranch', name: 'Barn', type: 'system' }),
    )
    expect(await d.store.read.get('workspace', { id: made.workspace })).toMatchObject({ org: 'ranch' })
    await d.person('ines')
    await d.joins('ines', 'flow', 'installer', 'pat')
    const byInstaller = d.write.workspaces.create(d.as('ines', 'flow'), { org: 'ranch', name: 'Shed' })
    expect(await refusal(byInstaller)).toBe('DIRECTORY_FORBIDDEN')
  })

  engine.with('S4.7 customers are invited into their organisation, with the role they get', async (d) => {
    await partner(d)
    const invite = (by: string, org: string, role: string) =>
      refusal(
        d.write.invitations.invite(d.as(by, org), {
          org: 'ranch',
          email: `${role}@example.org`,
          role: role as 'customer-viewer',
        }),
      )
    expect(await invite('sue', 'flow', 'customer-operator')).toBe('done')
    expect(await invite('lea', 'ranch', 'customer-manager')).toBe('done')
    expect(await invite('lea', 'ranch', 'installer')).toBe('DIRECTORY_PRESET_FORBIDS')
    const secret = await d.secretFor('customer-operator@example.org')
    await d.person('customer-operator')
    await done(d.write.invitations.accept(d.as('customer-operator'), { secret }))
    await done(d.write.gateways.register(d.operator(), { org: 'ranch', gateway: 'GW-1', publicKey: KEY }))
    expect(await reads(d, ['customer-operator', 'ranch'], 'GW-1', 'ranch')).toBe(true)
  })

  engine.with('S4.8 team members are invited into the partner organisation', async (d) => {
    await partner(d)
    const invite = (by: string, org: string) =>
      refusal(
        d.write.invitations.invite(d.as(by, org), {
          org: 'flow',
          email: 'ines@example.org',
          role: 'installer',
        }),
      )
    expect([await invite('lea', 'ranch'), await invite('pat', 'flow')]).toEqual([
      'DIRECTORY_NOT_FOUND',
      'done',
    ])
    await d.person('ines')
    await d.joins('ines', 'flow', 'installer', 'pat')
    const mine = await done(d.ask.organisations.mine(d.actor('ines'), {}))
    expect(mine.map(({ id }) => id)).toEqual(['flow', 'ranch'])
  })

  engine.with("S4.9 a partner sees and manages its customers' organisations, and no others", async (d) => {
    await partner(d)
    await d.person('ana', 'acme')
    const update = (org: string) =>
      refusal(d.write.organisations.update(d.as('sue', 'flow'), { org, description: 'managed' }))
    expect([await update('ranch'), await update('acme')]).toEqual(['done', 'DIRECTORY_NOT_FOUND'])
    const { manages } = await done(d.ask.links.list(d.actor('sue', 'flow'), { org: 'flow' }))
    expect(manages).toMatchObject([{ org: 'ranch', name: 'Ranch' }])
    // What the customer's owner alone decides stays the customer's.
    const visibility = { org: 'ranch', visibility: 'public' } as const
    expect(await refusal(d.write.organisations.setVisibility(d.as('sue', 'flow'), visibility))).toBe(
      'DIRECTORY_FORBIDDEN',
    )
  })

  engine.with('S4.10 after the log-in one chooses an organisation among those one may act in', async (d) => {
    await partner(d)
    const { secret } = await done(d.doors.signIn({ login: 'sue', password: 'sue-password', address: '::1' }))
    const actor = await d.doors.sessionActor(secret, 'flow')
    if (actor === undefined) throw new Error('no session')
    const choice = await done(d.ask.organisations.mine(actor, {}))
    expect(choice.map(({ id, through }) => `${id} ${through ?? '-'}`)).toEqual(['flow -', 'ranch flow'])
    expect(await refusal(d.ask.organisations.details(actor, { org: 'ranch' }))).toBe('done')
    const alone = await d.doors.sessionActor(secret, null)
    if (alone === undefined) throw new Error('no session')
    expect(await refusal(d.ask.organisations.details(alone, { org: 'ranch' }))).toBe('DIRECTORY_NOT_FOUND')
  })

  engine.with('S4.12 people are managed in organisations, not in systems', async (d) => {
    const house = await partner(d)
    const mo = { org: 'ranch', email: 'mo@example.org' }
    const into = { ...mo, workspace: house, level: 'viewer' } as const
    expect(await refusal(d.write.invitations.invite(d.as('sue', 'flow'), into))).toBe(
      'DIRECTORY_PRESET_FORBIDS',
    )
    const level = { org: 'ranch', workspace: house, user: 'lea', level: 'viewer' } as const
    expect(await refusal(d.write.workspaces.setLevel(d.as('lea', 'ranch'), level))).toBe(
      'DIRECTORY_PRESET_FORBIDS',
    )
    const whole = { ...mo, role: 'customer-viewer' } as const
    expect(await refusal(d.write.invitations.invite(d.as('sue', 'flow'), whole))).toBe('done')
  })

  engine.with('S4.13 from acceptance on, and by the permissions of the role', async (d) => {
    await partner(d)
    const see = () => refusal(d.ask.organisations.details(d.actor('sam', 'flow'), { org: 'ranch' }))
    await d.person('sam')
    const invited = { org: 'flow', email: 'sam@example.org', role: 'systems-admin' } as const
    await done(d.write.invitations.invite(d.as('pat', 'flow'), invited))
    expect(await see()).toBe('DIRECTORY_NOT_FOUND')
    await done(d.write.invitations.accept(d.as('sam'), { secret: await d.secretFor('sam@example.org') }))
    expect(await see()).toBe('done')
    await done(d.write.gateways.register(d.operator(), { org: 'ranch', gateway: 'GW-1', publicKey: KEY }))
    const install = (by: string) =>
      refusal(
        d.write.gateways.addDevice(d.as(by, 'flow'), { org: 'ranch', gateway: 'GW-1', device: by, name: by }),
      )
    expect([await install('sam'), await install('sue')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
    // A customer that comes later is theirs too, without another invitation.
    await done(d.write.links.createCustomer(d.as('sam', 'flow'), { org: 'flow', id: 'farm', name: 'Farm' }))
    expect(await refusal(d.ask.organisations.details(d.actor('sam', 'flow'), { org: 'farm' }))).toBe('done')
  })

  engine.with('S4.18 what is to come is held back until the platform switches it on', async (d) => {
    await d.person('ana', 'acme')
    const feature = (call: ReturnType<TestDirectory['as']>, on: boolean) =>
      refusal(d.write.platform.setFeature(call, { feature: 'partners', on }))
    expect(await feature(d.as('ana', 'acme'), false)).toBe('DIRECTORY_FORBIDDEN')
    expect(await feature(d.operator(), false)).toBe('done')
    const found = () =>
      refusal(d.write.organisations.create(d.as('ana'), { id: 'north', name: 'North', type: 'partner' }))
    expect(await found()).toBe('DIRECTORY_NOT_ROLLED_OUT')
    expect(await feature(d.operator(), true)).toBe('done')
    expect(await found()).toBe('done')
    // Taken back, what there is goes on and nothing new is made.
    await partner(d)
    await feature(d.operator(), false)
    const customer = { org: 'flow', id: 'farm', name: 'Farm' }
    expect(await refusal(d.write.links.createCustomer(d.as('sue', 'flow'), customer))).toBe(
      'DIRECTORY_NOT_ROLLED_OUT',
    )
    expect(await refusal(d.ask.organisations.details(d.actor('sue', 'flow'), { org: 'ranch' }))).toBe('done')
  })
})
