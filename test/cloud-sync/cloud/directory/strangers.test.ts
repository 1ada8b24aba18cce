import { expect } from 'vitest'
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
})
