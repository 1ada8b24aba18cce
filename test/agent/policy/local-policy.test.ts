import { createHash } from 'node:crypto'
import mqtt, { type MqttClient } from 'mqtt'
import { afterEach, describe, expect, test } from 'vitest'
import { LocalPolicy, type LocalPrincipal } from '../../../agent/policy/local-policy.ts'
import { type Broker, type ClientCertificate, createBroker } from '../../../broker/index.ts'
import { GatewayId, type PolicySnapshot, StoredPolicySnapshot } from '../../../cloud-sync/contract/index.ts'

const gateway = GatewayId.parse('GW-1')
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

const when = () => ({ place: 'gateway', at: 1, signed: true }) as const

type Change = Partial<Record<'members' | 'keys' | 'devices' | 'shares', object[]>>

/** acme owns the gateway and `tilt`; ben's organisation is a guest with `level` and sees one sensor of `tilt`. */
const snapshotWith = (change: Change = {}): PolicySnapshot => StoredPolicySnapshot.parse(contentWith(change))

function contentWith(change: Change = {}) {
  return {
    v: 1,
    gateway,
    version: 1,
    issuedAt: 0,
    gatewayOrg: 'acme',
    organisations: [
      { id: 'acme', name: 'Acme' },
      { id: 'guest', name: 'Guest' },
    ],
    members: [
      { org: 'acme', name: 'ana', role: 'owner', incarnation: 1 },
      { org: 'acme', name: 'mia', role: 'member', incarnation: 1 },
      { org: 'guest', name: 'ben', role: 'admin', incarnation: 1 },
    ],
    keys: [
      { org: 'acme', name: 'scada', member: 'ana', hash: hashOf('a-key') },
      { org: 'acme', name: 'wall', member: 'mia', hash: hashOf('m-key') },
      { org: 'guest', name: 'red', member: 'ben', hash: hashOf('b-key') },
    ],
    devices: [
      { id: 'tilt', org: 'acme', ownerEpoch: 1, custodian: null, workspace: null },
      { id: 'level', org: 'guest', ownerEpoch: 1, custodian: null, workspace: null },
    ],
    shares: [
      { id: 's1', device: 'tilt', sensor: 'main', to: { org: 'guest', member: null }, level: 'viewer' },
    ],
    critical: [],
    ...change,
  }
}

function policyWith(change: Change = {}, anonymous: 'none' | 'read' = 'none'): LocalPolicy {
  const policy = new LocalPolicy({ gateway, anonymous, when })
  policy.apply(snapshotWith(change))
  return policy
}

const LOGINS = {
  ana: ['acme:scada', 'a-key'],
  mia: ['acme:wall', 'm-key'],
  ben: ['guest:red', 'b-key'],
} as const
type Who = keyof typeof LOGINS | 'anonymous'

const from = { clientId: 'c', remote: 'test', transport: 'tcp', certificate: null } as const

async function principalOf(policy: LocalPolicy, who: Who): Promise<LocalPrincipal> {
  const [username, key] = who === 'anonymous' ? [null, null] : LOGINS[who]
  const password = key === null ? null : Buffer.from(key)
  const answer = await policy.connect({ ...from, username, password })
  if (!answer.allowed) throw new Error(answer.because)
  return answer.principal
}

describe('a client certificate', () => {
  const cases: [what: string, commonName: string | null, username: string | null, expected: string][] = [
    ['stands for the key of its name', 'acme:scada', null, 'acme:scada/ana/1'],
    ['may be named again', 'acme:scada', 'acme:scada', 'acme:scada/ana/1'],
    ['stands for nobody else', 'acme:scada', 'guest:red', 'bad-credentials'],
    ['with no name is nobody', null, null, 'bad-credentials'],
    ['with no name is not who it says', null, 'acme:scada', 'bad-credentials'],
    ['of an unknown name is nobody', 'acme:nobody', null, 'bad-credentials'],
    ['of a member without a key is nobody', 'acme:ana', null, 'bad-credentials'],
    ['of another organisation is nobody', 'guest:scada', null, 'bad-credentials'],
  ]
  const certificateOf = (commonName: string | null): ClientCertificate => ({
    commonName,
    subjectAltNames: ['DNS:acme:scada'],
    fingerprint256: 'AB',
    serialNumber: '01',
  })
  test.for(cases)('%s', async ([, commonName, username, expected]) => {
    const policy = policyWith({}, 'read')
    const certificate = certificateOf(commonName)
    const answer = await policy.connect({ ...from, transport: 'tls', certificate, username, password: null })
    expect(answer.allowed ? answer.principal.id : answer.because).toBe(expected)
  })

  test('is not looked at beside a password, right or wrong', async () => {
    const policy = policyWith()
    const certificate = certificateOf('acme:scada')
    const login = (password: string) =>
      policy.connect({ ...from, certificate, username: 'guest:red', password: Buffer.from(password) })
    expect(await login('b-key')).toMatchObject({ principal: { id: 'guest:red/ben/1' } })
    expect(await login('a-key')).toMatchObject({ allowed: false, because: 'bad-credentials' })
  })

  test('is gone with its member, and not with the key it never had', async () => {
    const policy = policyWith()
    const login = { ...from, certificate: certificateOf('acme:scada'), username: null, password: null }
    const answer = await policy.connect(login)
    if (!answer.allowed) throw new Error(answer.because)
    const key = { org: 'acme', name: 'scada', member: 'ana', hash: hashOf('new-key') }
    policy.apply(snapshotWith({ keys: [key] }))
    expect(policy.isGone(answer.principal)).toBe(false)
    policy.apply(snapshotWith({ members: [] }))
    expect(policy.isGone(answer.principal)).toBe(true)
  })
})

describe('a login', () => {
  const cases: [what: string, username: string | null, password: string | null, expected: string][] = [
    ['a key of a member is let in', 'acme:scada', 'a-key', 'acme:scada/ana/1'],
    ['a wrong key is not', 'acme:scada', 'b-key', 'bad-credentials'],
    ['no password is not', 'acme:scada', null, 'bad-credentials'],
    ['an unknown name is told the same', 'acme:nobody', 'a-key', 'bad-credentials'],
    ['a key of another organisation is not', 'guest:scada', 'a-key', 'bad-credentials'],
    ['a member without a key is not', 'acme:ana', 'a-key', 'bad-credentials'],
    ['a name that is no login is not', 'scada', 'a-key', 'bad-credentials'],
    ['nobody at all is refused unless the configuration says so', null, null, 'not-authorised'],
  ]
  test.for(cases)('%s', async ([, username, password, expected]) => {
    const policy = policyWith()
    const answer = await policy.connect({
      ...from,
      username,
      password: password === null ? null : Buffer.from(password),
    })
    expect(answer.allowed ? answer.principal.id : answer.because).toBe(expected)
  })

  test('without a snapshot everybody is put off, with the right key too', async () => {
    const policy = new LocalPolicy({ gateway, anonymous: 'read', when })
    for (const who of ['ana', 'anonymous'] as const) {
      await expect(principalOf(policy, who)).rejects.toThrow('unavailable')
    }
  })
})

describe('who receives what', () => {
  const own = 'headgate/GW-1'
  const cases: [topic: string, who: Who[]][] = [
    [`${own}/tilt/main/readings`, ['ana', 'ben', 'anonymous']],
    [`${own}/tilt/other/readings`, ['ana', 'anonymous']],
    [`${own}/level/main/readings`, ['ben']],
    [`${own}/tilt/status`, ['ana']],
    [`${own}/level/status`, ['ana', 'ben']],
    [`${own}/status`, ['ana', 'mia']],
    [`${own}/tilt/cmd`, ['ana']],
    [`${own}/tilt/cmd/result`, ['ana']],
    [`${own}/tilt/in`, ['ana']],
    [`${own}/nothing/main/readings`, []],
    ['headgate/GW-2/tilt/main/readings', []],
    ['headgate/GW-1/tilt/main/readings/more', []],
    ['anything', []],
  ]
  test.for(cases)('%s', async ([topic, expected]) => {
    const policy = policyWith({}, 'read')
    const everybody = ['ana', 'mia', 'ben', 'anonymous'] as const
    const receivers: Who[] = []
    for (const who of everybody) {
      if (policy.mayReceive(await principalOf(policy, who), topic)) receivers.push(who)
    }
    expect(receivers).toEqual(expected)
  })

  test('a decision that is remembered goes with the snapshot', async () => {
    const policy = policyWith()
    const ben = await principalOf(policy, 'ben')
    const topic = `${own}/tilt/main/readings`
    expect(policy.mayReceive(ben, topic)).toBe(true)
    policy.apply(snapshotWith({ shares: [] }))
    expect(policy.mayReceive(ben, topic)).toBe(false)
    policy.apply(undefined)
    expect(policy.mayReceive(ben, `${own}/level/main/readings`)).toBe(false)
  })
})

describe('who subscribes to what', () => {
  const cases: [filter: string, who: Who, expected: boolean][] = [
    ['#', 'ben', true],
    ['headgate/+/#', 'ben', true],
    ['+/GW-1/+/+/readings', 'mia', true],
    ['headgate/GW-1/tilt/main/readings', 'ben', true],
    ['headgate/GW-1/tilt/other/readings', 'ben', false],
    ['headgate/GW-2/#', 'ben', false],
    ['other/#', 'ana', false],
  ]
  test.for(cases)('%s by %s: %s', async ([filter, who, expected]) => {
    const policy = policyWith()
    expect(policy.maySubscribe(await principalOf(policy, who), filter)).toBe(expected)
  })
})

describe('who publishes what', () => {
  const cases: [topic: string, retain: boolean, who: Who, expected: string][] = [
    ['headgate/GW-1/tilt/in', false, 'ana', 'allow'],
    ['headgate/GW-1/tilt/cmd', false, 'ana', 'allow'],
    ['headgate/GW-1/tilt/cmd', true, 'ana', 'quarantine'],
    ['headgate/GW-1/tilt/cmd/result', false, 'ana', 'quarantine'],
    ['headgate/GW-1/tilt/main/readings', false, 'ana', 'quarantine'],
    ['headgate/GW-1/tilt/status', false, 'ana', 'quarantine'],
    ['headgate/GW-1/level/in', false, 'ana', 'quarantine'],
    ['headgate/GW-1/level/in', false, 'ben', 'allow'],
    ['headgate/GW-1/tilt/cmd', false, 'ben', 'quarantine'],
    ['headgate/GW-1/tilt/in', false, 'mia', 'quarantine'],
    ['headgate/GW-1/tilt/in', false, 'anonymous', 'quarantine'],
    ['headgate/GW-2/tilt/in', false, 'ana', 'quarantine'],
    ['anything', false, 'ana', 'quarantine'],
  ]
  test.for(cases)('%s, retained %s, by %s: %s', async ([topic, retain, who, expected]) => {
    const policy = policyWith({}, 'read')
    const principal = await principalOf(policy, who)
    expect(policy.mayPublish(principal, { topic, retain, qos: 1, payloadBytes: 1 })).toBe(expected)
  })
})

describe('who is gone after a new snapshot', () => {
  const before = contentWith()
  const cases: [what: string, change: Change, gone: boolean][] = [
    ['nothing changed', {}, false],
    ['the key was removed', { keys: before.keys.slice(1) }, true],
    [
      'the key was replaced',
      { keys: [{ ...before.keys[0], hash: hashOf('new') }, ...before.keys.slice(1)] },
      true,
    ],
    ['the member was removed', { members: before.members.slice(1) }, true],
    [
      'the member came back as another',
      { members: [{ ...before.members[0], incarnation: 2 }, ...before.members.slice(1)] },
      true,
    ],
    ['a share ended', { shares: [] }, false],
  ]
  test.for(cases)('%s: %s', async ([, change, gone]) => {
    const policy = policyWith()
    const ana = await principalOf(policy, 'ana')
    policy.apply(snapshotWith(change))
    expect(policy.isGone(ana)).toBe(gone)
  })
})

describe('at the gateway’s own broker', () => {
  const clients: MqttClient[] = []
  let broker: Broker<LocalPrincipal> | undefined
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.endAsync(true)))
    await broker?.stop()
  })

  test('a revoked share ends what a guest sees at once, and a removed member is put out', async () => {
    const policy = policyWith()
    const quiet = (): void => undefined
    broker = createBroker({
      listen: ['tcp://127.0.0.1:0'],
      policy,
      log: { info: quiet, warn: quiet, error: quiet },
    })
    await broker.start(new AbortController().signal)
    const connect = async (who: 'ana' | 'ben'): Promise<{ client: MqttClient; seen: string[] }> => {
      const [username, password] = LOGINS[who]
      const url = broker?.addresses()[0] ?? ''
      const client = await mqtt.connectAsync(url, { username, password, reconnectPeriod: 0 }, false)
      clients.push(client)
      const seen: string[] = []
      client.on('message', (topic, payload) =>
        seen.push(`${topic.split('/').slice(2).join('/')} ${payload.toString()}`),
      )
      await client.subscribeAsync('#', { qos: 1 })
      return { client, seen }
    }
    const [ana, ben] = [await connect('ana'), await connect('ben')]
    const publish = async (text: string): Promise<void> => {
      for (const device of ['tilt', 'level']) {
        const topic = `headgate/GW-1/${device}/main/readings`
        await broker?.publish({ topic, payload: Buffer.from(text), qos: 1, retain: false })
      }
    }
    await publish('1')
    policy.apply(snapshotWith({ shares: [] }))
    await broker.closeSessions(policy.isGone)
    await publish('2')
    const closed = new Promise<void>((resolve) => {
      ana.client.once('close', () => {
        resolve()
      })
    })
    policy.apply(snapshotWith({ shares: [], members: contentWith().members.slice(1) }))
    await broker.closeSessions(policy.isGone)
    await closed
    await publish('3')
    await expect.poll(() => ben.seen).toContain('level/main/readings 3')
    expect(ana.seen).toEqual(['tilt/main/readings 1', 'tilt/main/readings 2'])
    expect(ben.seen).toEqual([
      'tilt/main/readings 1',
      'level/main/readings 1',
      'level/main/readings 2',
      'level/main/readings 3',
    ])
  })
})
