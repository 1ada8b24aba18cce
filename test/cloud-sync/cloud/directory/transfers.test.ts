import { expect } from 'vitest'
import { pendingCut } from '../../../../cloud-sync/cloud/directory/index.ts'
import { DAY_MS, done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const KEY = Buffer.alloc(32).toString('base64')
const ACK = 'a'.repeat(64)
const gw = { kind: 'gateway', resource: 'GW-1' } as const
const tilt = { kind: 'device', resource: 'GW-1/tilt' } as const

/** acme, owner ana, member bob; borealis, owner bea, member bo; guest cobalt, owner cal. GW-1 with tilt is acme's. */
async function site(d: TestDirectory): Promise<void> {
  for (const [owner, org, member] of [
    ['ana', 'acme', 'bob'],
    ['bea', 'borealis', 'bo'],
    ['cal', 'cobalt', 'cy'],
  ] as const) {
    await d.person(owner, org)
    await d.person(member)
    await d.joins(member, org, 'member', owner)
  }
  await done(
    d.write.gateways.register(d.operator(), {
      org: 'acme',
      gateway: 'GW-1',
      publicKey: KEY,
      custodian: 'bob',
    }),
  )
  const device = { org: 'acme', gateway: 'GW-1', device: 'tilt', name: 'Tilt' }
  await done(d.write.gateways.addDevice(d.as('ana', 'acme'), device))
}
/** A device of cobalt on the host's gateway. */
async function guest(d: TestDirectory): Promise<string> {
  const offered = { org: 'acme', gateway: 'GW-1', device: 'rain', name: 'Rain', guest: 'cobalt' }
  const { hosting } = await done(d.write.hosting.offer(d.as('ana', 'acme'), offered))
  await done(d.write.hosting.accept(d.as('cal', 'cobalt'), { org: 'cobalt', hosting }))
  return hosting
}
const offer = (d: TestDirectory, by = 'ana', to = 'borealis') =>
  d.write.transfers.offer(d.as(by, 'acme'), { org: 'acme', gateway: 'GW-1', to })
const accept = (d: TestDirectory, transfer: string, by = 'bea', org = 'borealis') =>
  d.write.transfers.accept(d.as(by, org), { org, transfer })
const cut = (d: TestDirectory, ownerEpoch = 2, gateway = 'GW-1') =>
  d.write.transfers.cut(d.operator(), { gateway, ownerEpoch, acknowledged: ACK })
const reads = async (
  d: TestDirectory,
  [user, org]: readonly [string, string],
  thing: { kind: 'gateway' | 'device'; resource: string },
  of = org,
) => (await done(d.ask.shares.check(d.actor(user, org), { org: of, right: 'data.read', thing }))).allowed

onBothEngines((engine) => {
  engine.with('a gateway goes over when it has cut, and not a moment before', async (d) => {
    await site(d)
    await done(
      d.write.shares.share(d.as('ana', 'acme'), {
        org: 'acme',
        thing: tilt,
        to: { kind: 'user', user: 'bob' },
      }),
    )
    const { transfer } = await done(offer(d))
    expect(await pendingCut(d.store.read, 'GW-1')).toBeUndefined()
    expect([
      await refusal(accept(d, transfer, 'bo')),
      await refusal(accept(d, transfer, 'ana', 'acme')),
    ]).toEqual(['DIRECTORY_FORBIDDEN', 'DIRECTORY_NOT_FOUND'])
    await done(accept(d, transfer))
    // It is both sides' affair, and each sees the other as an organisation.
    for (const [user, org, actor] of [
      ['ana', 'acme', { kind: 'organisation', id: 'borealis' }],
      ['bea', 'borealis', { kind: 'user', id: 'bea' }],
    ] as const) {
      const [line] = await done(d.ask.audit.list(d.actor(user, org), { org, limit: 1 }))
      expect(line).toMatchObject({ what: 'gateway.accept-transfer', outcome: 'done', actor })
    }
    // The gateway is offline: the old owner rules on, and its next snapshot shows the new one with the next epoch.
    const sees = async () => [await reads(d, ['ana', 'acme'], gw), await reads(d, ['bea', 'borealis'], gw)]
    expect([await sees(), await reads(d, ['bob', 'acme'], tilt)]).toEqual([[true, false], true])
    expect(await pendingCut(d.store.read, 'GW-1')).toMatchObject({
      gateway: { org: 'borealis', owner_epoch: 2, custodian: null },
      devices: [{ path: 'GW-1/tilt', org: 'borealis', owner_epoch: 2 }],
    })
    await done(d.write.transfers.settle(d.operator(), { gateway: 'GW-1' }))
    expect(await done(cut(d))).toEqual({ gateway: 'GW-1', owner: 'borealis', cut: true })
    expect([await sees(), await reads(d, ['bob', 'acme'], tilt)]).toEqual([[false, true], false])
    expect(await d.store.read.find('grant', { state: 'live' })).toEqual([])
    expect(await pendingCut(d.store.read, 'GW-1')).toBeUndefined()
    // Said again: nothing more.
    expect(await done(cut(d))).toMatchObject({ cut: false })
    const taken = await done(d.ask.transfers.list(d.actor('bea', 'borealis'), { org: 'borealis' }))
    expect(taken.taken).toMatchObject([{ state: 'done', ownerEpoch: 2 }])
  })

  engine.with('guests on the gateway keep devices, grants and epochs, and have a new host', async (d) => {
    await site(d)
    const hosting = await guest(d)
    const rain = { kind: 'device', resource: 'GW-1/rain' } as const
    const toCy = { org: 'cobalt', thing: rain, to: { kind: 'user', user: 'cy' } } as const
    await done(d.write.shares.share(d.as('cal', 'cobalt'), toCy))
    const { transfer } = await done(offer(d))
    await done(accept(d, transfer))
    await done(cut(d))
    expect(await d.store.read.get('device', { path: 'GW-1/rain' })).toMatchObject({
      org: 'cobalt',
      owner_epoch: 1,
    })
    expect(await reads(d, ['cy', 'cobalt'], rain)).toBe(true)
    const { hosts } = await done(d.ask.hosting.list(d.actor('bea', 'borealis'), { org: 'borealis' }))
    expect(hosts).toMatchObject([{ hosting, guest: 'cobalt', state: 'accepted' }])
    const end = (by: string, org: string) => refusal(d.write.hosting.end(d.as(by, org), { org, hosting }))
    expect([await end('ana', 'acme'), await end('bea', 'borealis')]).toEqual(['DIRECTORY_NOT_FOUND', 'done'])
    expect(await reads(d, ['cy', 'cobalt'], rain)).toBe(false)
  })

  engine.with('an offer is taken back only before it is accepted, and lives fourteen days', async (d) => {
    await site(d)
    const cancel = (transfer: string, by = 'ana', org = 'acme') =>
      refusal(d.write.transfers.cancel(d.as(by, org), { org, transfer }))
    const first = await done(offer(d))
    expect(await refusal(offer(d))).toBe('DIRECTORY_EXISTS')
    expect(await refusal(offer(d, 'bob'))).toBe('DIRECTORY_FORBIDDEN')
    expect([await cancel(first.transfer, 'bea', 'borealis'), await cancel(first.transfer)]).toEqual([
      'DIRECTORY_NOT_FOUND',
      'done',
    ])
    expect(await refusal(accept(d, first.transfer))).toBe('DIRECTORY_TRANSFER_CLOSED')
    const second = await done(offer(d))
    d.pass(14 * DAY_MS)
    expect(await refusal(accept(d, second.transfer))).toBe('DIRECTORY_TRANSFER_CLOSED')
    const third = await done(offer(d))
    await done(accept(d, third.transfer))
    expect(await cancel(third.transfer)).toBe('DIRECTORY_TRANSFER_CLOSED')
    d.pass(30 * DAY_MS)
    // Accepted, it waits for the gateway as long as that takes.
    expect(await done(cut(d))).toMatchObject({ cut: true })
  })

  engine.with(
    'who accepted a gateway is not deleted before it has cut, nor does it cut to who is',
    async (d) => {
      await site(d)
      const { transfer } = await done(offer(d))
      const remove = () =>
        refusal(
          d.write.organisations.remove(d.as('bea', 'borealis'), {
            org: 'borealis',
            password: 'bea-password',
          }),
        )
      await done(accept(d, transfer))
      expect(await remove()).toBe('DIRECTORY_EXISTS')
      // As a cloud before may have left it.
      const row = await d.store.read.get('organisation', { id: 'borealis' })
      if (row === undefined) throw new Error('no organisation')
      const become = (state: 'active' | 'deleted') =>
        d.store.transaction((tx) => tx.put('organisation', { ...row, state }))
      await become('deleted')
      expect(await pendingCut(d.store.read, 'GW-1')).toBeUndefined()
      expect(await refusal(d.write.transfers.settle(d.operator(), { gateway: 'GW-1' }))).toBe(
        'DIRECTORY_NOT_FOUND',
      )
      expect(await refusal(cut(d))).toBe('DIRECTORY_NOT_FOUND')
      expect(await reads(d, ['ana', 'acme'], gw)).toBe(true)
      await done(d.write.transfers.cancel(d.as('ana', 'acme'), { org: 'acme', transfer }))
      await become('active')
      expect(await remove()).toBe('done')
    },
  )

  engine.with(
    'whether the other organisation exists is not told, and nobody cuts what was not accepted',
    async (d) => {
      await site(d)
      const absent = await offer(d, 'ana', 'nobody')
      expect(absent).toMatchObject({ ok: true, value: { transfer: expect.any(String) as string } })
      expect(await refusal(cut(d))).toBe('DIRECTORY_NOT_FOUND')
      expect(
        await refusal(
          d.write.transfers.cut(d.as('bea', 'borealis'), {
            gateway: 'GW-1',
            ownerEpoch: 2,
            acknowledged: ACK,
          }),
        ),
      ).toBe('DIRECTORY_FORBIDDEN')
      expect(await refusal(offer(d, 'ana', 'acme'))).toBe('DIRECTORY_INPUT_INVALID')
    },
  )

  engine.with('the chain of owners is unbroken, and shown to the present one', async (d) => {
    await site(d)
    const { transfer } = await done(offer(d))
    await done(accept(d, transfer))
    await done(cut(d))
    const asked = { org: 'borealis', gateway: 'GW-1' }
    const entries = await done(d.ask.transfers.history(d.actor('bea', 'borealis'), asked))
    expect(entries.map(({ epoch, owner }) => `${epoch} ${owner}`)).toEqual(['1 acme', '2 borealis'])
    expect(entries[1]?.prev).toBe(entries[0]?.hash)
    expect(JSON.parse(entries[1]?.entry ?? '')).toMatchObject({
      from: 'acme',
      to: 'borealis',
      acknowledged: ACK,
    })
    expect(await refusal(d.ask.transfers.history(d.actor('ana', 'acme'), { ...asked, org: 'acme' }))).toBe(
      'DIRECTORY_NOT_FOUND',
    )
  })

  engine.with("a guest's device needs the host's right and the guest's consent", async (d) => {
    await site(d)
    const offered = { org: 'acme', gateway: 'GW-1', device: 'rain', name: 'Rain', guest: 'cobalt' }
    expect(await refusal(d.write.hosting.offer(d.as('bob', 'acme'), offered))).toBe('DIRECTORY_FORBIDDEN')
    const { hosting } = await done(d.write.hosting.offer(d.as('ana', 'acme'), offered))
    expect(await d.store.read.get('device', { path: 'GW-1/rain' })).toBeUndefined()
    const consent = (by: string, org: string) =>
      refusal(d.write.hosting.accept(d.as(by, org), { org, hosting }))
    expect([
      await consent('bea', 'borealis'),
      await consent('cy', 'cobalt'),
      await consent('cal', 'cobalt'),
    ]).toEqual(['DIRECTORY_NOT_FOUND', 'DIRECTORY_FORBIDDEN', 'done'])
    const rain = { kind: 'device', resource: 'GW-1/rain' } as const
    // The guest's own: the host's people read nothing of it.
    expect([
      await reads(d, ['cal', 'cobalt'], rain),
      await reads(d, ['ana', 'acme'], rain),
      await reads(d, ['cal', 'cobalt'], gw),
    ]).toEqual([true, false, false])
    expect(
      await refusal(
        d.write.gateways.removeDevice(d.as('cal', 'cobalt'), { org: 'cobalt', device: 'GW-1/rain' }),
      ),
    ).toBe('done')
    expect(await refusal(d.write.hosting.offer(d.as('ana', 'acme'), { ...offered, guest: 'nobody' }))).toBe(
      'done',
    )
  })

  engine.with('a workspace goes over with its gateways, the last of them moves it', async (d) => {
    await site(d)
    const create = async (name: string, quotas = {}) =>
      (await done(d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name, quotas }))).workspace
    const mill = await create('Mill', { devices: 5 })
    for (const gateway of ['GW-7', 'GW-8'])
      await done(
        d.write.gateways.register(d.operator(), { org: 'acme', gateway, publicKey: KEY, workspace: mill }),
      )
    const give = (by = 'ana') =>
      d.write.workspaceTransfers.offer(d.as(by, 'acme'), { org: 'acme', workspace: mill, to: 'borealis' })
    // The last one stays.
    expect(await refusal(give())).toBe('DIRECTORY_QUOTA_EXCEEDED')
    await create('Pit')
    expect(await refusal(give('bob'))).toBe('DIRECTORY_FORBIDDEN')
    const { transfer } = await done(give())
    const take = () =>
      d.write.workspaceTransfers.accept(d.as('bea', 'borealis'), { org: 'borealis', transfer })
    const quota = (devices: number) =>
      done(d.write.organisations.govern(d.operator(), { org: 'borealis', quotas: { devices } }))
    await quota(4)
    expect(await refusal(take())).toBe('DIRECTORY_QUOTA_EXCEEDED')
    await quota(5)
    expect(await done(take())).toMatchObject({ awaits: ['GW-7', 'GW-8'] })
    const owner = async () => (await d.store.read.get('workspace', { id: mill }))?.org
    await done(cut(d, 2, 'GW-7'))
    expect(await owner()).toBe('acme')
    await done(cut(d, 2, 'GW-8'))
    expect(await owner()).toBe('borealis')
    expect(await d.store.read.find('gateway', { workspace: mill, org: 'borealis' })).toHaveLength(2)
    expect(await refusal(give())).toBe('DIRECTORY_NOT_FOUND')
  })

  engine.with(
    'tagoio keeps two profiles, and an empty one goes over at once, without its people',
    async (d) => {
      await d.person('ana', 'acme', { preset: 'tagoio' })
      await d.person('bea', 'beta', { preset: 'tagoio' })
      await d.person('bob')
      const made: string[] = []
      for (const name of ['One', 'Two', 'Three'])
        made.push(
          (await done(d.write.workspaces.create(d.as('ana', 'acme'), { org: 'acme', name, type: 'profile' })))
            .workspace,
        )
      const [one = '', two = ''] = made
      const into = { org: 'acme', email: 'bob@example.org', workspace: one, level: 'owner' } as const
      await done(d.write.invitations.invite(d.as('ana', 'acme'), into))
      await done(d.write.invitations.accept(d.as('bob'), { secret: await d.secretFor('bob@example.org') }))
      const give = (workspace: string) =>
        d.write.workspaceTransfers.offer(d.as('ana', 'acme'), { org: 'acme', workspace, to: 'beta' })
      const { transfer } = await done(give(one))
      await done(d.write.workspaceTransfers.accept(d.as('bea', 'beta'), { org: 'beta', transfer }))
      expect(await d.store.read.get('workspace', { id: one })).toMatchObject({ org: 'beta' })
      expect(await d.store.read.find('grant', { resource: one, state: 'live' })).toEqual([])
      expect(await refusal(give(two))).toBe('DIRECTORY_QUOTA_EXCEEDED')
    },
  )
})
