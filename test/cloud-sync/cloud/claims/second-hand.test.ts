import { expect } from 'vitest'
import { pendingCut } from '../../../../cloud-sync/cloud/directory/index.ts'
import { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { newKey, receiptBy, testRoot } from '../../../support/claims.ts'
import { done, onBothEngines, refusal, type TestDirectory } from '../../../support/directory-world.ts'

const gateway = GatewayId.parse('GW-1')
const key = newKey()
const { cloudId, seal } = testRoot()
const pump = { kind: 'device', resource: 'GW-1/pump' } as const

const ORGS = { alice: 'seller', bert: 'shell', cleo: 'buyer', gus: 'guest' } as const
/** alice owns seller, who has GW-1; bert owns shell, cleo buyer and gus guest. */
async function site(d: TestDirectory): Promise<void> {
  for (const [owner, org] of Object.entries(ORGS)) await d.person(owner, org)
  const registered = { org: 'seller', gateway, publicKey: key.publicKey }
  await done(d.write.gateways.register(d.operator(), registered))
}
const offered = async (d: TestDirectory): Promise<string> =>
  (await done(d.write.transfers.offer(as(d, 'alice'), { org: 'seller', gateway, to: 'shell' }))).transfer
async function accepted(d: TestDirectory): Promise<string> {
  const transfer = await offered(d)
  await done(d.write.transfers.accept(as(d, 'bert'), { org: 'shell', transfer }))
  return transfer
}
const as = (d: TestDirectory, who: keyof typeof ORGS) => d.as(who, ORGS[who])
const release = (d: TestDirectory) => d.write.claims.release(as(d, 'alice'), { org: 'seller', gateway })
const decide = (d: TestDirectory, org: string | null) =>
  done(d.write.claims.decide(d.operator(), { gateway, org }))
const receive = async (d: TestDirectory, said: object) =>
  (
    await done(
      d.write.claims.receive(d.visitor(), {
        gateway,
        receipt: receiptBy(key, cloudId, { gateway, generation: 1, ...said }),
      }),
    )
  ).verdict
/** Bought second-hand: cleo has the new label. */
async function sold(d: TestDirectory): Promise<void> {
  expect(await receive(d, { what: 'released', claimCounter: 0 })).toBe('released')
  const { ticket } = await done(d.write.tickets.issue(as(d, 'cleo'), { org: 'buyer', serials: [gateway] }))
  const claim = { what: 'claimed', claimCounter: 1, org: 'buyer', ticket, installer: 'cleo' }
  expect(await receive(d, claim)).toBe('confirmed')
}
const owner = async (d: TestDirectory) => {
  const row = await d.store.read.get('gateway', { id: gateway })
  return row && `${row.org} ${row.state} ${row.owner_epoch}`
}
const stateOf = async (d: TestDirectory, id: string) =>
  (await d.store.read.get('gateway_transfer', { id }))?.state
const cut = (d: TestDirectory, ownerEpoch: number) =>
  refusal(d.write.transfers.cut(d.operator(), { gateway, ownerEpoch, acknowledged: 'a'.repeat(64) }))
const mayOperate = async (d: TestDirectory, who: keyof typeof ORGS) =>
  (
    await done(
      d.ask.shares.check(d.actor(who, ORGS[who]), { org: 'buyer', right: 'device.operate', thing: pump }),
    )
  ).allowed

onBothEngines((engine) => {
  const test = (name: string, body: (d: TestDirectory) => Promise<void>): void => {
    const onSite = async (d: TestDirectory): Promise<void> => {
      await site(d)
      await body(d)
    }
    engine.with(name, onSite, { seal: () => seal })
  }

  test('what somebody has accepted is not let go to anybody else, nor scrapped', async (d) => {
    const transfer = await accepted(d)
    const scrap = () => refusal(d.write.claims.decommission(d.operator(), { gateway }))
    for (const state of ['accepted', 'settling']) {
      expect([await refusal(release(d)), await scrap()]).toEqual(['DIRECTORY_EXISTS', 'DIRECTORY_EXISTS'])
      expect(await stateOf(d, transfer)).toBe(state)
      if (state === 'accepted') await done(d.write.transfers.settle(d.operator(), { gateway }))
    }
    expect(await cut(d, 2)).toBe('done')
    expect(await owner(d)).toBe('shell claimed 2')
  })

  test('an offer ends when the gateway is let go', async (d) => {
    const transfer = await offered(d)
    await done(release(d))
    expect(await stateOf(d, transfer)).toBe('cancelled')
    await sold(d)
    const offer = d.write.transfers.offer(as(d, 'cleo'), { org: 'buyer', gateway, to: 'shell' })
    expect(await refusal(offer)).toBe('done')
  })

  test('an offer ends when the gateway is scrapped', async (d) => {
    const transfer = await offered(d)
    await done(d.write.claims.decommission(d.operator(), { gateway }))
    expect(await stateOf(d, transfer)).toBe('cancelled')
  })

  test('a transfer of somebody who has the gateway no more gives nothing of its next owner', async (d) => {
    const transfer = await accepted(d)
    // As it could be before: let go while it was on its way.
    await d.store.transaction(async (tx) => {
      const row = await tx.get('gateway', { id: gateway })
      if (row !== undefined) await tx.put('gateway', { ...row, org: 'buyer', owner_epoch: 2 })
    })
    const [row, given] = [await owner(d), await stateOf(d, transfer)]
    expect(await pendingCut(d.store.read, gateway)).toBeUndefined()
    expect([await cut(d, 2), await cut(d, 3)]).toEqual(['done', 'DIRECTORY_NOT_FOUND'])
    expect([await owner(d), await stateOf(d, transfer)]).toEqual([row, given])
    const offer = d.write.transfers.offer(as(d, 'cleo'), { org: 'buyer', gateway, to: 'guest' })
    expect(await refusal(offer)).toBe('done')
    await d.store.transaction(async (tx) => {
      const now = await tx.get('gateway', { id: gateway })
      if (now !== undefined) await tx.put('gateway', { ...now, org: 'seller', owner_epoch: 1 })
    })
  })

  test('the operator’s decision ends a transfer, and begins an epoch that nobody was told of', async (d) => {
    const transfer = await accepted(d)
    await done(d.write.transfers.settle(d.operator(), { gateway }))
    const device = { org: 'seller', gateway, device: 'pump', name: 'Pump' }
    await done(d.write.gateways.addDevice(as(d, 'alice'), device))
    await decide(d, 'buyer')
    expect(await stateOf(d, transfer)).toBe('cancelled')
    expect(await owner(d)).toBe('buyer claimed 3')
    expect(await pendingCut(d.store.read, gateway)).toBeUndefined()
    expect([await cut(d, 2), await owner(d)]).toEqual(['done', 'buyer claimed 3'])
    // What the old owner had on it is not the new one's to read, nor on its ports.
    expect(await d.store.read.find('device', { gateway, state: 'active' })).toEqual([])
    await done(d.write.gateways.addDevice(as(d, 'cleo'), { ...device, org: 'buyer' }))
    expect([await mayOperate(d, 'cleo'), await mayOperate(d, 'bert')]).toEqual([true, false])
    expect(await refusal(release(d))).toBe('DIRECTORY_NOT_FOUND')
  })

  test('the operator’s decision for nobody ends a transfer too, and the gateway is sold again', async (d) => {
    const transfer = await accepted(d)
    await decide(d, null)
    expect([await stateOf(d, transfer), await owner(d)]).toEqual(['cancelled', 'seller releasing 2'])
    await sold(d)
    expect(await owner(d)).toBe('buyer claimed 3')
  })

  test('a guest is whose guest who owns the gateway now', async (d) => {
    const offer = (device: string) =>
      done(
        d.write.hosting.offer(as(d, 'alice'), {
          ...{ org: 'seller', gateway, device, name: 'Rain', guest: 'guest' },
        }),
      )
    const { hosting } = await offer('rain')
    await done(d.write.hosting.accept(as(d, 'gus'), { org: 'guest', hosting }))
    const open = await offer('wind')
    await done(release(d))
    await sold(d)
    const hosts = async (who: keyof typeof ORGS) =>
      (await done(d.ask.hosting.list(d.actor(who, ORGS[who]), { org: ORGS[who] }))).hosts
    expect(await hosts('alice')).toEqual([])
    expect(await hosts('cleo')).toMatchObject([{ hosting, guest: 'guest', state: 'accepted' }])
    expect((await d.store.read.get('hosting', { id: open.hosting }))?.state).toBe('ended')
    await decide(d, 'shell')
    expect(await hosts('cleo')).toEqual([])
    const end = (who: keyof typeof ORGS) =>
      refusal(d.write.hosting.end(as(d, who), { org: ORGS[who], hosting }))
    expect([await end('alice'), await end('cleo'), await end('bert')]).toEqual([
      ...['DIRECTORY_NOT_FOUND', 'DIRECTORY_NOT_FOUND'],
      'done',
    ])
    expect(await d.store.read.find('device', { gateway, state: 'active' })).toEqual([])
  })

  test('a guest who buys the gateway is nobody’s guest there', async (d) => {
    const offer = { org: 'seller', gateway, device: 'rain', name: 'Rain', guest: 'buyer' }
    const { hosting } = await done(d.write.hosting.offer(as(d, 'alice'), offer))
    await done(d.write.hosting.accept(as(d, 'cleo'), { org: 'buyer', hosting }))
    await done(release(d))
    await sold(d)
    expect((await d.store.read.get('hosting', { id: hosting }))?.state).toBe('ended')
    expect(await d.store.read.find('device', { gateway, state: 'active' })).toMatchObject([{ org: 'buyer' }])
  })
})
