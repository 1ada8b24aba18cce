import type { Socket } from 'node:net'
import mqtt, { type MqttClient } from 'mqtt'
import { type Broker, createBroker } from '../../broker/index.ts'
import type { LocalPrincipal } from '../../agent/policy/local-policy.ts'
import { filterMatches } from '../../broker/topics.ts'
import {
  DeliveryWorld,
  keyOf,
  type Login,
  MEMBERS,
  ORGS,
  seeded,
  type Shown,
  TOPICS,
} from '../support/delivery-world.ts'
import { type Harness, scaled } from '../support/harness.ts'

const STEPS = 20_000
const CONTROL_STEPS = 200
const SEED = 20_261_121
const WAIT_MS = 5_000
/** From the snapshot to the end of a removed member's connection. */
const REVOCATION_MS_MAX = 1_000

const FILTERS = [
  '#',
  'headgate/+/#',
  'headgate/GW-1/+/main/readings',
  'headgate/GW-1/d0/#',
  ...TOPICS.slice(0, 6).map(({ topic }) => topic),
]

interface Message {
  readonly id: string
  readonly shown: Shown
  readonly qos: 0 | 1
}

/** One program of a member: what it is connected with, and what the model says it is owed. */
class Watcher {
  readonly who: Login
  readonly persistent: boolean
  client: MqttClient | undefined
  /** Granted filters with their quality of service. */
  readonly granted = new Map<string, 0 | 1>()
  /** Queued for its stored session, in order. */
  queue: Message[] = []
  /** Since the last look. */
  readonly received = new Set<string>()
  /**
   * What may come without being owed, if it is allowed at that moment: QoS 1 messages again where the connection broke
   * before their PUBACK, retained ones that were not allowed yet when the subscription began to read them, and what waited
   * for a session and was not allowed yet when it came back.
   */
  readonly possible = new Set<string>()

  constructor(who: Login, persistent: boolean) {
    this.who = who
    this.persistent = persistent
  }

  get name(): string {
    return `${this.who.org}:${this.who.name}${this.persistent ? '-kept' : ''}`
  }

  hears(topic: string, qosLeast: 0 | 1): boolean {
    return [...this.granted].some(([filter, qos]) => qos >= qosLeast && filterMatches(filter, topic))
  }

  forget(): void {
    this.granted.clear()
    this.queue = []
  }
}

export interface Tally {
  steps: number
  published: number
  delivered: number
  /** Of those, allowed but not owed at that step: a repetition, or a retained message read late. */
  late: number
  leaks: number
  missing: number
  revocations: number
  /** Milliseconds from a snapshot to the end of a removed member's connection. */
  readonly revokedAfterMs: number[]
  /** The first few that went wrong. */
  readonly examples: string[]
}

/**
 * Publishes, connects, leaves, subscribes and changes rights at random; after each step every connection must have
 * received exactly what `decide` allows at that moment.
 */
class Run {
  readonly tally: Tally = {
    steps: 0,
    published: 0,
    delivered: 0,
    late: 0,
    leaks: 0,
    missing: 0,
    revocations: 0,
    revokedAfterMs: [],
    examples: [],
  }
  readonly #random: () => number
  readonly #world: DeliveryWorld
  readonly #broker: Broker<LocalPrincipal>
  readonly #watchers: Watcher[]
  readonly #shown = new Map<string, Shown>()
  readonly #retained = new Map<string, Message>()

  constructor(seed: number, flaw: 'none' | 'open') {
    this.#random = seeded(seed)
    this.#world = new DeliveryWorld(this.#random, flaw)
    const quiet = (): void => undefined
    this.#broker = createBroker({
      listen: ['tcp://127.0.0.1:0'],
      policy: this.#world.policy,
      log: { info: quiet, warn: quiet, error: quiet },
    })
    this.#watchers = ORGS.flatMap((org) =>
      MEMBERS.flatMap((name) => [new Watcher({ org, name }, false), new Watcher({ org, name }, true)]),
    )
  }

  async run(steps: number, progress: (text: string) => void): Promise<Tally> {
    await this.#broker.start(new AbortController().signal)
    try {
      for (this.tally.steps = 0; this.tally.steps < steps; this.tally.steps += 1) {
        await this.#step()
        if (this.tally.steps % 1_000 === 999) progress(`${this.tally.steps + 1} of ${steps} steps`)
      }
    } finally {
      for (const { client } of this.#watchers) await client?.endAsync(true)
      await this.#broker.stop()
    }
    return this.tally
  }

  async #step(): Promise<void> {
    const dice = this.#random()
    const watcher = this.#pick(this.#watchers)
    if (dice < 0.6) await this.#publish()
    else if (dice < 0.75) await this.#change()
    else if (watcher.client === undefined) await this.#connect(watcher)
    else if (dice < 0.9) await this.#subscribe(watcher, watcher.client)
    else await this.#leave(watcher, watcher.client)
  }

  async #publish(): Promise<void> {
    const shown = this.#pick(TOPICS)
    const qos = this.#random() < 0.7 ? 1 : 0
    const message: Message = { id: `m${this.tally.published}`, shown, qos }
    const retain = this.#random() < 0.3
    this.#shown.set(message.id, shown)
    this.tally.published += 1
    await this.#broker.publish({ topic: shown.topic, payload: Buffer.from(message.id), qos, retain })
    if (retain) this.#retained.set(shown.topic, message)
    await Promise.all(
      this.#watchers.map((watcher) => {
        const allowed = this.#world.shows(watcher.who, shown)
        if (watcher.client !== undefined) {
          return this.#settle(watcher, allowed && watcher.hears(shown.topic, 0) ? [message] : [])
        }
        if (watcher.persistent && allowed && qos === 1 && watcher.hears(shown.topic, 1)) {
          watcher.queue.push(message)
        }
        return Promise.resolve()
      }),
    )
  }

  async #change(): Promise<void> {
    this.#world.change()
    const began = performance.now()
    const gone = this.#watchers.filter(({ who }) => !this.#world.mayLogIn(who))
    const closing = gone.flatMap(({ client }) => (client === undefined ? [] : [closed(client)]))
    await this.#broker.closeSessions((principal) => this.#world.isGone(principal))
    for (const close of closing) {
      await close
      this.tally.revokedAfterMs.push(performance.now() - began)
    }
    this.tally.revocations += 1
    for (const watcher of gone) {
      watcher.forget()
      watcher.client = undefined
    }
    await Promise.all(this.#watchers.map((watcher) => this.#settle(watcher, [])))
  }

  async #connect(watcher: Watcher): Promise<void> {
    const { who, persistent, name } = watcher
    if (!this.#world.mayLogIn(who)) return
    const client = mqtt.connect(this.#broker.addresses()[0] ?? '', {
      clientId: name.replace(':', '-'),
      clean: !persistent,
      username: `${who.org}:${who.name}`,
      password: keyOf(who),
      reconnectPeriod: 0,
    })
    // Before the connection: what waited may come in one read with the CONNACK.
    client.on('message', (_topic, payload) => {
      watcher.received.add(payload.toString())
    })
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => {
        resolve()
      })
      client.once('error', reject)
    })
    watcher.client = client
    // Each step waits for small answers: Nagle's algorithm would make it 40 ms long.
    ;(client.stream as Socket).setNoDelay(true)
    // The broker gives a client a moment before it resumes; a right may come back in it.
    for (const { id } of watcher.queue) watcher.possible.add(id)
    const owed = watcher.queue.filter(({ shown }) => this.#world.shows(who, shown))
    watcher.queue = []
    await this.#settle(watcher, owed)
  }

  async #subscribe(watcher: Watcher, client: MqttClient): Promise<void> {
    const filter = this.#pick(FILTERS)
    const qos = this.#random() < 0.7 ? 1 : 0
    try {
      await client.subscribeAsync(filter, { qos })
    } catch {
      // Refused with 0x80: nothing is granted, and what was granted before stands.
      await this.#settle(watcher, [])
      return
    }
    watcher.granted.set(filter, qos)
    const retained = [...this.#retained.values()].filter(({ shown }) => filterMatches(filter, shown.topic))
    for (const { id } of retained) watcher.possible.add(id)
    const owed = retained.filter(({ shown }) => this.#world.shows(watcher.who, shown))
    await this.#settle(watcher, owed)
  }

  async #leave(watcher: Watcher, client: MqttClient): Promise<void> {
    await client.endAsync(this.#random() < 0.5)
    const connected = this.#watchers.filter((other) => other.client !== undefined).length - 1
    watcher.client = undefined
    if (!watcher.persistent) watcher.forget()
    await untilTrue(() => this.#broker.stats().clients === connected)
  }

  /** Waits until what is owed is there; whatever else came since the last time is a leak. */
  async #settle(watcher: Watcher, owed: readonly Message[]): Promise<void> {
    const { client, received } = watcher
    if (client === undefined) return
    await untilTrue(() => owed.every(({ id }) => received.has(id)))
    // An answer to this comes after everything that was written before.
    await client.unsubscribeAsync('headgate/none')
    const ids = new Set(owed.map(({ id }) => id))
    for (const id of ids) if (!received.has(id)) this.#note('missing', watcher, id)
    for (const id of received)
      if (!ids.has(id) && !this.#isPossible(watcher, id)) this.#note('leaks', watcher, id)
    for (const id of received) watcher.possible.add(id)
    this.tally.delivered += received.size
    received.clear()
  }

  #isPossible(watcher: Watcher, id: string): boolean {
    const shown = this.#shown.get(id)
    const may = shown !== undefined && watcher.possible.has(id) && this.#world.shows(watcher.who, shown)
    if (may) this.tally.late += 1
    return may
  }

  #note(what: 'missing' | 'leaks', watcher: Watcher, id: string): void {
    this.tally[what] += 1
    if (this.tally.examples.length < 5) {
      this.tally.examples.push(`step ${this.tally.steps}: ${what} ${id} at ${watcher.name}`)
    }
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T
  }
}

const closed = (client: MqttClient): Promise<void> =>
  new Promise((resolve) => {
    client.once('close', () => {
      resolve()
    })
  })

async function untilTrue(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!isTrue() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1))
}

const at = (sorted: readonly number[], share: number): number =>
  Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 10) / 10

export const harness: Harness = {
  what: 'Every client of the gateway’s broker receives exactly what its rights allow at that moment, while rights change at random.',
  async run(context) {
    const tally = await new Run(SEED, 'none').run(scaled(STEPS, context.scale), (text) => {
      context.progress(text)
    })
    const control = await new Run(SEED, 'open').run(CONTROL_STEPS, () => undefined)
    const { revokedAfterMs, examples, ...counts } = tally
    const sorted = revokedAfterMs.sort((a, b) => a - b)
    const figures = {
      seed: SEED,
      ...counts,
      revokedConnections: sorted.length,
      revocationMsP50: at(sorted, 0.5),
      revocationMsP99: at(sorted, 0.99),
      controlLeaks: control.leaks,
    }
    const failures = [...examples]
    if (tally.leaks > 0) failures.push(`${tally.leaks} deliveries that were not allowed`)
    if (tally.missing > 0) failures.push(`${tally.missing} deliveries that were owed did not come`)
    if (at(sorted, 0.99) > REVOCATION_MS_MAX)
      failures.push('a removed member stayed connected for over a second')
    if (control.leaks === 0) failures.push('a broker that shows everything was not found out')
    return { figures, failures }
  },
}
