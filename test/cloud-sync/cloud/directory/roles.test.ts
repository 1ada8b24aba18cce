import { expect } from 'vitest'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

/** Reads, and configures nothing. */
const PARTNERS_CAP = 'systems-admin'
const KEY = Buffer.alloc(32).toString('base64')
type Rights = Parameters<TestDirectory['write']['roles']['create']>[1]['without']
const create = async (d: TestDirectory, by: string, without: Rights, name = 'Quiet') =>
  (await done(d.write.roles.create(d.as(by, 'acme'), { org: 'acme', name, without }))).role
const assign = (d: TestDirectory, by: string, user: string, role: string | null) =>
  refusal(d.write.members.setCustomRole(d.as(by, 'acme'), { org: 'acme', user, role }))
const may = async (d: TestDirectory, user: string, right: Rights[number]) =>
  (
    await done(
      d.ask.shares.check(d.actor(user, 'acme'), {
        org: 'acme',
        right,
        thing: { kind: 'gateway', resource: 'GW-1' },
      }),
    )
  ).allowed

/** acme with owner ana, administrators adam and bert, editor ed, member mo, and a gateway. */
async function acme(d: TestDirectory): Promise<void> {
  await d.person('ana', 'acme')
  for (const [name, role] of [
    ['adam', 'admin'],
    ['bert', 'admin'],
    ['ed', 'editor'],
    ['mo', 'member'],
  ] as const) {
    await d.person(name)
    await d.joins(name, 'acme', role, 'ana')
  }
  await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey: KEY }))
}

onBothEngines((engine) => {
  engine.with('a custom role takes away from whoever bears it, and gives nothing', async (d) => {
    await acme(d)
    const role = await create(d, 'adam', ['device.operate'])
    expect(await assign(d, 'adam', 'ed', role)).toBe('done')
    expect([await may(d, 'ed', 'device.operate'), await may(d, 'ed', 'device.config')]).toEqual([false, true])
    // A member without rights gets none by it.
    expect(await assign(d, 'adam', 'mo', role)).toBe('done')
    expect(await may(d, 'mo', 'device.config')).toBe(false)
    await done(d.write.roles.update(d.as('adam', 'acme'), { org: 'acme', role, without: ['device.config'] }))
    expect([await may(d, 'ed', 'device.operate'), await may(d, 'ed', 'device.config')]).toEqual([true, false])
    expect(await assign(d, 'adam', 'ed', null)).toBe('done')
    expect(await may(d, 'ed', 'device.config')).toBe(true)
  })

  engine.with('it also narrows what was shared and what a write needs', async (d) => {
    await acme(d)
    const to = {
      org: 'acme',
      thing: { kind: 'gateway', resource: 'GW-1' },
      to: { kind: 'user', user: 'mo' },
    } as const
    await done(d.write.shares.share(d.as('ana', 'acme'), { ...to, level: 'editor' }))
    expect(await may(d, 'mo', 'device.operate')).toBe(true)
    const update = () =>
      refusal(d.write.organisations.update(d.as('ed', 'acme'), { org: 'acme', description: 'x' }))
    expect(await update()).toBe('done')
    const role = await create(d, 'ana', ['device.operate', 'org.update'])
    await assign(d, 'ana', 'ed', role)
    expect(await update()).toBe('DIRECTORY_FORBIDDEN')
  })

  engine.with('nobody changes it for their own rank or above, and owners bear none', async (d) => {
    await acme(d)
    const role = await create(d, 'ana', ['audit.read'])
    expect(
      await refusal(
        d.write.roles.create(d.as('ed', 'acme'), { org: 'acme', name: 'X', without: ['audit.read'] }),
      ),
    ).toBe('DIRECTORY_FORBIDDEN')
    expect(await assign(d, 'adam', 'bert', role)).toBe('DIRECTORY_ABOVE_RANK')
    expect(await assign(d, 'ana', 'ana', role)).toBe('DIRECTORY_FORBIDDEN')
    expect(await assign(d, 'ana', 'bert', role)).toBe('done')
    // Now bert is borne by it: adam may not change what it means, nor may bert.
    const widen = (by: string) =>
      refusal(d.write.roles.update(d.as(by, 'acme'), { org: 'acme', role, without: ['team.manage'] }))
    expect([await widen('adam'), await widen('bert')]).toEqual([
      'DIRECTORY_ABOVE_RANK',
      'DIRECTORY_ABOVE_RANK',
    ])
    expect(await widen('ana')).toBe('done')
    // Who becomes an owner has every right again.
    await done(d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'bert', role: 'owner' }))
    expect(await d.store.read.get('membership', { user: 'bert' })).toMatchObject({ custom: null })
  })

  engine.with('nobody gives back what was taken from themselves', async (d) => {
    await acme(d)
    const narrow = await create(d, 'ana', ['device.operate'])
    const other = await create(d, 'ana', ['data.export'], 'Other')
    await assign(d, 'ana', 'adam', narrow)
    await assign(d, 'ana', 'ed', narrow)
    for (const role of [null, other]) expect(await assign(d, 'adam', 'ed', role)).toBe('DIRECTORY_ABOVE_RANK')
    expect(await assign(d, 'adam', 'mo', narrow)).toBe('done')
    expect(await assign(d, 'bert', 'ed', null)).toBe('done')
  })

  engine.with('nobody gives back what they lack of what somebody was given', async (d) => {
    await acme(d)
    await d.person('obs')
    await d.joins('obs', 'acme', 'observer', 'ana')
    await d.person('xena', 'xpart', { type: 'partner', preset: 'meter.me' })
    await done(
      d.write.links.ask(d.as('xena', 'xpart'), { org: 'xpart', customer: 'acme', cap: PARTNERS_CAP }),
    )
    const { managedBy } = await done(d.ask.links.list(d.actor('ana', 'acme'), { org: 'acme' }))
    await done(d.write.links.accept(d.as('ana', 'acme'), { org: 'acme', link: managedBy[0]?.link ?? '' }))
    const [gw, ana] = [{ kind: 'gateway', resource: 'GW-1' } as const, () => d.as('ana', 'acme')]
    await done(d.write.gateways.setCustodian(ana(), { org: 'acme', ...gw, user: 'obs' }))
    const to = { kind: 'user', user: 'mo' } as const
    await done(d.write.shares.share(ana(), { org: 'acme', thing: gw, to, level: 'owner' }))
    const quiet = await create(d, 'ana', ['data.read', 'device.config', 'share.changeOwner'])
    await assign(d, 'ana', 'mo', quiet)
    const by = (user: string) => d.as(user, user === 'xena' ? 'xpart' : 'acme')
    const lift = (user: string, role: 'member' | 'observer' = 'member') =>
      refusal(d.write.members.changeRole(by(user), { org: 'acme', user: 'obs', role }))
    const widen = (user: string, without: Rights) =>
      refusal(d.write.roles.update(by(user), { org: 'acme', role: quiet, without }))
    const takeOff = (user: string) =>
      refusal(d.write.members.setCustomRole(by(user), { org: 'acme', user: 'mo', role: null }))
    expect([await lift('xena'), await takeOff('xena'), await widen('xena', ['data.read'])]).toEqual(
      Array<string>(3).fill('DIRECTORY_ABOVE_RANK'),
    )
    for (const user of ['obs', 'mo']) expect(await may(d, user, 'device.config')).toBe(false)
    // What they have they give back, and who has it all gives all.
    expect(await widen('xena', ['device.config', 'share.changeOwner'])).toBe('done')
    expect([await lift('bert'), await takeOff('bert')]).toEqual(['done', 'done'])
    for (const user of ['obs', 'mo']) expect(await may(d, user, 'device.config')).toBe(true)
    expect(await lift('xena', 'observer')).toBe('done')
    // Nor what everybody has but who bears the role.
    await done(
      d.write.shares.share(ana(), {
        org: 'acme',
        thing: gw,
        to: { kind: 'org', org: 'acme' },
        level: 'editor',
      }),
    )
    await d.person('sam')
    await d.joins('sam', 'acme', 'member', 'ana')
    const off = (user: string) =>
      refusal(d.write.members.setCustomRole(by(user), { org: 'acme', user: 'sam', role: null }))
    await assign(d, 'ana', 'sam', quiet)
    expect([await off('xena'), await may(d, 'sam', 'device.config')]).toEqual(['DIRECTORY_ABOVE_RANK', false])
    expect([await off('bert'), await may(d, 'sam', 'device.config')]).toEqual(['done', true])
  })

  engine.with(
    'a role that somebody bears is not deleted, and another organisation has none of it',
    async (d) => {
      await acme(d)
      const role = await create(d, 'ana', ['audit.read'])
      await assign(d, 'ana', 'mo', role)
      const remove = () => refusal(d.write.roles.remove(d.as('ana', 'acme'), { org: 'acme', role }))
      expect(await remove()).toBe('DIRECTORY_EXISTS')
      await assign(d, 'ana', 'mo', null)
      expect(await remove()).toBe('done')
      expect(await assign(d, 'ana', 'mo', role)).toBe('DIRECTORY_NOT_FOUND')
      await d.person('bea', 'borealis')
      const foreign = d.write.roles.remove(d.as('bea', 'borealis'), { org: 'borealis', role })
      expect(await refusal(foreign)).toBe('DIRECTORY_NOT_FOUND')
      expect(await done(d.ask.roles.list(d.actor('mo', 'acme'), { org: 'acme' }))).toEqual([])
    },
  )

  engine.with(
    'an operator of the platform is made by one, and has no right in any organisation',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('opal')
      const make = (call: ReturnType<TestDirectory['as']>) =>
        refusal(d.write.platform.makeOperator(call, { user: 'opal' }))
      expect(await make(d.as('ana', 'acme'))).toBe('DIRECTORY_FORBIDDEN')
      const govern = () =>
        refusal(d.write.organisations.govern(d.as('opal'), { org: 'acme', quotas: { devices: 3 } }))
      expect([await govern(), await make(d.operator()), await govern(), await make(d.operator())]).toEqual([
        'DIRECTORY_FORBIDDEN',
        'done',
        'done',
        'DIRECTORY_EXISTS',
      ])
      expect(await refusal(d.ask.organisations.details(d.actor('opal', 'acme'), { org: 'acme' }))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
      expect(await done(d.ask.platform.operators(d.actor('opal'), {}))).toMatchObject([{ user: 'opal' }])
      await done(d.write.platform.endOperator(d.operator(), { user: 'opal' }))
      expect(await govern()).toBe('DIRECTORY_FORBIDDEN')
    },
  )
})
