import { expect } from 'vitest'
import { DAY_MS, done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const regenerate = async (d: TestDirectory, user: string) =>
  (await done(d.write.tokens.regenerateKey(d.as(user, 'acme'), { org: 'acme' }))).secret ?? ''
const token = (d: TestDirectory, user: string, more: object = {}) =>
  d.write.tokens.create(d.as(user, 'acme'), {
    org: 'acme',
    name: 'excel',
    scope: 'read',
    expiresAt: null,
    password: `${user}-password`,
    ...more,
  })

onBothEngines((engine) => {
  engine.with(
    'S0.11 one key a user, S0.12 with that user rights, S0.13 a new one ends the old at once',
    async (d) => {
      await d.person('ana', 'acme')
      const first = await regenerate(d, 'ana')
      expect(await d.doors.keyActor(first)).toEqual({ kind: 'user', user: 'ana', org: 'acme', scope: 'full' })
      const second = await regenerate(d, 'ana')
      expect(await d.doors.keyActor(first)).toBeUndefined()
      const actor = await d.doors.keyActor(second)
      if (actor === undefined) throw new Error('the key opens nothing')
      expect(await refusal(d.ask.members.list(actor, { org: 'acme' }))).toBe('done')
      const kept = await d.store.read.find('token', { user: 'ana', state: 'active' })
      expect(kept).toHaveLength(1)
      expect(JSON.stringify(kept)).not.toContain(second)
    },
  )

  engine.with('S0.13 regenerated ten times at once, exactly one key is valid', async (d) => {
    await d.person('ana', 'acme')
    const secrets = await Promise.all(Array.from({ length: 10 }, () => regenerate(d, 'ana')))
    const open = await Promise.all(secrets.map((secret) => d.doors.keyActor(secret)))
    expect(open.filter((actor) => actor !== undefined)).toHaveLength(1)
  })

  engine.with('a repeated request does not show the secret again', async (d) => {
    await d.person('ana', 'acme')
    const call = d.as('ana', 'acme')
    const first = await done(d.write.tokens.regenerateKey(call, { org: 'acme' }))
    expect(first.secret).toHaveLength(43)
    expect(await d.write.tokens.regenerateKey(call, { org: 'acme' })).toEqual({
      ok: true,
      repeated: true,
      value: { token: first.token, secret: null },
    })
    expect(await d.doors.keyActor(first.secret ?? '')).toBeDefined()
  })

  engine.with(
    'S3.14 a token needs name, scope, expiry and the password; with a wrong one nothing is made',
    async (d) => {
      await d.person('ana', 'acme')
      expect(await refusal(token(d, 'ana', { password: 'wrong-password' }))).toBe('DIRECTORY_PASSWORD_WRONG')
      expect(await d.store.read.find('token', {})).toEqual([])
      const { secret } = await done(token(d, 'ana', { expiresAt: d.now() + DAY_MS }))
      const actor = await d.doors.keyActor(secret ?? '')
      expect(actor).toMatchObject({ scope: 'read', org: 'acme' })
      expect(await refusal(token(d, 'ana'))).toBe('DIRECTORY_EXISTS')
      d.pass(DAY_MS)
      expect(await d.doors.keyActor(secret ?? '')).toBeUndefined()
    },
  )

  engine.with(
    'S3.13 what a token may not, its scope says: read writes nothing, write reads nothing',
    async (d) => {
      await d.person('ana', 'acme')
      const rename = (scope: 'full' | 'read' | 'write') =>
        refusal(d.write.organisations.update(d.as('ana', 'acme', scope), { org: 'acme', description: scope }))
      const see = (scope: 'full' | 'read' | 'write') =>
        refusal(d.ask.organisations.details(d.actor('ana', 'acme', scope), { org: 'acme' }))
      expect([await rename('full'), await rename('write'), await rename('read')]).toEqual([
        'done',
        'done',
        'DIRECTORY_FORBIDDEN',
      ])
      expect([await see('full'), await see('read'), await see('write')]).toEqual([
        'done',
        'done',
        'DIRECTORY_FORBIDDEN',
      ])
      // What is one's own needs the whole of oneself.
      expect(await refusal(d.write.users.changeProfile(d.as('ana', 'acme', 'write'), { name: 'X' }))).toBe(
        'DIRECTORY_FORBIDDEN',
      )
    },
  )

  engine.with(
    'an observer makes tokens for reading only, and a token of one organisation is nothing in another',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('obs', 'other')
      await d.joins('obs', 'acme', 'observer', 'ana')
      expect(await refusal(token(d, 'obs', { scope: 'full' }))).toBe('DIRECTORY_FORBIDDEN')
      const { secret } = await done(token(d, 'obs'))
      const actor = await d.doors.keyActor(secret ?? '')
      if (actor === undefined) throw new Error('the token opens nothing')
      expect(await refusal(d.ask.organisations.details(actor, { org: 'other' }))).toBe('DIRECTORY_NOT_FOUND')
    },
  )

  engine.with('keys and tokens die with the membership, and a new membership revives none', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    const key = await regenerate(d, 'bob')
    const { secret } = await done(token(d, 'bob'))
    await done(d.write.members.remove(d.as('ana', 'acme'), { org: 'acme', user: 'bob' }))
    await d.joins('bob', 'acme', 'member', 'ana')
    expect(await d.doors.keyActor(key)).toBeUndefined()
    expect(await d.doors.keyActor(secret ?? '')).toBeUndefined()
  })

  engine.with('an admin ends the token of another, a member only their own', async (d) => {
    await d.person('ana', 'acme')
    await d.person('bob')
    await d.joins('bob', 'acme', 'member', 'ana')
    const ofAna = await done(token(d, 'ana'))
    const ofBob = await done(token(d, 'bob', { name: 'bobs' }))
    const revoke = (by: string, id: string) =>
      refusal(d.write.tokens.revoke(d.as(by, 'acme'), { org: 'acme', token: id }))
    expect(await revoke('bob', ofAna.token)).toBe('DIRECTORY_FORBIDDEN')
    expect(await revoke('ana', ofBob.token)).toBe('done')
    expect(await d.doors.keyActor(ofBob.secret ?? '')).toBeUndefined()
  })

  engine.with("a token stands in nobody's way: who joins has the name, and its maker is told", async (d) => {
    await d.person('ana', 'acme')
    await d.person('mike')
    await d.joins('mike', 'acme', 'member', 'ana')
    const taken = await done(token(d, 'mike', { name: 'zoe', scope: 'full' }))
    await d.person('zoe')
    await d.joins('zoe', 'acme', 'member', 'ana')
    const login = (secret: string) => d.doors.loginActor({ org: 'acme', name: 'zoe', secret })
    expect(await login(taken.secret ?? '')).toBeUndefined()
    expect(await d.mailsTo('mike@example.org')).toContainEqual(
      expect.objectContaining({ subject: 'Your token zoe of acme has ended' }),
    )
    expect(await login(await regenerate(d, 'zoe'))).toMatchObject({ user: 'zoe' })
    expect(await d.store.read.find('token', { org: 'acme', name: 'zoe', state: 'active' })).toHaveLength(1)
  })

  engine.with(
    'a token that already bears the name of a member opens nothing, and ends with her new key',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('zoe')
      await d.joins('zoe', 'acme', 'member', 'ana')
      const { token: id, secret } = await done(token(d, 'ana', { name: 'old' }))
      // As directories have it from before names of tokens gave way.
      const row = await d.store.read.get('token', { id })
      if (row === undefined) throw new Error('there is no token')
      await d.store.transaction((tx) => tx.put('token', { ...row, name: 'zoe' }))
      expect(await d.doors.keyActor(secret ?? '')).toBeUndefined()
      await regenerate(d, 'zoe')
      expect(await d.store.read.get('token', { id })).toMatchObject({ state: 'revoked' })
    },
  )

  engine.with(
    'who may revoke any token finds it: in the list of all and by name and id in the audit',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bob')
      await d.joins('bob', 'acme', 'member', 'ana')
      const { token: id } = await done(token(d, 'bob', { name: 'bobs' }))
      const all = (user: string) => d.ask.tokens.listAll(d.actor(user, 'acme'), { org: 'acme' })
      expect(await refusal(all('bob'))).toBe('DIRECTORY_FORBIDDEN')
      const found = await done(all('ana'))
      expect(found).toMatchObject([{ id, name: 'bobs', user: 'bob' }])
      expect(JSON.stringify(found)).not.toContain('hash')
      await done(d.write.tokens.revoke(d.as('ana', 'acme'), { org: 'acme', token: id }))
      const lines = await done(d.ask.audit.list(d.actor('ana', 'acme'), { org: 'acme' }))
      expect(lines.slice(0, 2)).toMatchObject([
        { what: 'token.revoke', about: `bobs (${id})` },
        { what: 'token.create', about: `bobs (${id})` },
      ])
      expect(lines.find(({ what }) => what === 'invitation.invite')).toMatchObject({ about: null })
    },
  )
})
