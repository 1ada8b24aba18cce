import { expect, onTestFinished, test } from 'vitest'
import { PolicyInForce } from '../../../../agent/policy/in-force.ts'
import { createGatewayChanges } from '../../../../cloud-sync/cloud/gateway-changes.ts'
import { sha256 } from '../../../../cloud-sync/codec/index.ts'
import type { DeviceId, GatewayId } from '../../../../cloud-sync/contract/index.ts'
import { bodyOf, ChangesAtGateway } from '../../../support/changes-at-gateway.ts'
import { done } from '../../../support/directory-world.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { DAY_MS, type SeededCloud, seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { silent } from '../../../support/test-ledger.ts'

const GW1 = 'GW-1' as GatewayId
const GW2 = 'GW-2' as GatewayId

interface Managed {
  readonly cloud: SeededCloud
  /** Of sue and her token, plain. */
  readonly keys: readonly [string, string]
}

/** flow manages acme, whose the gateways are: pat owns flow, sue installs for it. */
async function managed(): Promise<Managed> {
  const cloud = await seededCloud(temporaryFolder(), {
    gateways: [fakeGateway('GW-1', '0'), fakeGateway('GW-2', '0')],
  })
  onTestFinished(() => cloud.close())
  const { directory: d, policies } = cloud
  await d.person('pat', 'flow', { type: 'partner', preset: 'meter.me' })
  await d.person('sue')
  await d.joins('sue', 'flow', 'super-installer', 'pat')
  await done(d.write.links.ask(d.as('pat', 'flow'), { org: 'flow', customer: 'acme' }))
  const { managedBy } = await done(d.ask.links.list(d.actor('ana', 'acme'), { org: 'acme' }))
  await done(d.write.links.accept(d.as('ana', 'acme'), { org: 'acme', link: managedBy[0]?.link ?? '' }))
  const { secret: own } = await done(d.write.tokens.regenerateKey(d.as('sue', 'flow'), { org: 'flow' }))
  const token = { org: 'flow', name: 'sues-laptop', expiresAt: null, password: 'sue-password' } as const
  const { secret: second } = await done(
    d.write.tokens.create(d.as('sue', 'flow'), { ...token, scope: 'full' }),
  )
  await policies.caughtUp()
  return { cloud, keys: [String(own), String(second)] }
}

const inForce = async (cloud: SeededCloud): Promise<PolicyInForce> => {
  const policy = new PolicyInForce(() => ({ place: 'gateway', at: 2, signed: true }))
  policy.apply(await cloud.snapshot(GW1))
  return policy
}
const hashOf = (key: string) => sha256(Buffer.from(key))

test("S4.14 a customer's gateway is told of the partner's people without a single name", async () => {
  const { cloud } = await managed()
  const snapshot = await cloud.snapshot(GW1)
  const text = JSON.stringify(snapshot)
  expect(text).toContain('"flow"')
  for (const name of [/"pat/, /"sue/, /laptop/]) expect(text).not.toMatch(name)
  const people = snapshot.members.filter(({ org }) => org === 'flow').map(({ name }) => name)
  expect(people).toHaveLength(2)
  for (const name of people) expect(name).toMatch(/^p-[0-9a-f]{16}$/)
  // Everybody else is called as ever, and nobody is to be followed from one gateway to the next.
  expect(snapshot.members.filter(({ org }) => org === 'acme').map(({ name }) => name)).toEqual(['ana', 'bob'])
  const next = (await cloud.snapshot(GW2)).members.map(({ name }) => name)
  expect(people.filter((name) => next.includes(name))).toEqual([])
})

test('they log in there with their own names and keys, act as they may, and are shown by their ids', async () => {
  const { cloud, keys } = await managed()
  const policy = await inForce(cloud)
  const [own, second] = keys
  const logins = [policy.logIn('flow:sue', hashOf(own)), policy.logIn('flow:sues-laptop', hashOf(second))]
  for (const login of logins) {
    expect(login?.author.name).toMatch(/^p-/)
    expect(login?.principal.name).toMatch(/^p-/)
    const resource = { kind: 'device', device: 'tilt-1' as DeviceId } as const
    const principal = login?.principal ?? { org: 'acme' as never, name: 'x' as never }
    expect(policy.decide({ principal, action: 'device.config', resource }).allowed).toBe(true)
  }
  expect(logins[0]?.author).toEqual(logins[1]?.author)
  expect(policy.logIn('flow:sue', hashOf('wrong'))).toBeUndefined()
})

test('the cloud goes on deciding by their names', async () => {
  const { cloud } = await managed()
  const { members } = cloud.policies.policyOf(GW1) ?? { members: [] }
  expect(members.filter(({ org }) => org === 'flow').map(({ name }) => name)).toEqual(['pat', 'sue'])
})

test('what they change on site stands in the directory and its sealed audit by name, and is shown as the partner', async () => {
  const { cloud, keys } = await managed()
  const { directory: d, policies } = cloud
  const sue = (await inForce(cloud)).logIn('flow:sue', hashOf(keys[0]))
  const author = `flow:${sue?.author.name ?? ''}`
  const edge = new ChangesAtGateway(await cloud.snapshot(GW1))
  const changes = createGatewayChanges({ world: d.world, log: silent })
  const take = async (change: Parameters<typeof bodyOf>[0]) =>
    (await changes.take(change, bodyOf(change))).verdicts
  const shared = edge.share(author, 'acme:bob')
  expect(await take(shared)).toMatchObject([{ state: 'accepted' }])
  // Sent again it is the same change.
  expect(await take(shared)).toMatchObject([{ state: 'accepted' }])
  const optOut = { kind: 'alert.opt-out', on: { kind: 'gateway' }, alert: 'offline' }
  expect(await take(edge.make(author, optOut))).toMatchObject([{ state: 'accepted' }])
  expect(await d.store.read.find('grant', { resource: 'GW-1/tilt-1' })).toMatchObject([
    { principal: 'bob', granted_by: 'sue', granted_by_org: 'flow' },
  ])
  expect(await d.store.read.find('alert_opt_out', {})).toMatchObject([{ user: 'sue', device: 'GW-1' }])
  const sealed = await d.store.read.find('audit', { what: 'gateway.change' })
  expect(sealed.map(({ actor }) => actor)).toEqual(['sue', 'sue'])
  await policies.caughtUp()
  const [grant] = (await cloud.snapshot(GW1)).grants
  expect(grant?.by).toEqual(sue?.author)
  // The customer's own lists name the partner only.
  const ana = d.actor('ana', 'acme')
  const thing = { kind: 'device', resource: 'GW-1/tilt-1' } as const
  const seen = JSON.stringify([
    await done(d.ask.audit.list(ana, { org: 'acme' })),
    await done(d.ask.shares.list(ana, { org: 'acme', thing })),
    await done(d.ask.members.list(ana, { org: 'acme' })),
  ])
  expect(seen).not.toMatch(/sue|p-[0-9a-f]{16}/)
  expect(seen).toContain('"flow"')
})

test('the ids are the same in every version, and go with the link', async () => {
  const { cloud } = await managed()
  const { directory: d, policies } = cloud
  const idsOf = async () =>
    (await cloud.snapshot(GW1)).members.filter(({ org }) => org === 'flow').map(({ name }) => name)
  const before = await idsOf()
  d.pass(DAY_MS)
  await d.person('ines')
  await d.joins('ines', 'flow', 'installer', 'pat')
  await policies.caughtUp()
  const after = await idsOf()
  expect(after).toHaveLength(3)
  expect(after).toEqual(expect.arrayContaining(before))
  const { managedBy } = await done(d.ask.links.list(d.actor('ana', 'acme'), { org: 'acme' }))
  await done(d.write.links.terminate(d.as('ana', 'acme'), { org: 'acme', link: managedBy[0]?.link ?? '' }))
  await policies.caughtUp()
  expect(await idsOf()).toEqual([])
})
