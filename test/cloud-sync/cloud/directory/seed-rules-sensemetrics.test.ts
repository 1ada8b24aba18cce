import { expect } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const tilt = { kind: 'device', resource: 'GW-1/tilt-1' } as const

/** acme speaks sensemetrics: Admin ana, Basic bob, and a tiltmeter. */
async function acme(d: TestDirectory): Promise<void> {
  await d.person('ana', 'acme', { preset: 'sensemetrics' })
  await d.person('bob')
  await d.joins('bob', 'acme', 'member', 'ana')
  await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey: KEY }))
  const device = { org: 'acme', gateway: 'GW-1', device: 'tilt-1', name: 'Tilt' }
  await done(d.write.gateways.addDevice(d.as('ana', 'acme'), device))
}
async function borealis(d: TestDirectory, visibility: 'public' | 'private' = 'public'): Promise<void> {
  await d.person('bea', 'borealis')
  await done(d.write.organisations.setVisibility(d.as('bea', 'borealis'), { org: 'borealis', visibility }))
}
const mayRead = async (d: TestDirectory, user: string) =>
  (await done(d.ask.shares.check(d.actor(user, 'acme'), { org: 'acme', right: 'data.read', thing: tilt })))
    .allowed

onSqlite((engine) => {
  engine.with('S0.1 only an Admin opens the settings of the organisation, and what is billed', async (d) => {
    await acme(d)
    await d.person('ivo')
    const settings = (by: string) => [
      refusal(d.write.organisations.update(d.as(by, 'acme'), { org: 'acme', description: by })),
      refusal(d.write.organisations.setVisibility(d.as(by, 'acme'), { org: 'acme', visibility: 'public' })),
      refusal(d.ask.organisations.search(d.actor(by, 'acme'), { org: 'acme', name: 'bor' })),
      refusal(d.ask.invitations.list(d.actor(by, 'acme'), { org: 'acme' })),
      refusal(d.ask.audit.list(d.actor(by, 'acme'), { org: 'acme' })),
      refusal(
        d.write.members.changeRole(d.as(by, 'acme'), {
          org: 'acme',
          user: 'bob',
          role: 'member',
          billing: false,
        }),
      ),
    ]
    expect(new Set(await Promise.all(settings('bob')))).toEqual(new Set(['DIRECTORY_FORBIDDEN']))
    for (const code of settings('ana')) expect(await code).toBe('done')
    // The name of the own organisation is for everybody in it (S0.7), and for nobody outside.
    const see = (by: string) => refusal(d.ask.organisations.details(d.actor(by, 'acme'), { org: 'acme' }))
    expect([await see('bob'), await see('ivo')]).toEqual(['done', 'DIRECTORY_NOT_FOUND'])
  })

  engine.with('S0.8 everybody leaves by themselves, whatever their role, but the last Admin', async (d) => {
    await acme(d)
    const leave = (by: string) => refusal(d.write.members.leave(d.as(by, 'acme'), { org: 'acme' }))
    expect(await leave('ana')).toBe('DIRECTORY_LAST_OWNER')
    expect(await leave('bob')).toBe('done')
    expect(await leave('bob')).toBe('DIRECTORY_NOT_FOUND')
    await d.person('cy')
    await d.joins('cy', 'acme', 'member', 'ana')
    await done(d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'cy', role: 'owner' }))
    expect(await leave('ana')).toBe('done')
  })

  engine.with('S0.12 a key opens for an integration exactly what its user may do', async (d) => {
    await acme(d)
    const actorOf = async (user: string) => {
      const { secret } = await done(d.write.tokens.regenerateKey(d.as(user, 'acme'), { org: 'acme' }))
      const actor = await d.doors.keyActor(secret ?? '')
      if (actor === undefined) throw new Error('the key opens nothing')
      return actor
    }
    const [ana, bob] = [await actorOf('ana'), await actorOf('bob')]
    const read = async (actor: typeof ana) =>
      (await done(d.ask.shares.check(actor, { org: 'acme', right: 'data.read', thing: tilt }))).allowed
    expect([await read(ana), await read(bob)]).toEqual([true, false])
    const share = { org: 'acme', thing: tilt, to: { kind: 'user', user: 'bob' } } as const
    expect(await refusal(d.write.shares.share({ actor: bob, key: 'b' }, share))).not.toBe('done')
    expect(await refusal(d.write.shares.share({ actor: ana, key: 'a' }, share))).toBe('done')
    // It follows what its user may do, at once and without a new one.
    expect(await read(bob)).toBe(true)
  })

  engine.with('S0.15 Admins list, change and remove members; Basic users see themselves', async (d) => {
    await acme(d)
    await d.person('cy')
    await d.joins('cy', 'acme', 'member', 'ana')
    const listed = async (by: string) =>
      (await done(d.ask.members.list(d.actor(by, 'acme'), { org: 'acme' }))).map(({ user }) => user)
    expect([await listed('ana'), await listed('bob')]).toEqual([['ana', 'bob', 'cy'], ['bob']])
    const remove = (by: string) =>
      refusal(d.write.members.remove(d.as(by, 'acme'), { org: 'acme', user: 'cy' }))
    expect([await remove('bob'), await remove('ana')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
    expect(await listed('ana')).toEqual(['ana', 'bob'])
  })

  engine.with('S0.17 an Admin makes a Basic user Admin and back, but never the last one', async (d) => {
    await acme(d)
    const change = (by: string, user: string, role: 'owner' | 'member') =>
      refusal(d.write.members.changeRole(d.as(by, 'acme'), { org: 'acme', user, role }))
    expect(await change('bob', 'bob', 'owner')).toBe('DIRECTORY_FORBIDDEN')
    expect(await change('ana', 'ana', 'member')).toBe('DIRECTORY_LAST_OWNER')
    expect(await change('ana', 'bob', 'owner')).toBe('done')
    expect(await change('bob', 'ana', 'member')).toBe('done')
    expect(await mayRead(d, 'ana')).toBe(false)
  })

  engine.with('S0.23 sharing across needs Admins of both: one publishes, the other adds', async (d) => {
    await acme(d)
    await borealis(d, 'private')
    const add = (by: string) =>
      refusal(d.write.policies.add(d.as(by, 'acme'), { org: 'acme', name: 'borealis' }))
    expect(await add('ana')).toBe('DIRECTORY_NOT_FOUND')
    await d.person('bo')
    await d.joins('bo', 'borealis', 'member', 'bea')
    const publish = (by: string) =>
      refusal(
        d.write.organisations.setVisibility(d.as(by, 'borealis'), { org: 'borealis', visibility: 'public' }),
      )
    expect([await publish('bo'), await publish('bea')]).toEqual(['DIRECTORY_FORBIDDEN', 'done'])
    const share = () =>
      refusal(
        d.write.shares.share(d.as('ana', 'acme'), {
          org: 'acme',
          thing: tilt,
          to: { kind: 'user', user: 'bea', org: 'borealis' },
        }),
      )
    // Being public alone is not enough.
    expect(await share()).toBe('DIRECTORY_NO_POLICY')
    expect([await add('bob'), await add('ana'), await share()]).toEqual([
      'DIRECTORY_FORBIDDEN',
      'done',
      'done',
    ])
  })

  engine.with('S0.24 a private organisation is to others as if it did not exist', async (d) => {
    await acme(d)
    await borealis(d, 'private')
    const found = (name: string) => d.ask.organisations.search(d.actor('ana', 'acme'), { org: 'acme', name })
    expect(await found('borealis')).toEqual(await found('nobody at all'))
    const add = (name: string) => d.write.policies.add(d.as('ana', 'acme'), { org: 'acme', name })
    expect(await add('borealis')).toEqual(await add('nobody at all'))
    await done(
      d.write.organisations.setVisibility(d.as('bea', 'borealis'), { org: 'borealis', visibility: 'public' }),
    )
    expect(await done(found('borealis'))).toEqual([{ id: 'borealis', name: 'borealis' }])
    // What was agreed while it was public stays agreed.
    await done(add('borealis'))
    await done(
      d.write.organisations.setVisibility(d.as('bea', 'borealis'), {
        org: 'borealis',
        visibility: 'private',
      }),
    )
    expect(await done(d.ask.policies.list(d.actor('ana', 'acme'), { org: 'acme' }))).toHaveLength(1)
  })
})
