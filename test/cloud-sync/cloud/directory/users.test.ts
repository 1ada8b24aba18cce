import { expect } from 'vitest'
import { DAY_MS, done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const signIn = (d: TestDirectory, login: string, password: string, address = '192.0.2.1') =>
  d.doors.signIn({ login, password, address })
const quarter = 15 * 60_000

onBothEngines((engine) => {
  engine.with('S1.3 signing up makes the organisation and its workspace, the user owns it', async (d) => {
    const made = await done(
      d.write.users.signUp(d.visitor(), {
        username: 'ana',
        email: 'Ana@example.org',
        password: 'ana-password',
        name: 'Ana Ruiz',
        tz: 'Europe/Zurich',
        organisation: {
          id: 'acme',
          name: 'Acme Mining',
          description: 'Two pits',
          logoUrl: 'https://a.example/l.png',
        },
        workspace: { name: 'North pit' },
      }),
    )
    expect(made).toMatchObject({ user: 'ana', organisation: 'acme' })
    expect(await d.store.read.find('workspace', { org: 'acme' })).toMatchObject([
      { id: made.workspace, name: 'North pit' },
    ])
    expect(await d.store.read.find('membership', {})).toMatchObject([
      { org: 'acme', user: 'ana', role: 'owner' },
    ])
  })

  engine.with('S0.3 the profile says e-mail, name, user name and time zone, and nothing else', async (d) => {
    await d.person('ana')
    expect(await done(d.ask.users.me(d.actor('ana'), {}))).toEqual({
      email: 'ana@example.org',
      name: 'ana',
      username: 'ana',
      timezone: 'UTC',
    })
  })

  engine.with('S0.4 name and time zone change at once, the address when it is proven', async (d) => {
    await d.person('ana')
    await done(
      d.write.users.changeProfile(d.as('ana'), {
        name: 'Ana R.',
        tz: 'Asia/Tokyo',
        email: 'new@example.org',
        password: 'ana-password',
      }),
    )
    const me = () => done(d.ask.users.me(d.actor('ana'), {}))
    expect(await me()).toMatchObject({ name: 'Ana R.', timezone: 'Asia/Tokyo', email: 'ana@example.org' })
    const secret = await d.secretFor('new@example.org')
    await done(d.write.users.verifyEmail(d.visitor(), { secret }))
    expect(await me()).toMatchObject({ email: 'new@example.org' })
    expect(await refusal(d.write.users.verifyEmail(d.visitor(), { secret }))).toBe('DIRECTORY_NOT_FOUND')
    const nowhere = d.write.users.changeProfile(d.as('ana'), { tz: 'Mars/Olympus' })
    expect(await refusal(nowhere)).toBe('DIRECTORY_INPUT_INVALID')
  })

  engine.with('S0.4 an invitation stays bound to the old address', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await done(d.write.invitations.invite(d.as('ana', 'acme'), { org: 'acme', email: 'bob@example.org' }))
    const invited = await d.secretFor('bob@example.org')
    await done(
      d.write.users.changeProfile(d.as('bob'), { email: 'rob@example.org', password: 'bob-password' }),
    )
    await done(d.write.users.verifyEmail(d.visitor(), { secret: await d.secretFor('rob@example.org') }))
    expect(await refusal(d.write.invitations.accept(d.as('bob'), { secret: invited }))).toBe(
      'DIRECTORY_INVITATION_INVALID',
    )
  })

  engine.with('S0.5 the user name cannot change', async (d) => {
    await d.person('ana', 'acme')
    const renamed = d.write.users.changeProfile(d.as('ana'), { username: 'anna' })
    expect(await refusal(renamed)).toBe('DIRECTORY_UNCHANGEABLE')
  })

  engine.with('S0.6 the password changes for who knows the old one, and ends every session', async (d) => {
    await d.person('ana')
    const { secret } = await done(signIn(d, 'ana', 'ana-password'))
    expect(await d.doors.sessionActor(secret, null)).toMatchObject({ user: 'ana' })
    const change = (password: string) =>
      d.write.users.changePassword(d.as('ana'), { password, newPassword: 'another-password' })
    expect(await refusal(change('not-the-password'))).toBe('DIRECTORY_PASSWORD_WRONG')
    await done(change('ana-password'))
    expect(await d.doors.sessionActor(secret, null)).toBeUndefined()
    expect(await refusal(signIn(d, 'ana', 'ana-password'))).toBe('DIRECTORY_PASSWORD_WRONG')
    expect(await refusal(signIn(d, 'ANA@example.org', 'another-password'))).toBe('done')
  })

  engine.with('S0.6 guessing is stopped, also with the right password, and only for a while', async (d) => {
    await d.person('ana')
    await d.person('bob')
    const guesses = await Promise.all(
      Array.from({ length: 15 }, (_, n) => refusal(signIn(d, 'ana', `guess-${n}`))),
    )
    expect(guesses.filter((code) => code === 'DIRECTORY_PASSWORD_WRONG')).toHaveLength(10)
    expect(guesses.filter((code) => code === 'DIRECTORY_TOO_MANY_TRIES')).toHaveLength(5)
    expect(await refusal(signIn(d, 'ana', 'ana-password'))).toBe('DIRECTORY_TOO_MANY_TRIES')
    expect(await refusal(signIn(d, 'bob', 'bob-password'))).toBe('done')
    d.pass(quarter)
    expect(await refusal(signIn(d, 'ana', 'ana-password'))).toBe('done')
  })

  engine.with('an unknown user and a wrong password are refused alike', async (d) => {
    await d.person('ana')
    const [wrong, unknown] = [
      await signIn(d, 'ana', 'wrong-password'),
      await signIn(d, 'nobody', 'wrong-password'),
    ]
    expect(unknown).toEqual(wrong)
  })

  engine.with('a session ends by itself and by signing out', async (d) => {
    await d.person('ana')
    const { secret } = await done(signIn(d, 'ana', 'ana-password'))
    const other = await done(signIn(d, 'ana', 'ana-password'))
    await d.doors.signOut(other.secret)
    expect(await d.doors.sessionActor(other.secret, null)).toBeUndefined()
    expect(await d.doors.sessionActor(secret, 'acme')).toMatchObject({ user: 'ana', org: 'acme' })
    d.pass(31 * DAY_MS)
    expect(await d.doors.sessionActor(secret, null)).toBeUndefined()
  })

  engine.with(
    'a forgotten password is reset by mail, once, within an hour, and nobody learns who has an account',
    async (d) => {
      await d.person('ana')
      const ask = (email: string) => d.write.users.requestReset(d.visitor(), { email })
      expect(await done(ask('nobody@example.org'))).toEqual(await done(ask('ana@example.org')))
      const secret = await d.secretFor('ana@example.org')
      const reset = () =>
        d.write.users.resetPassword(d.visitor(), { secret, newPassword: 'another-password' })
      await done(reset())
      expect(await refusal(reset())).toBe('DIRECTORY_NOT_FOUND')
      expect(await refusal(signIn(d, 'ana', 'another-password'))).toBe('done')
      await done(ask('ana@example.org'))
      const late = await d.secretFor('ana@example.org')
      d.pass(3_600_000)
      const tooLate = d.write.users.resetPassword(d.visitor(), {
        secret: late,
        newPassword: 'another-password',
      })
      expect(await refusal(tooLate)).toBe('DIRECTORY_NOT_FOUND')
    },
  )

  engine.with('user names and addresses belong to one account', async (d) => {
    await d.person('ana')
    const signUp = (username: string, email: string) =>
      d.write.users.signUp(d.visitor(), { username, email, password: 'some-password', name: 'x' })
    expect(await refusal(signUp('ana', 'other@example.org'))).toBe('DIRECTORY_EXISTS')
    expect(await refusal(signUp('anna', 'ANA@example.org'))).toBe('DIRECTORY_EXISTS')
    expect(await refusal(signUp('Ana', 'other@example.org'))).toBe('DIRECTORY_INPUT_INVALID')
    const both = await Promise.all([
      refusal(signUp('zoe', 'z1@example.org')),
      refusal(signUp('zoe', 'z2@example.org')),
    ])
    expect(both.toSorted()).toEqual(['DIRECTORY_EXISTS', 'done'])
  })

  engine.with(
    'an address is whose mail was opened first, and nobody else says it from then on',
    async (d) => {
      const signUp = (username: string, email: string) =>
        d.write.users.signUp(d.visitor(), { username, email, password: 'some-password', name: 'x' })
      for (const name of ['one', 'two']) await done(signUp(name, 'pat@example.org'))
      const mails = await d.mailsTo('pat@example.org')
      const secrets = mails.flatMap(({ body }) => /verify#(\S{43})/.exec(body)?.[1] ?? [])
      const both = await Promise.all(
        secrets.map((secret) => refusal(d.write.users.verifyEmail(d.visitor(), { secret }))),
      )
      expect(both.toSorted()).toEqual(['DIRECTORY_EXISTS', 'done'])
      const said = await d.store.read.find('user', { email: 'pat@example.org' })
      expect(said.filter(({ email_verified_at }) => email_verified_at !== null)).toHaveLength(1)
      expect(await refusal(signUp('three', 'PAT@example.org'))).toBe('DIRECTORY_EXISTS')
    },
  )

  engine.with(
    'no password and no secret of a mail is in log, audit or answers for repetitions',
    async (d) => {
      await d.person('ana', 'acme')
      await done(d.write.invitations.invite(d.as('ana', 'acme'), { org: 'acme', email: 'bob@example.org' }))
      const secret = await d.secretFor('bob@example.org')
      const kept = JSON.stringify([
        await d.store.read.find('policy_log', {}),
        await d.store.read.find('audit', {}),
        await d.store.read.find('done_write', {}),
        await d.store.read.find('password', {}),
      ])
      expect(secret).toHaveLength(43)
      expect(kept).not.toContain('ana-password')
      expect(kept).not.toContain(secret)
    },
  )
})
