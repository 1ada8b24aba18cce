import { expect, vi } from 'vitest'
import { done, onSqlite, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const invite = (d: TestDirectory, by: string, org: string | null = 'acme') =>
  refusal(d.write.invitations.invite(d.as(by, org), { org: 'acme', email: 'new@example.org' }))
const signIn = (d: TestDirectory, login: string, password: string, address: string) =>
  refusal(d.doors.signIn({ login, password, address }))
const times = <T>(count: number, once: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => once(index)))

onSqlite((engine) => {
  engine.with('who may not invite uses up nothing of who may', async (d) => {
    await d.person('ana', 'acme')
    await d.person('eve')
    const tried = await times(201, () => invite(d, 'eve', null))
    expect(new Set(tried)).toEqual(new Set(['DIRECTORY_NOT_FOUND']))
    expect(await invite(d, 'ana')).toBe('done')
  })

  engine.with('who guesses a password from elsewhere locks nobody out', async (d) => {
    await d.person('ana', 'acme')
    expect(await signIn(d, 'ana', 'ana-password', '192.0.2.1')).toBe('done')
    const wrong = await times(12, () => signIn(d, 'ana@example.org', 'wrong', '198.51.100.1'))
    expect(wrong.filter((code) => code === 'DIRECTORY_TOO_MANY_TRIES')).toHaveLength(2)
    expect(await signIn(d, 'ana', 'ana-password', '198.51.100.2')).toBe('done')
    // From ever more addresses nobody guesses faster, and where she has signed in from she still does.
    await times(250, (index) => signIn(d, 'ana', 'wrong', `198.51.100.${10 + (index % 50)}`))
    expect(await signIn(d, 'ana', 'ana-password', '203.0.113.9')).toBe('DIRECTORY_TOO_MANY_TRIES')
    expect(await signIn(d, 'ana', 'ana-password', '192.0.2.1')).toBe('done')
  })

  engine.with(
    'nobody writes into another organisation by naming it beside a thing of their own',
    async (d) => {
      await d.person('ana', 'acme')
      await d.person('bea', 'borealis')
      await d.person('cy', 'cobalt')
      const publicKey = Buffer.alloc(32).toString('base64')
      await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey }))
      const mine = { gateway: 'GW-1', device: 'tilt-1', name: 'Tilt' }
      await done(d.write.gateways.addDevice(d.as('ana', 'acme'), { org: 'acme', ...mine }))
      const { workspace } = await done(
        d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name: 'dam' }),
      )
      const thing = { kind: 'device', resource: 'GW-1/tilt-1' } as const
      const head = () => d.store.read.find('chain_head', { chain: 'org:borealis' })
      const before = await head()
      const ana = () => d.as('ana', 'acme')
      const other = { org: 'borealis', gateway: 'GW-1', device: 'trojan', name: 'x' }
      const tries = {
        device: d.write.gateways.addDevice(ana(), other),
        // Whoever there is and whoever is not: one answer.
        custodian: d.write.gateways.addDevice(ana(), { ...other, custodian: 'bea' }),
        nobody: d.write.gateways.addDevice(ana(), { ...other, custodian: 'nobody-1' }),
        remove: d.write.gateways.removeDevice(ana(), { org: 'borealis', device: 'GW-1/tilt-1' }),
        share: d.write.shares.share(ana(), {
          org: 'borealis',
          thing,
          to: { kind: 'user', user: 'ana', org: 'acme' },
        }),
        alert: d.write.alerts.create(ana(), {
          org: 'borealis',
          resource: 'GW-1/tilt-1',
          name: 'n',
          watch: { kind: 'offline' },
        }),
        hosting: d.write.hosting.offer(ana(), {
          org: 'borealis',
          gateway: 'GW-1',
          device: 'tilt-2',
          name: 'x',
          guest: 'cobalt',
        }),
        workspace: d.write.workspaces.update(ana(), { org: 'borealis', workspace, name: 'theirs' }),
      }
      const codes = Object.fromEntries(
        await Promise.all(
          Object.entries(tries).map(async ([what, tried]) => [what, await refusal(tried)] as const),
        ),
      )
      expect(codes).toEqual(
        Object.fromEntries(Object.keys(tries).map((what) => [what, 'DIRECTORY_NOT_FOUND'])),
      )
      expect(await head()).toEqual(before)
      expect(await d.store.read.find('device', { org: 'borealis' })).toEqual([])
    },
  )

  engine.with(
    'a network of IPv6 is one address, and whoever opened a reset mail is known there',
    async (d) => {
      await d.person('ana', 'acme')
      const inNetwork = await times(12, (index) => signIn(d, 'ana', 'wrong', `2001:db8::${index + 1}`))
      expect(inNetwork.filter((code) => code === 'DIRECTORY_TOO_MANY_TRIES')).toHaveLength(2)
      // Somebody with many networks uses up the count of those whom nobody knows.
      for (let n = 0; n < 25; n += 1)
        await times(10, (index) => signIn(d, 'ana', 'wrong', `2001:db8:${n}:1::${index}`))
      expect(await signIn(d, 'ana', 'ana-password', '203.0.113.9')).toBe('DIRECTORY_TOO_MANY_TRIES')
      const step = (address: string) =>
        refusal(
          d.write.tokens.create(
            {
              actor: { kind: 'user', user: 'ana', org: 'acme', scope: 'full', address },
              key: `step ${address}`,
            },
            { org: 'acme', name: 'excel', scope: 'read', expiresAt: null, password: 'ana-password' },
          ),
        )
      expect(await step('203.0.113.10')).toBe('done')
      await done(d.write.users.requestReset(d.visitor(), { email: 'ana@example.org' }))
      const secret = await d.secretFor('ana@example.org')
      const actor = { kind: 'visitor', address: '203.0.113.9' } as const
      await done(
        d.write.users.resetPassword({ actor, key: 'reset' }, { secret, newPassword: 'another-password' }),
      )
      expect(await signIn(d, 'ana', 'another-password', '203.0.113.9')).toBe('done')
      expect(await signIn(d, 'ana', 'another-password', '203.0.113.11')).toBe('DIRECTORY_TOO_MANY_TRIES')
    },
  )

  engine.with('nothing is hashed for a secret that nobody was mailed, and guessing it counts', async (d) => {
    await d.person('ana', 'acme')
    const hashed = vi.spyOn(d.world.hashing, 'run')
    const actor = { kind: 'visitor', address: '198.51.100.1' } as const
    const guessed = await times(105, (index) =>
      refusal(
        d.write.users.resetPassword(
          { actor, key: `guess ${index}` },
          { secret: 'A'.repeat(43), newPassword: 'another-password' },
        ),
      ),
    )
    expect(guessed.filter((code) => code === 'DIRECTORY_NOT_FOUND')).toHaveLength(100)
    expect(guessed.filter((code) => code === 'DIRECTORY_TOO_MANY_TRIES')).toHaveLength(5)
    expect(hashed).not.toHaveBeenCalled()
  })

  engine.with('a right password counts too, also of what is refused afterwards', async (d) => {
    await d.person('ana', 'acme')
    const hashed = vi.spyOn(d.world.hashing, 'run')
    const make = () =>
      refusal(
        d.write.tokens.create(d.as('ana', 'acme'), {
          ...{ org: 'acme', name: 'ana', scope: 'read', expiresAt: null, password: 'ana-password' },
        }),
      )
    const made: string[] = []
    for (let n = 0; n < 65; n += 1) made.push(await make())
    expect(made.slice(0, 60)).toEqual(Array<string>(60).fill('DIRECTORY_EXISTS'))
    expect(made.slice(60)).toEqual(Array<string>(5).fill('DIRECTORY_TOO_MANY_TRIES'))
    expect(hashed).toHaveBeenCalledTimes(60)
    d.pass(15 * 60_000)
    expect(await make()).toBe('DIRECTORY_EXISTS')
  })

  engine.with('no claim key is derived for who may not let the gateway go or label it', async (d) => {
    await d.person('ana', 'acme')
    await d.person('eve', 'evil')
    const publicKey = Buffer.alloc(32).toString('base64')
    await done(d.write.gateways.register(d.operator(), { org: 'acme', gateway: 'GW-1', publicKey }))
    const hashed = vi.spyOn(d.world.hashing, 'run')
    const eve = () => d.as('eve', 'evil')
    const on = { gateway: 'GW-1' } as const
    expect(await refusal(d.write.claims.release(eve(), { org: 'acme', ...on }))).toBe('DIRECTORY_NOT_FOUND')
    expect(await refusal(d.write.claims.relabel(eve(), on))).toBe('DIRECTORY_FORBIDDEN')
    expect(await refusal(d.write.claims.decide(eve(), { org: 'evil', ...on }))).toBe('DIRECTORY_FORBIDDEN')
    const made = { gateway: 'GW-2', model: 'HG-4', publicKey } as const
    expect(await refusal(d.write.claims.provision(eve(), made))).toBe('DIRECTORY_FORBIDDEN')
    expect(hashed).not.toHaveBeenCalled()
    const ana = { actor: d.actor('ana', 'acme'), key: 'let go' }
    const released = await done(d.write.claims.release(ana, { org: 'acme', ...on }))
    expect(await d.write.claims.release(ana, { org: 'acme', ...on })).toMatchObject({
      ...{ ok: true, repeated: true, value: { birth: released.birth } },
    })
    expect(hashed).toHaveBeenCalledTimes(1)
  })
})
