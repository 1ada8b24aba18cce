import { expect } from 'vitest'
import { DAY_MS, done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const invite = (d: TestDirectory, by: string, email: string, more: object = {}) =>
  d.write.invitations.invite(d.as(by, 'acme'), { org: 'acme', email, ...more })
const accept = async (d: TestDirectory, user: string, email = `${user}@example.org`) =>
  d.write.invitations.accept(d.as(user), { secret: await d.secretFor(email) })
const rolesIn = async (d: TestDirectory, org: string) =>
  Object.fromEntries(
    (await d.store.read.find('membership', { org })).map(({ user, role, state, incarnation }) => [
      user,
      `${role} ${state} ${incarnation}`,
    ]),
  )

onBothEngines((engine) => {
  engine.with(
    'S2.2 an invitation is accepted with the invited address and no other, and stays intact',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bea')
      await d.person('cid')
      await done(invite(d, 'ana', 'BEA@example.org', { role: 'member' }))
      const secret = await d.secretFor('BEA@example.org')
      expect(await refusal(d.write.invitations.accept(d.as('cid'), { secret }))).toBe(
        'DIRECTORY_INVITATION_INVALID',
      )
      expect(await refusal(d.write.invitations.accept(d.visitor(), { secret }))).toBe('DIRECTORY_SIGNED_OUT')
      expect(await done(d.write.invitations.accept(d.as('bea'), { secret }))).toMatchObject({
        role: 'member',
      })
      // Single use.
      expect(await refusal(d.write.invitations.accept(d.as('bea'), { secret }))).toBe(
        'DIRECTORY_INVITATION_INVALID',
      )
    },
  )

  engine.with('an invitation lives seven days, and sending it again ends the older mail', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bea')
    await done(invite(d, 'ana', 'bea@example.org'))
    const first = await d.secretFor('bea@example.org')
    d.pass(6 * DAY_MS)
    await done(invite(d, 'ana', 'bea@example.org'))
    const second = await d.secretFor('bea@example.org')
    expect(second).not.toBe(first)
    const open = await done(d.ask.invitations.list(d.actor('ana', 'acme'), { org: 'acme' }))
    expect(open).toHaveLength(1)
    expect(await refusal(d.write.invitations.accept(d.as('bea'), { secret: first }))).toBe(
      'DIRECTORY_INVITATION_INVALID',
    )
    d.pass(7 * DAY_MS)
    expect(await refusal(d.write.invitations.accept(d.as('bea'), { secret: second }))).toBe(
      'DIRECTORY_INVITATION_INVALID',
    )
  })

  engine.with('a+b@ and b@ are two addresses, a member is not invited again', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bea')
    await d.joins('bea', 'acme', 'member', 'ana')
    expect(await refusal(invite(d, 'ana', 'Bea@Example.org'))).toBe('DIRECTORY_EXISTS')
    expect(await refusal(invite(d, 'ana', 'bea+x@example.org'))).toBe('done')
    expect(await refusal(accept(d, 'bea', 'bea+x@example.org'))).toBe('DIRECTORY_INVITATION_INVALID')
  })

  engine.with('what was invited by somebody who has since lost the right is not given', async (d) => {
    for (const name of ['ana', 'bob']) await d.person(name, name === 'ana' ? 'acme' : undefined)
    await d.person('bea')
    await d.joins('bob', 'acme', 'admin', 'ana')
    await done(invite(d, 'bob', 'bea@example.org', { role: 'admin' }))
    await done(d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'bob', role: 'member' }))
    expect(await refusal(accept(d, 'bea'))).toBe('DIRECTORY_INVITATION_INVALID')
  })

  engine.with('what was invited by who was removed stays dead when they come back', async (d) => {
    for (const name of ['ana', 'bob', 'bea']) await d.person(name, name === 'ana' ? 'acme' : undefined)
    await d.joins('bob', 'acme', 'admin', 'ana')
    await done(invite(d, 'bob', 'bea@example.org', { role: 'admin' }))
    await done(d.write.members.remove(d.as('ana', 'acme'), { org: 'acme', user: 'bob' }))
    await d.joins('bob', 'acme', 'admin', 'ana')
    expect(await refusal(accept(d, 'bea'))).toBe('DIRECTORY_INVITATION_INVALID')
    await done(invite(d, 'bob', 'bea@example.org', { role: 'admin' }))
    expect(await refusal(accept(d, 'bea'))).toBe('done')
  })

  engine.with('S2.10 the last owner cannot leave, be demoted, suspended or removed', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'admin', 'ana')
    const ana = { org: 'acme', user: 'ana' }
    const asAna = () => d.as('ana', 'acme')
    expect(await refusal(d.write.members.leave(asAna(), { org: 'acme' }))).toBe('DIRECTORY_LAST_OWNER')
    expect(await refusal(d.write.members.changeRole(asAna(), { ...ana, role: 'admin' }))).toBe(
      'DIRECTORY_LAST_OWNER',
    )
    expect(await refusal(d.write.members.suspend(asAna(), { ...ana, suspended: true }))).toBe(
      'DIRECTORY_LAST_OWNER',
    )
    expect(await refusal(d.write.members.remove(asAna(), ana))).toBe('DIRECTORY_LAST_OWNER')
    await done(d.write.members.changeRole(asAna(), { org: 'acme', user: 'bob', role: 'owner' }))
    expect(await refusal(d.write.members.leave(asAna(), { org: 'acme' }))).toBe('done')
    expect(await rolesIn(d, 'acme')).toEqual({ ana: 'owner left 1', bob: 'owner active 1' })
  })

  engine.with('S1.16 nobody gives a role above their own or changes one at or above it', async (d) => {
    await d.person('ana', 'acme')
    for (const name of ['bob', 'cy', 'dan', 'eve']) await d.person(name)
    await d.joins('bob', 'acme', 'admin', 'ana')
    await d.joins('eve', 'acme', 'owner', 'ana')
    await d.joins('cy', 'acme', 'admin', 'ana')
    await d.joins('dan', 'acme', 'member', 'ana')
    const change = (user: string, role: 'owner' | 'admin' | 'member') =>
      d.write.members.changeRole(d.as('bob', 'acme'), { org: 'acme', user, role })
    expect(await refusal(change('dan', 'owner'))).toBe('DIRECTORY_ABOVE_RANK')
    expect(await refusal(change('cy', 'member'))).toBe('DIRECTORY_ABOVE_RANK')
    expect(await refusal(change('ana', 'member'))).toBe('DIRECTORY_ABOVE_RANK')
    expect(await refusal(change('bob', 'owner'))).toBe('DIRECTORY_ABOVE_RANK')
    expect(await refusal(d.write.members.remove(d.as('bob', 'acme'), { org: 'acme', user: 'cy' }))).toBe(
      'DIRECTORY_ABOVE_RANK',
    )
    expect(await refusal(invite(d, 'bob', 'x@example.org', { role: 'owner' }))).toBe('DIRECTORY_ABOVE_RANK')
    expect(await refusal(change('dan', 'admin'))).toBe('done')
  })

  engine.with(
    'S0.10 who left or was removed does not come back alone, and comes back as another',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bob')
      await done(invite(d, 'ana', 'bob@example.org', { role: 'admin' }))
      const secret = await d.secretFor('bob@example.org')
      await done(accept(d, 'bob'))
      await done(d.write.members.leave(d.as('bob', 'acme'), { org: 'acme' }))
      expect(await refusal(d.write.invitations.accept(d.as('bob'), { secret }))).toBe(
        'DIRECTORY_INVITATION_INVALID',
      )
      expect(await refusal(invite(d, 'bob', 'bob@example.org'))).toBe('DIRECTORY_NOT_FOUND')
      await d.joins('bob', 'acme', 'member', 'ana')
      expect(await rolesIn(d, 'acme')).toMatchObject({ bob: 'member active 2' })
    },
  )

  engine.with(
    'S0.18 sensemetrics: the invitation gives Basic whatever was asked, S0.17 the Admin changes it',
    async (d) => {
      await d.person('ana', 'acme', { preset: 'sensemetrics' })
      await d.person('bob')
      await done(invite(d, 'ana', 'bob@example.org', { role: 'owner' }))
      await done(accept(d, 'bob'))
      expect(await rolesIn(d, 'acme')).toMatchObject({ bob: 'member active 1' })
      await done(d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'bob', role: 'owner' }))
      await done(
        d.write.members.changeRole(d.as('bob', 'acme'), { org: 'acme', user: 'ana', role: 'member' }),
      )
      expect(await rolesIn(d, 'acme')).toMatchObject({ ana: 'member active 1', bob: 'owner active 1' })
    },
  )

  engine.with('S0.7 sensemetrics: nobody is in two organisations', async (d) => {
    await d.person('ana', 'acme', { preset: 'sensemetrics' })
    await d.person('bob', 'borealis', { preset: 'sensemetrics' })
    await done(invite(d, 'ana', 'bob@example.org'))
    expect(await refusal(accept(d, 'bob'))).toBe('DIRECTORY_PRESET_FORBIDS')
  })

  engine.with('S0.7 sensemetrics: nor by two ways at the same moment', async (d) => {
    const preset = { preset: 'sensemetrics' }
    await d.person('ana', 'acme', preset)
    await d.person('bob', 'borealis', preset)
    for (const n of [1, 2, 3]) {
      const name = `new-${n}`
      await d.person(name)
      const accepted = await Promise.all(
        [
          ['ana', 'acme'],
          ['bob', 'borealis'],
        ].map(async ([by = '', org = '']) => {
          const email = `${name}@example.org`
          await done(d.write.invitations.invite(d.as(by, org), { org, email }))
          const mail = (await d.mailsTo(email)).find(({ subject }) => subject === `Invitation to ${org}`)
          return /#(\S{43})/.exec(mail?.body ?? '')?.[1] ?? ''
        }),
      )
      const ways = [
        ...accepted.map((secret) => d.write.invitations.accept(d.as(name), { secret })),
        d.write.organisations.create(d.as(name), { id: `own-${n}`, name: 'Own', ...preset } as never),
        d.write.organisations.create(d.as(name), { id: `other-${n}`, name: 'Other', ...preset } as never),
      ]
      const ends = (await Promise.all(ways.map(refusal))).toSorted()
      expect(ends).toEqual([...Array<string>(3).fill('DIRECTORY_PRESET_FORBIDS'), 'done'])
      expect(await d.store.read.find('membership', { user: name, state: 'active' })).toHaveLength(1)
    }
  })

  engine.with('S3.12 tagoio: only who has an account is invited', async (d) => {
    await d.person('ana', 'acme', { preset: 'tagoio' })
    expect(await refusal(invite(d, 'ana', 'new@example.org'))).toBe('DIRECTORY_NO_ACCOUNT')
    await d.person('bob')
    expect(await refusal(invite(d, 'ana', 'bob@example.org'))).toBe('done')
  })

  engine.with('S1.10 akenza: one owner, who hands the organisation on with the password', async (d) => {
    await d.person('ana', 'acme', { preset: 'akenza' })
    await d.person('bob')
    await d.joins('bob', 'acme', 'admin', 'ana')
    const give = d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'bob', role: 'owner' })
    expect(await refusal(give)).toBe('DIRECTORY_PRESET_FORBIDS')
    const transfer = (by: string, user: string, password: string) =>
      d.write.organisations.transferOwnership(d.as(by, 'acme'), { org: 'acme', user, password })
    expect(await refusal(transfer('ana', 'bob', 'wrong-password'))).toBe('DIRECTORY_PASSWORD_WRONG')
    expect(await refusal(transfer('bob', 'bob', 'bob-password'))).toBe('DIRECTORY_FORBIDDEN')
    expect(await refusal(transfer('ana', 'nobody', 'ana-password'))).toBe('DIRECTORY_NOT_FOUND')
    await done(transfer('ana', 'bob', 'ana-password'))
    expect(await rolesIn(d, 'acme')).toEqual({ ana: 'admin active 1', bob: 'owner active 1' })
  })

  engine.with('ownership does not go to a suspended member', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'admin', 'ana')
    await done(d.write.members.suspend(d.as('ana', 'acme'), { org: 'acme', user: 'bob', suspended: true }))
    const transfer = d.write.organisations.transferOwnership(d.as('ana', 'acme'), {
      org: 'acme',
      user: 'bob',
      password: 'ana-password',
    })
    expect(await refusal(transfer)).toBe('DIRECTORY_FORBIDDEN')
    // Suspended: may do nothing, not even see.
    expect(await refusal(d.ask.organisations.details(d.actor('bob', 'acme'), { org: 'acme' }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
  })

  engine.with('S1.7 the list names every member and role; who may not list sees themselves', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    const list = async (user: string) =>
      (await done(d.ask.members.list(d.actor(user, 'acme'), { org: 'acme' }))).map(
        (m) => `${m.user} ${m.role}`,
      )
    expect(await list('ana')).toEqual(['ana owner', 'bob member'])
    expect(await list('bob')).toEqual(['bob member'])
    const page = await done(
      d.ask.members.list(d.actor('ana', 'acme'), { org: 'acme', after: 'ana', limit: 1 }),
    )
    expect(page.map(({ user }) => user)).toEqual(['bob'])
  })

  engine.with(
    'a stranger is told the same of an organisation that exists and of one that does not',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('eve', 'evil')
      for (const org of ['acme', 'nothing']) {
        const seen = await d.ask.organisations.details(d.actor('eve', 'evil'), { org })
        expect(seen).toMatchObject({
          ok: false,
          code: 'DIRECTORY_NOT_FOUND',
          message: 'there is no such organisation',
        })
      }
      // A member of both acts in one of them at a time.
      await d.joins('eve', 'acme', 'admin', 'ana')
      expect(await refusal(d.ask.organisations.details(d.actor('eve', 'evil'), { org: 'acme' }))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
      expect(await refusal(d.ask.organisations.details(d.actor('eve', 'acme'), { org: 'acme' }))).toBe('done')
    },
  )
})
