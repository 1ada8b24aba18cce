import { expect } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const invite = (d: TestDirectory, by: string, email: string, more: object = {}) =>
  d.write.invitations.invite(d.as(by, 'acme'), { org: 'acme', email, ...more })

onSqlite((engine) => {
  engine.with('S2.3 the mail of an invitation leads to an account, which joins with it', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    await done(invite(d, 'ana', 'new@example.org', { role: 'member' }))
    const [mail] = await d.mailsTo('new@example.org')
    expect(mail?.body).toContain('Sign in or sign up with this very address (new@example.org)')
    expect(mail?.body).toMatch(/https:\/\/headgate\.example\/invitation#\S{43}/)
    const secret = await d.secretFor('new@example.org')
    await d.person('new')
    expect(await done(d.write.invitations.accept(d.as('new'), { secret }))).toEqual({
      organisation: 'acme',
      role: 'member',
    })
  })

  engine.with('S2.4 an account is a login of a person, whatever organisations there are', async (d) => {
    await d.person('pia')
    expect(await done(d.ask.organisations.mine(d.actor('pia'), {}))).toEqual([])
    await d.person('ana', 'acme', { preset: 'iotflows' })
    await d.person('bea', 'borealis', { preset: 'iotflows' })
    await d.joins('pia', 'acme', 'member', 'ana')
    await d.joins('pia', 'borealis', 'observer', 'bea')
    const mine = async () =>
      (await done(d.ask.organisations.mine(d.actor('pia'), {}))).map(({ id, role }) => `${id} ${role ?? ''}`)
    expect(await mine()).toEqual(['acme member', 'borealis observer'])
    // Leaving one leaves the account and the other alone.
    await done(d.write.members.leave(d.as('pia', 'acme'), { org: 'acme' }))
    expect(await mine()).toEqual(['borealis observer'])
    expect(await done(d.ask.users.me(d.actor('pia'), {}))).toMatchObject({ username: 'pia' })
  })

  engine.with('S2.5 who makes an organisation owns it, by sign-up, later, or by a purchase', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    await done(
      d.write.organisations.create(d.as('ana'), { id: 'second', name: 'Second', preset: 'iotflows' }),
    )
    await d.person('bo')
    const bought = await done(
      d.write.platform.provision(d.operator(), {
        purchase: 'P-1',
        email: 'bo@example.org',
        company: 'Bo Ltd',
        product: 'Kit',
      }),
    )
    const owners = async (org: string) =>
      (await d.store.read.find('membership', { org })).map(({ user, role }) => `${user} ${role}`)
    expect([await owners('acme'), await owners('second'), await owners(bought.organisation)]).toEqual([
      ['ana owner'],
      ['ana owner'],
      ['bo owner'],
    ])
  })

  engine.with(
    'S2.8 the role is chosen with the invitation, and who has an account accepts too',
    async (d) => {
      await d.person('ana', 'acme', { preset: 'iotflows' })
      await d.person('bob')
      const roles = async () =>
        (await d.store.read.find('membership', { org: 'acme' }, { orderBy: ['user'] })).map(
          ({ user, role }) => `${user} ${role}`,
        )
      await done(invite(d, 'ana', 'bob@example.org', { role: 'observer' }))
      await done(invite(d, 'ana', 'late@example.org', { role: 'admin' }))
      // Being invited is nothing yet.
      expect(await roles()).toEqual(['ana owner'])
      await done(d.write.invitations.accept(d.as('bob'), { secret: await d.secretFor('bob@example.org') }))
      const secret = await d.secretFor('late@example.org')
      await d.person('late')
      await done(d.write.invitations.accept(d.as('late'), { secret }))
      expect(await roles()).toEqual(['ana owner', 'bob observer', 'late admin'])
    },
  )

  engine.with('S2.9 the roles are Owner, Administrator, Member and Observer, and no others', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    const change = (role: string) =>
      refusal(
        d.write.members.changeRole(d.as('ana', 'acme'), { org: 'acme', user: 'bob', role: role as 'member' }),
      )
    for (const role of ['owner', 'admin', 'observer', 'member']) expect(await change(role), role).toBe('done')
    for (const role of ['editor', 'viewer', 'installer', 'customer-owner'])
      expect(await change(role), role).toBe('DIRECTORY_PRESET_FORBIDS')
    expect(await change('king')).toBe('DIRECTORY_INPUT_INVALID')
  })

  engine.with('S2.12 an Administrator does all but deleting the organisation and billing', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    for (const name of ['adam', 'mo']) await d.person(name)
    await d.joins('adam', 'acme', 'admin', 'ana')
    await d.joins('mo', 'acme', 'member', 'adam')
    const asAdam = () => d.as('adam', 'acme')
    const does = [
      d.write.organisations.update(asAdam(), { org: 'acme', description: 'x' }),
      d.write.teams.create(asAdam(), { org: 'acme', handle: 'crew', name: 'Crew' }),
      d.write.workspaces.create(asAdam(), { org: 'acme', name: 'Mill' }),
      d.ask.audit.list(asAdam().actor, { org: 'acme' }),
    ]
    for (const outcome of does) expect(await refusal(outcome)).toBe('done')
    const remove = { org: 'acme', password: 'adam-password' }
    const given = { org: 'acme', user: 'mo', role: 'member', billing: true } as const
    const quotas = { org: 'acme', name: 'Pit', quotas: { devices: 1 } }
    const doesNot = [
      d.write.organisations.remove(asAdam(), remove),
      d.write.members.changeRole(asAdam(), given),
      d.write.workspaces.create(asAdam(), quotas),
    ]
    for (const outcome of doesNot) expect(await refusal(outcome)).toBe('DIRECTORY_FORBIDDEN')
  })

  engine.with('S2.17 members of a team have a role in it, which is none in the organisation', async (d) => {
    await d.person('ana', 'acme', { preset: 'iotflows' })
    await d.person('mo')
    await d.joins('mo', 'acme', 'member', 'ana')
    const asAna = () => d.as('ana', 'acme')
    const { team } = await done(d.write.teams.create(asAna(), { org: 'acme', handle: 'crew', name: 'Crew' }))
    const set = (role: string) =>
      refusal(d.write.teams.setMember(asAna(), { org: 'acme', team, user: 'mo', role: role as 'lead' }))
    expect([await set('lead'), await set('member'), await set('lead')]).toEqual(['done', 'done', 'done'])
    expect(await set('captain')).toBe('DIRECTORY_INPUT_INVALID')
    const [crew] = await done(d.ask.teams.list(d.actor('mo', 'acme'), { org: 'acme', handle: 'crew' }))
    expect(crew?.members).toEqual([{ user: 'mo', role: 'lead' }])
    // Who may not list the members sees themselves, as in the list of members.
    await done(d.write.teams.setMember(asAna(), { org: 'acme', team, user: 'ana' }))
    const people = async (user: string) =>
      (await done(d.ask.teams.list(d.actor(user, 'acme'), { org: 'acme' })))[0]?.members.map(
        (one) => one.user,
      )
    expect([await people('mo'), await people('ana')]).toEqual([['mo'], ['ana', 'mo']])
    expect(
      await refusal(d.write.teams.setMember(d.as('mo', 'acme'), { org: 'acme', team, user: 'ana' })),
    ).toBe('DIRECTORY_FORBIDDEN')
  })
})
