import { expect } from 'vitest'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const tilt = { kind: 'device', resource: 'GW-1/tilt-1' } as const
const gw = { kind: 'gateway', resource: 'GW-1' } as const
type Thing = Parameters<TestDirectory['write']['shares']['share']>[1]['thing']
type To = Parameters<TestDirectory['write']['shares']['share']>[1]['to']

/** acme with its owner ana, member bob, GW-1 and tilt-1 on it; borealis with bea, who owns it. */
async function site(d: TestDirectory): Promise<void> {
  await d.person('ana', 'acme')
  await d.person('bob')
  await d.person('bea', 'borealis')
  await d.joins('bob', 'acme', 'member', 'ana')
  await register(d, 'acme', 'GW-1')
  await done(
    d.write.gateways.addDevice(d.as('ana', 'acme'), {
      org: 'acme',
      gateway: 'GW-1',
      device: 'tilt-1',
      name: 'Tilt',
    }),
  )
}
const register = (d: TestDirectory, org: string, gateway: string) =>
  done(d.write.gateways.register(d.operator(), { org, gateway, publicKey: KEY }))
const share = (d: TestDirectory, by: string, thing: Thing, to: To, more: object = {}) =>
  d.write.shares.share(d.as(by, 'acme'), { org: 'acme', thing, to, ...more })
const may = async (d: TestDirectory, [user, org]: [string, string], thing: Thing, right = 'data.read') =>
  (await done(d.ask.shares.check(d.actor(user, org), { org: 'acme', right: right as 'data.read', thing })))
    .allowed
const policy = async (d: TestDirectory, level: 'editor' | 'viewer' = 'editor') => {
  await done(
    d.write.organisations.setVisibility(d.as('bea', 'borealis'), { org: 'borealis', visibility: 'public' }),
  )
  return done(d.write.policies.add(d.as('ana', 'acme'), { org: 'acme', name: 'borealis', maxLevel: level }))
}

onBothEngines((engine) => {
  engine.with('S0.19 a new member sees nothing until it is shared, and then that', async (d) => {
    await site(d)
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(false)
    const { grant } = await done(share(d, 'ana', gw, { kind: 'user', user: 'bob' }))
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(true)
    expect(await may(d, ['bob', 'acme'], tilt, 'device.operate')).toBe(false)
    await done(d.write.shares.revoke(d.as('ana', 'acme'), { org: 'acme', grant }))
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(false)
  })

  engine.with('S0.20 nothing is shared with who has not accepted the invitation', async (d) => {
    await site(d)
    await d.person('cy')
    await done(d.write.invitations.invite(d.as('ana', 'acme'), { org: 'acme', email: 'cy@example.org' }))
    await done(d.write.invitations.invite(d.as('ana', 'acme'), { org: 'acme', email: 'later@example.org' }))
    const byName = () => refusal(share(d, 'ana', tilt, { kind: 'user', user: 'cy' }))
    expect(await byName()).toBe('DIRECTORY_INVITEE_PENDING')
    const byMail = share(d, 'ana', tilt, { kind: 'email', email: 'later@example.org' })
    expect(await refusal(byMail)).toBe('DIRECTORY_INVITEE_PENDING')
    expect(await refusal(share(d, 'ana', tilt, { kind: 'email', email: 'nobody@example.org' }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
    await done(d.write.invitations.accept(d.as('cy'), { secret: await d.secretFor('cy@example.org') }))
    expect(await byName()).toBe('done')
  })

  engine.with('nobody learns whom an organisation has invited to which no policy leads', async (d) => {
    await site(d)
    await d.person('cy')
    const invited = { org: 'borealis', email: 'cy@example.org' }
    await done(d.write.invitations.invite(d.as('bea', 'borealis'), invited))
    const toCy = (org: string) => share(d, 'ana', tilt, { kind: 'user', user: 'cy', org })
    const [there, nowhere] = [await toCy('borealis'), await toCy('nowhere')]
    expect(there).toMatchObject({ ok: false, code: 'DIRECTORY_NO_POLICY' })
    expect(there).toEqual(nowhere)
    await policy(d)
    expect(await refusal(toCy('borealis'))).toBe('DIRECTORY_INVITEE_PENDING')
  })

  engine.with(
    'S0.21 outside the organisation nothing is shared without a policy, S0.28 which is one way',
    async (d) => {
      await site(d)
      const toBea = () => share(d, 'ana', tilt, { kind: 'user', user: 'bea', org: 'borealis' })
      expect(await refusal(toBea())).toBe('DIRECTORY_NO_POLICY')
      await policy(d)
      expect(await refusal(toBea())).toBe('done')
      expect(await may(d, ['bea', 'borealis'], tilt)).toBe(true)
      await register(d, 'borealis', 'GW-2')
      const back = d.write.shares.share(d.as('bea', 'borealis'), {
        org: 'borealis',
        thing: { kind: 'gateway', resource: 'GW-2' },
        to: { kind: 'user', user: 'ana', org: 'acme' },
      })
      expect(await refusal(back)).toBe('DIRECTORY_NO_POLICY')
      // Nor onward to a third one, even by who may edit.
      await d.person('cal', 'cobalt')
      await done(
        d.write.organisations.setVisibility(d.as('cal', 'cobalt'), { org: 'cobalt', visibility: 'public' }),
      )
      await done(d.write.policies.add(d.as('bea', 'borealis'), { org: 'borealis', name: 'cobalt' }))
      await done(share(d, 'ana', tilt, { kind: 'user', user: 'bea', org: 'borealis' }, { level: 'editor' }))
      const onward = d.write.shares.share(d.as('bea', 'borealis'), {
        org: 'acme',
        thing: tilt,
        to: { kind: 'user', user: 'cal', org: 'cobalt' },
      })
      expect(await refusal(onward)).toBe('DIRECTORY_NO_POLICY')
    },
  )

  engine.with(
    'S0.22 any user who may share picks anybody of the added organisation, at most at the policy level',
    async (d) => {
      await site(d)
      await policy(d, 'viewer')
      await done(share(d, 'ana', tilt, { kind: 'user', user: 'bob' }, { level: 'owner' }))
      const byBob = (level: 'viewer' | 'editor') =>
        refusal(share(d, 'bob', tilt, { kind: 'user', user: 'bea', org: 'borealis' }, { level }))
      expect(await byBob('editor')).toBe('DIRECTORY_NO_POLICY')
      expect(await byBob('viewer')).toBe('done')
    },
  )

  engine.with(
    'S0.28 what was shared sleeps when the policy goes, and does not wake with another one',
    async (d) => {
      await site(d)
      await policy(d)
      await done(share(d, 'ana', tilt, { kind: 'user', user: 'bea', org: 'borealis' }))
      await done(d.write.policies.remove(d.as('ana', 'acme'), { org: 'acme', to: 'borealis' }))
      expect(await may(d, ['bea', 'borealis'], tilt)).toBe(false)
      await policy(d)
      expect(await may(d, ['bea', 'borealis'], tilt)).toBe(false)
      const listed = await done(d.ask.shares.list(d.actor('ana', 'acme'), { org: 'acme', thing: tilt }))
      expect(listed).toMatchObject([{ state: 'dormant', to: { id: 'bea', org: 'borealis' } }])
      await done(share(d, 'ana', tilt, { kind: 'user', user: 'bea', org: 'borealis' }))
      expect(await may(d, ['bea', 'borealis'], tilt)).toBe(true)
    },
  )

  engine.with(
    'S0.9 who leaves keeps what they owned or were shown, as legacy that an admin ends',
    async (d) => {
      await site(d)
      await d.person('cy')
      await d.joins('cy', 'acme', 'admin', 'ana')
      for (const device of ['own', 'other'])
        await done(
          d.write.gateways.addDevice(d.as('ana', 'acme'), {
            org: 'acme',
            gateway: 'GW-1',
            device,
            name: device,
          }),
        )
      const own = { kind: 'device', resource: 'GW-1/own' } as const
      const other = { kind: 'device', resource: 'GW-1/other' } as const
      await done(d.write.gateways.setCustodian(d.as('ana', 'acme'), { org: 'acme', ...own, user: 'cy' }))
      await done(share(d, 'ana', tilt, { kind: 'user', user: 'cy' }))
      expect(await may(d, ['cy', 'acme'], other)).toBe(true)
      await done(d.write.members.leave(d.as('cy', 'acme'), { org: 'acme' }))
      const sees = async () => [
        await may(d, ['cy', 'acme'], own),
        await may(d, ['cy', 'acme'], tilt),
        await may(d, ['cy', 'acme'], other),
      ]
      expect(await sees()).toEqual([true, true, false])
      expect(await refusal(d.ask.members.list(d.actor('cy', 'acme'), { org: 'acme' }))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
      const legacy = await done(d.ask.shares.legacy(d.actor('ana', 'acme'), { org: 'acme' }))
      expect(legacy).toHaveLength(2)
      for (const { grant } of legacy)
        await done(d.write.shares.revoke(d.as('ana', 'acme'), { org: 'acme', grant }))
      expect(await sees()).toEqual([false, false, false])
    },
  )

  engine.with('who is removed keeps nothing, and a re-invitation revives none', async (d) => {
    await site(d)
    await done(share(d, 'ana', tilt, { kind: 'user', user: 'bob' }))
    await done(d.write.members.remove(d.as('ana', 'acme'), { org: 'acme', user: 'bob' }))
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(false)
    await d.joins('bob', 'acme', 'member', 'ana')
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(false)
    await done(d.write.members.leave(d.as('bob', 'acme'), { org: 'acme' }))
    await d.joins('bob', 'acme', 'member', 'ana')
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(false)
  })

  engine.with('S2.14 an observer only reads, whatever was shared', async (d) => {
    await site(d)
    await d.person('obs')
    await d.joins('obs', 'acme', 'observer', 'ana')
    await done(share(d, 'ana', tilt, { kind: 'user', user: 'obs' }, { level: 'editor' }))
    expect(await may(d, ['obs', 'acme'], tilt)).toBe(true)
    expect(await may(d, ['obs', 'acme'], tilt, 'device.operate')).toBe(false)
  })

  engine.with('S2.15 a team is shared with as one; two ways to a thing end one by one', async (d) => {
    await site(d)
    const { team } = await done(
      d.write.teams.create(d.as('ana', 'acme'), { org: 'acme', handle: 'pit-crew', name: 'Pit' }),
    )
    await done(share(d, 'ana', tilt, { kind: 'team', handle: 'pit-crew' }, { level: 'editor' }))
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(false)
    await done(d.write.teams.setMember(d.as('ana', 'acme'), { org: 'acme', team, user: 'bob' }))
    expect(await may(d, ['bob', 'acme'], tilt, 'device.operate')).toBe(true)
    await done(share(d, 'ana', tilt, { kind: 'user', user: 'bob' }))
    await done(d.write.teams.removeMember(d.as('ana', 'acme'), { org: 'acme', team, user: 'bob' }))
    expect(await may(d, ['bob', 'acme'], tilt)).toBe(true)
    expect(await may(d, ['bob', 'acme'], tilt, 'device.operate')).toBe(false)
  })

  engine.with('sharing again changes the level, and nobody shares above their own', async (d) => {
    await site(d)
    await d.person('cy')
    await d.joins('cy', 'acme', 'member', 'ana')
    await done(share(d, 'ana', tilt, { kind: 'user', user: 'bob' }, { level: 'editor' }))
    const byBob = (level: 'owner' | 'editor') =>
      refusal(share(d, 'bob', tilt, { kind: 'user', user: 'cy' }, { level }))
    expect(await byBob('owner')).toBe('DIRECTORY_ABOVE_RANK')
    expect(await byBob('editor')).toBe('done')
    await done(share(d, 'ana', tilt, { kind: 'user', user: 'bob' }, { level: 'viewer' }))
    expect(await byBob('editor')).toBe('DIRECTORY_FORBIDDEN')
    expect(await d.store.read.find('grant', { principal: 'bob' })).toHaveLength(1)
  })

  engine.with('a shared view brings its gateways along for viewing, all of them or nothing', async (d) => {
    await site(d)
    await register(d, 'acme', 'GW-3')
    await register(d, 'borealis', 'GW-2')
    const save = (gateways: string[]) =>
      done(
        d.write.views.save(d.as('ana', 'acme'), {
          org: 'acme',
          name: 'Map',
          kind: 'map',
          gateways,
          definition: { zoom: 3 },
        }),
      )
    const show = (view: string) =>
      share(d, 'ana', { kind: 'view', resource: view }, { kind: 'user', user: 'bob' })
    const mixed = await save(['GW-1', 'GW-2'])
    expect(await refusal(show(mixed.view))).not.toBe('done')
    expect(await d.store.read.find('grant', { principal: 'bob' })).toEqual([])
    const own = await save(['GW-1', 'GW-3'])
    const shown = await done(show(own.view))
    expect(shown.brought).toHaveLength(2)
    expect(await may(d, ['bob', 'acme'], gw)).toBe(true)
    const { views } = await done(d.ask.views.list(d.actor('bob', 'acme'), { org: 'acme' }))
    expect(views.map(({ id }) => id)).toEqual([own.view])
    await done(d.write.shares.revoke(d.as('ana', 'acme'), { org: 'acme', grant: shown.grant }))
    expect(await may(d, ['bob', 'acme'], gw)).toBe(false)
  })

  const paths = ['GW-1', 'GW-1/tilt-1', 'GW-1/tilt-1/main', 'GW-1/tilt-1/main/x']
  const parts = { gateway: 1, device: 2, sensor: 3 } as const
  engine.with('what is shared is named by as many parts as its kind has, no more and no fewer', async (d) => {
    await site(d)
    for (const [kind, right] of Object.entries(parts)) {
      for (const [index, resource] of paths.entries()) {
        const asked = share(d, 'ana', { kind, resource } as Thing, { kind: 'user', user: 'bob' })
        const isRight = index + 1 === right
        expect(await refusal(asked), `${kind} ${resource}`).toBe(isRight ? 'done' : 'DIRECTORY_INPUT_INVALID')
      }
    }
    expect(await d.store.read.count('grant', {})).toBe(3)
  })
})
