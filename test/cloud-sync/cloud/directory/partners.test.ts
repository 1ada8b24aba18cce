import { expect } from 'vitest'
import { DAY_MS, done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const createCustomer = (d: TestDirectory, by: string, more: object = {}) =>
  d.write.links.createCustomer(d.as(by, 'flow'), {
    org: 'flow',
    id: 'ranch',
    name: 'Ranch',
    systems: ['House', 'Barn'],
    lead: 'lea@example.org',
    ...more,
  })
/** Partner flow with its owner pat, super installer sue, systems administrator sam and installer ines. */
async function partner(d: TestDirectory): Promise<void> {
  await d.person('pat', 'flow', { type: 'partner', preset: 'meter.me', name: 'Flow Partners' })
  for (const [name, role] of [
    ['sue', 'super-installer'],
    ['sam', 'systems-admin'],
    ['ines', 'installer'],
  ] as const) {
    await d.person(name)
    await d.joins(name, 'flow', role, 'pat')
  }
}
async function customer(d: TestDirectory): Promise<string> {
  const { link } = await done(createCustomer(d, 'sue'))
  const secret = await d.secretFor('lea@example.org')
  await d.person('lea')
  await done(d.write.invitations.accept(d.as('lea'), { secret }))
  return link
}
const devices = async (d: TestDirectory): Promise<void> => {
  await done(d.write.gateways.register(d.operator(), { org: 'ranch', gateway: 'GW-1', publicKey: KEY }))
  for (const device of ['mote-1', 'mote-2'])
    await done(
      d.write.gateways.addDevice(d.as('sue', 'flow'), {
        org: 'ranch',
        gateway: 'GW-1',
        device,
        name: device,
      }),
    )
}
const offline = (d: TestDirectory, resource: string, now = true) =>
  d.watch.observe({ kind: 'offline', resource, now })
const alerted = async (d: TestDirectory) => {
  const mails = await d.store.read.find('mail', {})
  return mails
    .filter(({ subject }) => subject.startsWith('Alert'))
    .map(({ recipient }) => recipient.split('@')[0])
    .sort()
}

onBothEngines((engine) => {
  engine.with('S4.4 a partner makes a customer, its systems and the invitation of its owner', async (d) => {
    await partner(d)
    expect(await refusal(createCustomer(d, 'ines'))).toBe('DIRECTORY_FORBIDDEN')
    await customer(d)
    const ranch = await d.store.read.get('organisation', { id: 'ranch' })
    expect(ranch).toMatchObject({ type: 'customer', preset: 'meter.me' })
    // S4.3 and S4.5: the systems are the customer's.
    const systems = await d.store.read.find('workspace', { type: 'system' }, { orderBy: ['name'] })
    expect(systems.map(({ name, org }) => `${name} ${org}`)).toEqual(['Barn ranch', 'House ranch'])
    expect(await d.store.read.find('membership', { org: 'ranch' })).toMatchObject([
      { user: 'lea', role: 'customer-owner' },
    ])
    const invite = (email: string, role: 'customer-viewer' | 'customer-manager' | 'customer-owner') =>
      refusal(d.write.invitations.invite(d.as('sam', 'flow'), { org: 'ranch', email, role }))
    expect(await invite('vi@example.org', 'customer-viewer')).toBe('done')
    // A manager operates and shares, which a systems administrator does not.
    expect(await invite('mo@example.org', 'customer-manager')).toBe('DIRECTORY_ABOVE_RANK')
    expect(await invite('no@example.org', 'customer-owner')).toBe('DIRECTORY_ABOVE_RANK')
  })

  engine.with(
    'S4.6 the partner team manages by one link and not a single row for each, S4.13 from acceptance on',
    async (d) => {
      await partner(d)
      await customer(d)
      const see = (user: string) =>
        refusal(d.ask.organisations.details(d.actor(user, 'flow'), { org: 'ranch' }))
      for (const user of ['pat', 'sue', 'sam', 'ines']) expect(await see(user), user).toBe('done')
      expect(await d.store.read.find('grant', {})).toEqual([])
      await d.person('new')
      await done(
        d.write.invitations.invite(d.as('pat', 'flow'), {
          org: 'flow',
          email: 'new@example.org',
          role: 'installer',
        }),
      )
      expect(await see('new')).toBe('DIRECTORY_NOT_FOUND')
      await done(d.write.invitations.accept(d.as('new'), { secret: await d.secretFor('new@example.org') }))
      expect(await see('new')).toBe('done')
      const rename = (user: string) =>
        refusal(d.write.organisations.update(d.as(user, 'flow'), { org: 'ranch', description: user }))
      expect([await rename('sam'), await rename('ines')]).toEqual(['done', 'DIRECTORY_FORBIDDEN'])
      await done(d.write.members.remove(d.as('pat', 'flow'), { org: 'flow', user: 'new' }))
      expect(await see('new')).toBe('DIRECTORY_NOT_FOUND')
      // S4.10: the organisations to choose from.
      const mine = await done(d.ask.organisations.mine(d.actor('sam'), {}))
      expect(mine.map(({ id, through }) => `${id} ${through ?? '-'}`)).toEqual(['flow -', 'ranch flow'])
    },
  )

  engine.with('S4.14 the customer sees the partner, never its people', async (d) => {
    await partner(d)
    await customer(d)
    await done(d.write.organisations.update(d.as('sue', 'flow'), { org: 'ranch', description: 'x' }))
    await done(
      d.write.invitations.invite(d.as('sam', 'flow'), {
        org: 'ranch',
        email: 'mo@example.org',
        role: 'customer-viewer',
      }),
    )
    const lea = d.actor('lea', 'ranch')
    const seen = JSON.stringify([
      await done(d.ask.members.list(lea, { org: 'ranch' })),
      await done(d.ask.links.list(lea, { org: 'ranch' })),
      await done(d.ask.audit.list(lea, { org: 'ranch' })),
      await done(d.ask.invitations.list(lea, { org: 'ranch' })),
      await d.mailsTo('mo@example.org'),
    ])
    for (const name of ['"pat"', '"sue"', '"sam"', 'sue@', 'sam@']) expect(seen).not.toContain(name)
    expect(seen).toContain('flow')
    // The true actor is kept, and the partner's own people see their own actions.
    const own = await done(d.ask.audit.list(d.actor('sue', 'flow'), { org: 'ranch' }))
    expect(own.map(({ actor }) => actor.id)).toContain('sue')
    expect(own.map(({ actor }) => actor.id)).not.toContain('sam')
  })

  engine.with('a link to an organisation that exists needs its owner, who ends it at once', async (d) => {
    await partner(d)
    await d.person('ana', 'acme')
    const ask = (customer: string) => d.write.links.ask(d.as('sam', 'flow'), { org: 'flow', customer })
    expect(await done(ask('acme'))).toEqual({ customer: 'acme' })
    expect(await done(ask('nothing'))).toEqual({ customer: 'nothing' })
    const see = () => refusal(d.ask.organisations.details(d.actor('sam', 'flow'), { org: 'acme' }))
    expect(await see()).toBe('DIRECTORY_NOT_FOUND')
    const { managedBy } = await done(d.ask.links.list(d.actor('ana', 'acme'), { org: 'acme' }))
    expect(managedBy).toMatchObject([{ org: 'flow', name: 'Flow Partners', state: 'pending' }])
    const link = managedBy[0]?.link ?? ''
    expect(await refusal(d.write.links.accept(d.as('sam', 'flow'), { org: 'acme', link }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
    await done(d.write.links.accept(d.as('ana', 'acme'), { org: 'acme', link }))
    expect(await see()).toBe('done')
    await done(d.write.links.terminate(d.as('ana', 'acme'), { org: 'acme', link }))
    expect(await see()).toBe('DIRECTORY_NOT_FOUND')
  })

  engine.with('a partner of a partner gets nothing', async (d) => {
    await partner(d)
    await customer(d)
    await d.person('zoe', 'zone', { type: 'partner', preset: 'meter.me' })
    await done(d.write.links.ask(d.as('zoe', 'zone'), { org: 'zone', customer: 'flow' }))
    expect(await d.store.read.find('management_link', { partner: 'zone' })).toEqual([])
    expect(await refusal(d.ask.organisations.details(d.actor('zoe', 'zone'), { org: 'ranch' }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
  })

  engine.with(
    'S4.15 every partner member is told of every mote by default, later ones too; the customer is not',
    async (d) => {
      await partner(d)
      const link = await customer(d)
      await devices(d)
      await offline(d, 'GW-1/mote-1')
      expect(await alerted(d)).toEqual(['ines', 'pat', 'sam', 'sue'])
      // Told once, and again after it was over.
      expect(await offline(d, 'GW-1/mote-1')).toBe(0)
      expect(await offline(d, 'GW-1/mote-1', false)).toBe(0)
      expect(await offline(d, 'GW-1/mote-1')).toBe(4)
      await d.person('new')
      await d.joins('new', 'flow', 'installer', 'pat')
      expect(await d.watch.observe({ kind: 'low-battery', resource: 'GW-1/mote-2', now: true })).toBe(5)
      await done(d.write.links.terminate(d.as('lea', 'ranch'), { org: 'ranch', link }))
      expect(await offline(d, 'GW-1/mote-2')).toBe(0)
    },
  )

  engine.with(
    'S4.16 each switches off alerts of a mote for themselves, and nobody else notices',
    async (d) => {
      await partner(d)
      await customer(d)
      await devices(d)
      const off = (user: string, resource: string, kind: 'offline' | 'all', isOff = true) =>
        done(d.write.alerts.setOptOut(d.as(user, 'flow'), { org: 'ranch', resource, kind, off: isOff }))
      await off('sue', 'GW-1/mote-1', 'offline')
      await off('sam', 'GW-1', 'all')
      await offline(d, 'GW-1/mote-1')
      expect(await alerted(d)).toEqual(['ines', 'pat'])
      expect(await d.watch.observe({ kind: 'low-battery', resource: 'GW-1/mote-1', now: true })).toBe(3)
      await off('sue', 'GW-1/mote-1', 'offline', false)
      await offline(d, 'GW-1/mote-1', false)
      expect(await offline(d, 'GW-1/mote-1')).toBe(3)
      // It ends with the membership.
      await done(d.write.members.remove(d.as('pat', 'flow'), { org: 'flow', user: 'sam' }))
      await d.joins('sam', 'flow', 'systems-admin', 'pat')
      expect(await offline(d, 'GW-1/mote-2')).toBe(4)
    },
  )

  engine.with('behind a gateway that is offline no device is told of', async (d) => {
    await partner(d)
    await customer(d)
    await devices(d)
    expect(await offline(d, 'GW-1')).toBe(4)
    expect(await offline(d, 'GW-1/mote-1')).toBe(0)
    expect(await offline(d, 'GW-1/mote-2')).toBe(0)
  })

  engine.with('an installer sees no people of a customer, nor a member what others are shown', async (d) => {
    await partner(d)
    await customer(d)
    await devices(d)
    for (const name of ['otto', 'vera', 'olaf']) await d.person(name)
    await d.joins('otto', 'ranch', 'customer-operator', 'lea')
    await d.joins('olaf', 'ranch', 'customer-operator', 'lea')
    await d.joins('vera', 'ranch', 'customer-manager', 'lea')
    const shareWith = (to: { kind: 'user'; user: string } | { kind: 'org'; org: string }, device: string) =>
      done(
        d.write.shares.share(d.as('lea', 'ranch'), {
          ...{ org: 'ranch', to },
          thing: { kind: 'device', resource: `GW-1/${device}` },
        }),
      )
    await shareWith({ kind: 'user', user: 'otto' }, 'mote-1')
    await shareWith({ kind: 'org', org: 'ranch' }, 'mote-2')
    const seen = async (user: string, acting = 'ranch') => {
      const { given } = await done(d.ask.shares.ofDevices(d.actor(user, acting), { org: 'ranch' }))
      return given.map(({ device, to }) => `${device} ${to.member ?? 'all'}`).sort()
    }
    const both = ['mote-1 otto', 'mote-2 all']
    expect([await seen('lea'), await seen('vera'), await seen('sue', 'flow')]).toEqual([both, both, both])
    expect(await seen('otto')).toEqual(both)
    expect([await seen('olaf'), await seen('ines', 'flow')]).toEqual([['mote-2 all'], ['mote-2 all']])
    // Teams are tags that everybody may see; who is in them is for who may list people.
    const { team } = await done(
      d.write.teams.create(d.as('pat', 'flow'), { org: 'flow', handle: 'crew', name: 'Crew' }),
    )
    await done(d.write.teams.setMember(d.as('pat', 'flow'), { org: 'flow', team, user: 'sam' }))
    const crew = (user: string) => done(d.ask.teams.list(d.actor(user, 'flow'), { org: 'flow' }))
    expect([await crew('ines'), await crew('pat')]).toMatchObject([
      [{ handle: 'crew', members: [] }],
      [{ handle: 'crew', members: [{ user: 'sam' }] }],
    ])
  })

  engine.with('a link with an end ends', async (d) => {
    await partner(d)
    await d.person('ana', 'acme')
    const expiresAt = d.now() + DAY_MS
    const asked = (end: number) =>
      d.write.links.ask(d.as('sam', 'flow'), { org: 'flow', customer: 'acme', expiresAt: end })
    // No policy can say that something ends before 1970.
    expect(await refusal(asked(-1))).toBe('DIRECTORY_INPUT_INVALID')
    await done(asked(expiresAt))
    const [pending] = await d.store.read.find('management_link', { org: 'acme' })
    await done(d.write.links.accept(d.as('ana', 'acme'), { org: 'acme', link: pending?.id ?? '' }))
    const see = () => refusal(d.ask.organisations.details(d.actor('sam', 'flow'), { org: 'acme' }))
    expect(await see()).toBe('done')
    d.pass(DAY_MS)
    expect(await see()).toBe('DIRECTORY_NOT_FOUND')
  })
})
