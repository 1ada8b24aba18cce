import fc from 'fast-check'
import mqtt, { type MqttClient } from 'mqtt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalPolicy, type LocalPrincipal } from '../../../agent/policy/local-policy.ts'
import { type Broker, createBroker } from '../../../broker/index.ts'
import { sha256 } from '../../../cloud-sync/codec/index.ts'
import { GatewayId, PolicySnapshot } from '../../../cloud-sync/contract/index.ts'

const RUNS = 100
const RUNS_MS_MAX = 120_000
const NOW = 1_000
const GATEWAY = GatewayId.parse('GW-1')
const ORGS = ['host', 'guest', 'other', 'third'] as const
const NAMES = ['ana', 'ben'] as const
const ROLES = ['owner', 'admin', 'editor', 'viewer', 'member', 'observer'] as const
/** Those that read whatever their organisation owns; the others read what they are shown. */
const READS_ALL: ReadonlySet<string> = new Set(['owner', 'admin', 'editor', 'viewer'])
type Org = (typeof ORGS)[number]

const deviceOf = (org: Org): string => `of-${org}`
const canaryOf = (org: Org): string => `headgate/${GATEWAY}/${deviceOf(org)}/main/readings`

const Who = fc.record({ org: fc.constantFrom(...ORGS), name: fc.constantFrom(...NAMES) })
const Share = fc.record({
  of: fc.constantFrom(...ORGS),
  sensor: fc.constantFrom(null, 'main', 'aux'),
  to: fc.oneof(
    Who.map(({ org, name }) => ({ kind: 'member', org, name }) as const),
    fc.constantFrom(...ORGS).map((org) => ({ kind: 'org', org }) as const),
    fc.constantFrom(...ORGS).map((org) => ({ kind: 'team', org }) as const),
  ),
  /** A share may be of an earlier membership, of an earlier owner, or over. */
  flaw: fc.constantFrom('none', 'none', 'none', 'incarnation', 'epoch', 'expired'),
})
const World = fc.record({
  roles: fc.array(fc.constantFrom(...ROLES), { minLength: 8, maxLength: 8 }),
  /** Of each organisation, who is in its team. */
  teams: fc.array(fc.subarray([...NAMES]), { minLength: 4, maxLength: 4 }),
  policies: fc.uniqueArray(
    fc.record({
      from: fc.constantFrom(...ORGS),
      to: fc.constantFrom(...ORGS),
      state: fc.constantFrom('active', 'active', 'pending'),
    }),
    { maxLength: 6, selector: ({ from, to }) => `${from} ${to}` },
  ),
  shares: fc.array(Share, { maxLength: 16, size: 'max' }),
})
type World = typeof World extends fc.Arbitrary<infer T> ? T : never
type Share = World['shares'][number]

const roleOf = ({ roles }: World, org: Org, name: string): string =>
  roles[ORGS.indexOf(org) * NAMES.length + NAMES.findIndex((one) => one === name)] ?? 'member'

/** Whether somebody reads an organisation's canary: told in words of the rules, without the code that decides. */
function reads(world: World, who: { org: Org; name: string }, of: Org): boolean {
  if (who.org === of && READS_ALL.has(roleOf(world, who.org, who.name))) return true
  return world.shares.some((share) => {
    if (share.of !== of || share.sensor === 'aux') return false
    if (share.flaw === 'epoch' || share.flaw === 'expired') return false
    return means(world, share, who) && (who.org === of || isCrossed(world, of, who.org))
  })
}

function means(world: World, { to, flaw }: Share, who: { org: Org; name: string }): boolean {
  if (to.org !== who.org) return false
  if (to.kind === 'member') return to.name === who.name && flaw !== 'incarnation'
  return to.kind === 'org' || (world.teams[ORGS.indexOf(who.org)] ?? []).some((one) => one === who.name)
}

const isCrossed = ({ policies }: World, from: Org, to: Org): boolean =>
  policies.some((one) => one.from === from && one.to === to && one.state === 'active')

function granteeOf({ to, flaw }: Share): object {
  switch (to.kind) {
    case 'member':
      return { ...to, incarnation: flaw === 'incarnation' ? 1 : 2 }
    case 'team':
      return { kind: 'team', org: to.org, team: 'crew' }
    case 'org':
      return to
  }
}

const keyOf = (org: string, name: string): string => `key of ${org}:${name}`

function snapshotOf(world: World, version: number): PolicySnapshot {
  const people = ORGS.flatMap((org) => NAMES.map((name) => ({ org, name, incarnation: 2 })))
  return PolicySnapshot.parse({
    v: 2,
    gateway: GATEWAY,
    version,
    issuedAt: 0,
    owner: { org: 'host', ownerEpoch: 1 },
    organisations: ORGS.map((id) => ({ id, name: id })),
    members: people.map((who) => ({ ...who, role: roleOf(world, who.org, who.name) })),
    keys: people.map((who) => ({
      ...who,
      member: who.name,
      hash: sha256(Buffer.from(keyOf(who.org, who.name))),
    })),
    teams: ORGS.map((org, at) => ({
      org,
      handle: 'crew',
      name: 'Crew',
      members: (world.teams[at] ?? []).map((name) => ({ name, incarnation: 2 })),
    })),
    devices: ORGS.map((org) => ({ id: deviceOf(org), org, ownerEpoch: 2 })),
    policies: world.policies.map(({ from, to, state }) => ({ id: `p-${from}-${to}`, from, to, state })),
    grants: world.shares.map((share, at) => ({
      id: `g-${at}`,
      on:
        share.sensor === null
          ? { kind: 'device', device: deviceOf(share.of) }
          : { kind: 'sensor', device: deviceOf(share.of), sensor: share.sensor },
      to: granteeOf(share),
      level: 'viewer',
      ownerEpoch: share.flaw === 'epoch' ? 1 : 2,
      via: share.to.org === share.of ? null : `p-${share.of}-${share.to.org}`,
      expiresAt: share.flaw === 'expired' ? NOW : null,
    })),
    critical: [],
  })
}

const quiet = (): void => undefined
const policy = new LocalPolicy({
  gateway: GATEWAY,
  anonymous: 'none',
  when: () => ({ place: 'gateway', at: NOW, signed: true }),
})
let broker: Broker<LocalPrincipal>
let version = 0

beforeAll(async () => {
  const log = { info: quiet, warn: quiet, error: quiet }
  broker = createBroker({ listen: ['tcp://127.0.0.1:0'], policy, log })
  await broker.start(new AbortController().signal)
})
afterAll(() => broker.stop())

interface Listener {
  readonly org: Org
  readonly name: string
  readonly client: MqttClient
  readonly heard: Set<string>
}

async function listener(org: Org, name: string): Promise<Listener> {
  const login = { username: `${org}:${name}`, password: keyOf(org, name) }
  const client = await mqtt.connectAsync(broker.addresses()[0] ?? '', { ...login, reconnectPeriod: 0 })
  const heard = new Set<string>()
  client.on('message', (topic) => heard.add(topic))
  await client.subscribeAsync('#', { qos: 1 })
  return { org, name, client, heard }
}

/** One message in every organisation; what each client was sent when all that was on its way has come. */
async function flight(world: World): Promise<{ who: string; heard: string[]; expected: string[] }[]> {
  policy.apply(snapshotOf(world, (version += 1)))
  const all = await Promise.all(ORGS.flatMap((org) => NAMES.map((name) => listener(org, name))))
  for (const org of ORGS)
    await broker.publish({ topic: canaryOf(org), payload: Buffer.from('canary'), qos: 1, retain: false })
  // The answer to a request comes after what was sent before it.
  await Promise.all(all.map(({ client }) => client.subscribeAsync('#', { qos: 1 })))
  await Promise.all(all.map(({ client }) => client.endAsync(true)))
  return all.map(({ org, name, heard }) => ({
    who: `${org}:${name}`,
    heard: [...heard].sort(),
    expected: ORGS.filter((of) => reads(world, { org, name }, of))
      .map(canaryOf)
      .sort(),
  }))
}

test('of one message in every organisation each client with # is sent exactly what it may read, whatever the policy', {
  timeout: RUNS_MS_MAX,
}, async () => {
  await fc.assert(
    fc.asyncProperty(World, async (world) => {
      for (const { who, heard, expected } of await flight(world))
        expect({ who, heard }).toEqual({ who, heard: expected })
    }),
    { numRuns: RUNS, seed: 20_261_122 },
  )
})
