import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync, type MqttClient } from 'mqtt'
import { openKeys } from '../../cloud-sync/cloud/keys/index.ts'
import { openDirectoryStore } from '../../cloud-sync/cloud/storage/index.ts'
import { keyIdOf, openChangeAck, openSnapshot, shardOf } from '../../cloud-sync/codec/index.ts'
import {
  type ChangeVerdict,
  downFilter,
  type GatewayChange,
  parseLinkTopic,
  type PolicySnapshot,
  upTopic,
} from '../../cloud-sync/contract/index.ts'
import { bodyOf, ChangesAtGateway } from '../support/changes-at-gateway.ts'
import { writeDirectory } from '../support/cloud-fixture.ts'
import { type CloudProcess, type Defer, spawnCloud, writeConfig } from '../support/cloud-process.ts'
import { seeded } from '../support/delivery-world.ts'
import { type FakeGateway, fakeGateway } from '../support/fake-gateway.ts'
import { freePort } from '../support/free-port.ts'
import { type Harness, type HarnessContext, type Outcome, scaled } from '../support/harness.ts'

const KILLS = 50
/** Made at the gateway for each life of the cloud: shares and their ends in turn. */
const CHANGES_A_LIFE = 6
/** From the first change on its way to the kill, ms at most: taking one is some tens. */
const LIFE_MS_MAX = 400
const JUDGED_MS_MAX = 60_000
const SEED = 20_261_122

type Heard = (verdicts: readonly ChangeVerdict[], upTo: number) => void

/** A gateway on its link to one life of the cloud. */
class Link {
  readonly #gateway: FakeGateway
  readonly #client: MqttClient
  readonly #heard: Heard
  policy: Uint8Array | undefined

  private constructor(gateway: FakeGateway, client: MqttClient, heard: Heard) {
    this.#gateway = gateway
    this.#client = client
    this.#heard = heard
  }

  static async open(
    gateway: FakeGateway,
    { cloud, signer, heard }: { cloud: CloudProcess; signer: string; heard: Heard },
  ): Promise<Link> {
    const client = await connectAsync(cloud.mqtt, {
      clientId: gateway.id,
      username: gateway.id,
      password: gateway.password(),
      reconnectPeriod: 0,
    })
    const link = new Link(gateway, client, heard)
    const publicKeyFor = (id: string) => (id === keyIdOf(signer) ? signer : undefined)
    client.on('error', () => undefined)
    client.on('message', (topic, payload) => {
      const kind = parseLinkTopic(topic)?.kind
      if (kind === 'pol/d') link.policy = payload
      if (kind !== 'ack/prop') return
      const opened = openChangeAck({ gateway: gateway.id, message: payload, publicKeyFor })
      if (opened.ok) link.#heard(opened.ack.verdicts, opened.ack.upTo)
    })
    await client.subscribeAsync(downFilter(shardOf(gateway.id), gateway.id), { qos: 1 })
    return link
  }

  async ask(): Promise<Uint8Array> {
    const want = { have: 0, want: true, applied: 0 }
    const message = this.#gateway.sign('want', Buffer.from(JSON.stringify(want)))
    await this.#publish('pol', message)
    const late = Date.now() + JUDGED_MS_MAX
    while (this.policy === undefined && Date.now() < late) await sleep(10)
    return this.policy ?? new Uint8Array()
  }

  /** What the cloud dies of is sent again in its next life. */
  send(change: GatewayChange): void {
    this.#publish('prop', this.#gateway.sign('prop', bodyOf(change))).catch(() => undefined)
  }

  async #publish(kind: 'pol' | 'prop', message: Uint8Array): Promise<void> {
    const topic = upTopic(shardOf(this.#gateway.id), this.#gateway.id, kind)
    await this.#client.publishAsync(topic, Buffer.from(message), { qos: 1 })
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true)
  }
}

/** All that the gateway has made, and what it heard of it. */
class Pending {
  readonly made: GatewayChange[] = []
  readonly verdicts = new Map<number, string>()
  readonly failures: string[] = []
  upTo = 0

  readonly heard: Heard = (verdicts, upTo) => {
    for (const { seq, state, because } of verdicts) {
      const verdict = `${state} ${because ?? ''}`.trim()
      const before = this.verdicts.get(seq) ?? verdict
      if (before !== verdict) this.failures.push(`change ${seq}: ${before}, then ${verdict}`)
      this.verdicts.set(seq, verdict)
    }
    this.upTo = Math.max(this.upTo, upTo)
  }

  async until(upTo: number): Promise<void> {
    const late = Date.now() + JUDGED_MS_MAX
    while (this.upTo < upTo && Date.now() < late) await sleep(1)
  }

  unheard(): readonly GatewayChange[] {
    return this.made.slice(this.upTo)
  }
}

async function killed(folder: string, { scale, progress }: HarnessContext, defer: Defer): Promise<Outcome> {
  const kills = scaled(KILLS, scale, 2)
  const keys = openKeys(join(folder, 'data'))
  const gateway = fakeGateway('GW-1', keys.cloudId)
  const config = writeConfig(folder, writeDirectory(folder, [gateway]), await freePort())
  const random = seeded(SEED)
  const pending = new Pending()
  const live = async (): Promise<{ cloud: CloudProcess; link: Link }> => {
    const cloud = await spawnCloud(config, defer)
    const link = await Link.open(gateway, { cloud, signer: keys.signing.publicKey, heard: pending.heard })
    defer(() => link.end())
    return { cloud, link }
  }
  let edge: ChangesAtGateway | undefined
  /** Kills that came when some were judged and others were not. */
  let inTheMiddle = 0
  for (let kill = 0; kill < kills; kill += 1) {
    const { cloud, link } = await live()
    const policy = await policyOf(link, { gateway, trust: keys.rootPublicKey })
    edge ??= new ChangesAtGateway(policy)
    edge.hears(policy)
    for (let at = 0; at < CHANGES_A_LIFE; at += 2)
      pending.made.push(edge.share('acme:ana', 'acme:bob'), edge.revoke('acme:ana', 'acme:bob'))
    const before = pending.upTo
    for (const change of pending.unheard()) link.send(change)
    // In turn after some time, whatever was done in it, and after some verdict, with the next change being taken.
    if (kill % 2 === 0) await sleep(random() * LIFE_MS_MAX)
    else await pending.until(before + Math.ceil(random() * (CHANGES_A_LIFE - 1)))
    await cloud.end('SIGKILL')
    await link.end()
    if (pending.upTo > before && pending.unheard().length > 0) inTheMiddle += 1
    progress(`kill ${kill + 1} of ${kills}: ${pending.upTo} of ${pending.made.length} judged`)
  }
  const { cloud, link } = await live()
  const late = Date.now() + JUDGED_MS_MAX
  while (pending.unheard().length > 0 && Date.now() < late) {
    for (const change of pending.unheard()) link.send(change)
    await sleep(1_000)
  }
  await link.end()
  await cloud.end('SIGTERM')
  return reckon(folder, pending, { kills, inTheMiddle })
}

async function policyOf(
  link: Link,
  { gateway, trust }: { gateway: FakeGateway; trust: string },
): Promise<PolicySnapshot> {
  const bytes = await link.ask()
  const asked = { rootPublicKey: trust, gateway: gateway.id, bytes, newestKeyset: undefined }
  const opened = openSnapshot(asked)
  if (!opened.ok) throw new Error(`the first policy is ${opened.because}`)
  return opened.snapshot
}

/** Each change is there once, with one line of audit; of the shares none is left. */
async function reckon(
  folder: string,
  pending: Pending,
  counts: { kills: number; inTheMiddle: number },
): Promise<Outcome> {
  const { made, verdicts, failures } = pending
  const store = await openDirectoryStore({
    dialect: 'sqlite',
    path: join(folder, 'data', 'organisations.db'),
  })
  try {
    const holds = (what: string, got: unknown, wanted: unknown): void => {
      if (JSON.stringify(got) !== JSON.stringify(wanted))
        failures.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`)
    }
    const taken = await store.read.find('gateway_change', { gateway: 'GW-1' }, { orderBy: ['seq'] })
    holds(
      'every change once',
      taken.map(({ seq }) => seq),
      made.map((_, at) => at + 1),
    )
    holds('accepted', [...new Set(verdicts.values())], ['accepted'])
    holds('lines of audit', (await store.read.find('audit', { what: 'gateway.change' })).length, made.length)
    const grants = await store.read.find('grant', { resource: 'GW-1/tilt-1' })
    holds('shares', grants.length, made.length / 2)
    holds('of them left', grants.filter(({ state }) => state !== 'revoked').length, 0)
    return { figures: { seed: SEED, ...counts, changes: made.length, judged: verdicts.size }, failures }
  } finally {
    await store.close()
  }
}

export const harness: Harness = {
  what: 'A cloud killed while it takes the changes of a gateway has, in the end, every one of them once and in its order.',
  async run(context) {
    const cleanUps: Parameters<Defer>[0][] = []
    const folder = mkdtempSync(join(tmpdir(), 'headgate-change-kills-'))
    try {
      return await killed(folder, context, (cleanUp) => void cleanUps.push(cleanUp))
    } finally {
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
