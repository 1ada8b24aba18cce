import { expect } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const BOSS = 'boss@victim.example'
/** An account that says an address; nobody opens the mail. */
const says = (d: TestDirectory, username: string, email: string, org?: string) =>
  d.write.users.signUp(d.visitor(), {
    ...{ username, email, password: `${username}-password`, name: username },
    ...(org === undefined ? {} : { organisation: { id: org, name: org } }),
  })
const inTurn = async (d: TestDirectory, email: string, page: string) =>
  (await d.mailsTo(email)).flatMap(({ body }) => body.split(`/${page}#`)[1]?.slice(0, 43) ?? [])
const secretOf = async (d: TestDirectory, email: string, page: string) =>
  (await inTurn(d, email, page)).at(-1) ?? ''
const membersOf = async (d: TestDirectory, org: string) =>
  (await d.store.read.find('membership', { org })).map(({ user }) => user)
const signsIn = (d: TestDirectory, login: string, password: string) =>
  refusal(d.doors.signIn({ login, password, address: '192.0.2.1' }))

onSqlite((engine) => {
  engine.with(
    'edge case 1: forwarded, an invitation opens nothing to who only says its address',
    async (d) => {
      await d.person('ana', 'acme')
      await done(d.write.invitations.invite(d.as('ana', 'acme'), { org: 'acme', email: BOSS, role: 'admin' }))
      const secret = await secretOf(d, BOSS, 'invitation')
      await done(says(d, 'thief', BOSS))
      const accept = (user: string) => refusal(d.write.invitations.accept(d.as(user), { secret }))
      expect(await accept('thief')).toBe('DIRECTORY_ADDRESS_UNPROVEN')
      expect(await refusal(d.write.invitations.decline(d.as('thief'), { secret }))).toBe(
        'DIRECTORY_ADDRESS_UNPROVEN',
      )
      // The true owner is kept out of nothing: they sign up, confirm, and it is as it was.
      await done(says(d, 'boss', BOSS))
      await done(d.write.users.verifyEmail(d.visitor(), { secret: await secretOf(d, BOSS, 'verify') }))
      expect(await accept('thief')).toBe('DIRECTORY_ADDRESS_UNPROVEN')
      expect(await accept('boss')).toBe('done')
      expect(await membersOf(d, 'acme')).toEqual(['ana', 'boss'])
    },
  )

  engine.with(
    'by an address that two say and none has proven nobody signs in; each by their name',
    async (d) => {
      await done(says(d, 'one', BOSS))
      expect(await signsIn(d, BOSS, 'one-password')).toBe('done')
      await done(says(d, 'two', BOSS))
      for (const name of ['one', 'two']) {
        expect(await signsIn(d, BOSS, `${name}-password`)).toBe('DIRECTORY_PASSWORD_WRONG')
        expect(await signsIn(d, name, `${name}-password`)).toBe('done')
      }
      // A reset reaches both, by the mailbox alone, and who opens it has proven the address.
      await done(d.write.users.requestReset(d.visitor(), { email: BOSS }))
      const [secret = ''] = await inTurn(d, BOSS, 'reset')
      await done(d.write.users.resetPassword(d.visitor(), { secret, newPassword: 'another-password' }))
      expect(await signsIn(d, BOSS, 'another-password')).toBe('done')
    },
  )

  engine.with('who lost the mail to confirm saves the same address again and gets another one', async (d) => {
    await done(says(d, 'bea', BOSS))
    const lost = await secretOf(d, BOSS, 'verify')
    expect(await done(d.write.users.changeProfile(d.as('bea'), { email: BOSS }))).toEqual({
      emailPending: BOSS,
    })
    const sent = await secretOf(d, BOSS, 'verify')
    expect(await refusal(d.write.users.verifyEmail(d.visitor(), { secret: lost }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
    await done(d.write.users.verifyEmail(d.visitor(), { secret: sent }))
    expect(await done(d.write.users.changeProfile(d.as('bea'), { email: BOSS }))).toEqual({
      emailPending: null,
    })
  })

  engine.with('a purchase does not land with who only says the address of the buyer', async (d) => {
    await done(says(d, 'thief', BOSS, 'evilco'))
    const bought = { purchase: 'P-1', email: BOSS, company: 'Victim', product: 'Gateway' }
    const { organisation, made } = await done(d.write.platform.provision(d.operator(), bought))
    expect([organisation === 'evilco', made]).toEqual([false, true])
    expect(await membersOf(d, organisation)).toEqual([])
    const secret = await secretOf(d, BOSS, 'invitation')
    expect(await refusal(d.write.invitations.accept(d.as('thief'), { secret }))).toBe(
      'DIRECTORY_ADDRESS_UNPROVEN',
    )
  })

  engine.with('what is migrated is not given to who only says the address, and runs again', async (d) => {
    await done(says(d, 'thief', 'lea@ranch.example'))
    const lea = { foreign: 'u-1', username: 'lea', email: 'lea@ranch.example', name: 'Lea' }
    const moved = {
      ...{ source: 'old', partner: { id: 'prime', name: 'Prime' }, team: [] },
      customer: { foreign: 'c-1', id: 'ranch', name: 'Ranch' },
      systems: [{ foreign: 's-1', name: 'House', users: [{ ...lea, level: 'editor' as const }] }],
    }
    expect(await done(d.write.platform.migrate(d.operator(), moved))).toMatchObject({ accounts: 1 })
    expect(await done(d.write.platform.migrate(d.operator(), moved))).toMatchObject({ accounts: 0 })
    expect(await membersOf(d, 'ranch')).toEqual(['lea'])
    const grants = await d.store.read.find('grant', { org: 'ranch' })
    expect(grants.map(({ principal }) => principal)).toEqual(['lea'])
  })

  engine.with('nothing is shared by an address with a member who only says it', async (d) => {
    await done(says(d, 'eve', BOSS, 'acme'))
    const KEY = Buffer.alloc(32).toString('base64')
    await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey: KEY }))
    const share = d.write.shares.share(d.as('eve', 'acme'), {
      ...{ org: 'acme', thing: { kind: 'gateway', resource: 'GW-1' } },
      to: { kind: 'email', email: BOSS },
    })
    expect(await refusal(share)).toBe('DIRECTORY_NOT_FOUND')
  })

  engine.with(
    'a mail that was prepared before opens nothing once somebody else has the account',
    async (d) => {
      const theirs = 'vic@victim.example'
      const mallorys = 'mal@attacker.example'
      const signUp = { username: 'vic', email: theirs, password: 'mallorys-password', name: 'Vic' }
      await done(d.write.users.signUp(d.visitor(), signUp))
      const change = (password?: string) =>
        d.write.users.changeProfile(d.as('vic'), {
          email: mallorys,
          ...(password === undefined ? {} : { password }),
        })
      await done(change('mallorys-password'))
      const prepared = await d.secretFor(mallorys)
      await done(d.write.users.requestReset(d.visitor(), { email: theirs }))
      const secret = await d.secretFor(theirs)
      await done(d.write.users.resetPassword(d.visitor(), { secret, newPassword: 'victims-password' }))
      expect(await refusal(d.write.users.verifyEmail(d.visitor(), { secret: prepared }))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
      // Who only has a session moves the account nowhere, and where it moves is told to the address that it had.
      expect(await refusal(change())).toBe('DIRECTORY_PASSWORD_WRONG')
      expect(await refusal(change('mallorys-password'))).toBe('DIRECTORY_PASSWORD_WRONG')
      await done(change('victims-password'))
      const moved = await d.secretFor(mallorys)
      await done(d.write.users.verifyEmail(d.visitor(), { secret: moved }))
      expect((await d.mailsTo(theirs)).at(-1)).toMatchObject({
        subject: 'The address of your account has changed',
      })
    },
  )
})
