import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrokerProcess, startHeadgateBroker } from '../support/broker-process.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { untilTrue } from '../support/raw-client.ts'
import { type Message, SessionPublisher, SessionSubscriber } from '../support/session-clients.ts'

const ROUNDS = 50
const MESSAGES = 2_000
const TWICE_MESSAGES = 200
const RETAINED_TOPICS = 20
/** What a subscriber does while the broker is killed. */
const MODES = ['away', 'acknowledging', 'hanging'] as const
const DENIED = 'kill/+'

/** Everything that outlives the broker. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'headgate-broker-kills-'))
  readonly publisher = new SessionPublisher('publisher')
  readonly twicePublisher = new SessionPublisher('publisher-2')
  readonly kept = new SessionSubscriber({ clientId: 'kept', filters: ['kill/#', 'keep/#'], qos: 1 })
  readonly twice = new SessionSubscriber({ clientId: 'twice', filters: ['twice/#'], qos: 2 })
  // Both filters in one packet: the session is stored for the one that is allowed.
  readonly denied = new SessionSubscriber({ clientId: 'denied', filters: [DENIED, 'other/#'], qos: 1 })
  readonly failures: string[] = []
  /** Topic to the last number of it that was acknowledged. */
  readonly retained = new Map<string, number>()
  #broker: BrokerProcess | undefined
  #numbers = 0

  get broker(): BrokerProcess {
    if (this.#broker === undefined) throw new Error('the broker is not started')
    return this.#broker
  }

  async start(): Promise<void> {
    this.#broker = await startHeadgateBroker({ data: this.folder, args: ['--deny-subscribe', DENIED] })
  }

  /** Messages with the next numbers; each tenth is retained. */
  messages(count: number, prefix: string, qos: (at: number) => 0 | 1 | 2): Message[] {
    return Array.from({ length: count }, (_, at) => {
      const number = (this.#numbers += 1)
      const retain = prefix === 'kill' && at % 10 === 0
      const topic = retain ? `keep/${(at / 10) % RETAINED_TOPICS}` : `${prefix}/${at % 7}`
      return { topic, number, qos: qos(at), retain }
    })
  }

  async end(): Promise<void> {
    for (const client of [this.publisher, this.twicePublisher, this.kept, this.twice, this.denied])
      client.destroy()
    await this.#broker?.end('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export const harness: Harness = {
  what: 'kill -9 after PUBACK: every acknowledged message is there after the restart, QoS 2 exactly once, nothing refused is delivered.',
  async run({ scale, progress }) {
    const rounds = scaled(ROUNDS, scale, MODES.length)
    const messages = scale >= 1 ? MESSAGES : 400
    const world = new World()
    const figures = {
      rounds,
      acknowledged: 0,
      missing: 0,
      again: 0,
      twiceWrong: 0,
      leaked: 0,
      retainedWrong: 0,
    }
    try {
      await world.start()
      figures.acknowledged += await mixed(world, messages)
      await subscribeAll(world)
      // After a fault every further round would only wait for what never comes.
      for (let round = 0; round < rounds && verdictOn(figures, world.failures).length === 0; round += 1) {
        await oneRound(world, { round, messages, figures })
        progress(
          `${round + 1} of ${rounds} kills, ${figures.acknowledged} acknowledged, ${figures.missing} missing`,
        )
      }
      const code = await world.broker.end()
      if (code !== 0) world.failures.push(`the broker ended with ${String(code)}`)
    } finally {
      await world.end()
    }
    return { figures, failures: verdictOn(figures, world.failures) }
  },
}

function verdictOn(figures: Round['figures'], failures: readonly string[]): string[] {
  const { missing, twiceWrong, leaked, retainedWrong } = figures
  const found = [...failures]
  if (missing > 0) found.push(`${missing} acknowledged messages never came`)
  if (twiceWrong > 0) found.push(`${twiceWrong} messages of QoS 2 did not come exactly once`)
  if (leaked > 0) found.push(`${leaked} messages of a refused subscription came`)
  if (retainedWrong > 0) found.push(`${retainedWrong} retained messages are not the last acknowledged ones`)
  return found
}

/** QoS 0 and 1 from one publisher to live and persistent subscribers of either; how many were acknowledged. */
async function mixed(world: World, count: number): Promise<number> {
  const { port } = world.broker
  const publisher = new SessionPublisher('mixed-publisher')
  const subscribers = ([0, 1] as const).flatMap((qos) =>
    [true, false].map(
      (clean) =>
        new SessionSubscriber({
          clientId: `mixed-${qos}-${clean ? 'live' : 'kept'}`,
          filters: ['mixed/#'],
          qos,
          clean,
        }),
    ),
  )
  const away = new SessionSubscriber({ clientId: 'mixed-away', filters: ['mixed/#'], qos: 1 })
  for (const subscriber of [...subscribers, away]) {
    await subscriber.connect(port)
    await subscriber.subscribe()
  }
  away.destroy()
  await publisher.connect(port)
  publisher.publish(world.messages(count, 'mixed', (at) => (at % 2 === 0 ? 0 : 1)))
  if (!(await untilTrue(() => publisher.isDone)))
    world.failures.push('mixed: not everything was acknowledged')
  await away.connect(port)
  for (const [at, subscriber] of [...subscribers, away].entries()) {
    const lacks = (): number =>
      [...publisher.acknowledged].filter((number) => !subscriber.seen.has(number)).length
    if (!(await untilTrue(() => lacks() === 0)))
      world.failures.push(`mixed: subscriber ${at} lacks ${lacks()}`)
    subscriber.destroy()
  }
  publisher.destroy()
  return publisher.acknowledged.size
}

async function subscribeAll({ broker, kept, twice, denied, failures }: World): Promise<void> {
  for (const [subscriber, codes] of [
    [kept, '1,1'],
    [twice, '2'],
    [denied, '128,1'],
  ] as const) {
    await subscriber.connect(broker.port)
    const granted = String(await subscriber.subscribe())
    if (granted !== codes) failures.push(`SUBACK ${granted} instead of ${codes}`)
  }
  denied.destroy()
}

interface Round {
  readonly round: number
  readonly messages: number
  readonly figures: {
    acknowledged: number
    missing: number
    again: number
    twiceWrong: number
    leaked: number
    retainedWrong: number
  }
}

async function oneRound(world: World, { round, messages, figures }: Round): Promise<void> {
  const { publisher, twicePublisher, kept, twice, retained } = world
  const mode = MODES[round % MODES.length] ?? 'away'
  for (const subscriber of [kept, twice]) {
    subscriber.acknowledges = mode !== 'hanging'
    if (mode === 'away') subscriber.destroy()
  }
  // Every other time at once after the last PUBACK, else somewhere before, in steps that share no factor with the window.
  const killAt = round % 2 === 0 ? messages : 1 + ((round * 397) % (messages - 1))
  await publisher.connect(world.broker.port)
  await twicePublisher.connect(world.broker.port)
  const sent = world.messages(messages, 'kill', () => 1)
  const { pid } = world.broker
  publisher.onAcknowledged = () => {
    if (publisher.acknowledged.size === killAt) process.kill(pid, 'SIGKILL')
  }
  publisher.publish(sent)
  twicePublisher.publish(world.messages(Math.ceil(TWICE_MESSAGES * (messages / MESSAGES)), 'twice', () => 2))
  const killed = await untilTrue(() => !world.broker.isAlive())
  if (!killed) world.failures.push(`round ${round}: only ${publisher.acknowledged.size} acknowledged`)
  await world.broker.end('SIGKILL')
  publisher.onAcknowledged = () => undefined
  for (const client of [publisher, twicePublisher, kept, twice]) client.destroy()
  for (const { topic, number, retain } of sent) {
    if (retain === true && publisher.acknowledged.has(number)) retained.set(topic, number)
  }
  await world.start()
  await afterRestart(world, figures)
}

/** Everybody comes back; what was acknowledged must come, what was refused must not. */
async function afterRestart(world: World, figures: Round['figures']): Promise<void> {
  const { publisher, twicePublisher, kept, twice, failures } = world
  const { port } = world.broker
  for (const [name, subscriber] of Object.entries({ kept, twice })) {
    subscriber.acknowledges = true
    if (!(await subscriber.connect(port))) failures.push(`the session of ${name} is gone`)
  }
  await retainedAreThere(world, figures)
  const acknowledged = [...publisher.acknowledged]
  const missing = (): number => acknowledged.filter((number) => !kept.seen.has(number)).length
  await untilTrue(() => missing() === 0)
  figures.missing += missing()
  await publisher.connect(port)
  await twicePublisher.connect(port)
  if (!(await untilTrue(() => publisher.isDone && twicePublisher.isDone)))
    failures.push('not all was acknowledged')
  const wrong = (): number =>
    [...twicePublisher.acknowledged].filter((number) => twice.seen.get(number) !== 1).length
  await untilTrue(() => wrong() === 0)
  figures.twiceWrong += wrong()
  figures.acknowledged += publisher.acknowledged.size + twicePublisher.acknowledged.size
  figures.again += [...kept.seen.values()].filter((times) => times > 1).length
  await deniedSeesNothing(world, figures)
  // What was judged is forgotten, so that a fault is counted once.
  for (const { seen } of [kept, twice]) seen.clear()
  for (const numbers of [publisher.acknowledged, twicePublisher.acknowledged]) numbers.clear()
}

async function retainedAreThere(world: World, figures: Round['figures']): Promise<void> {
  const fresh = new SessionSubscriber({ clientId: 'fresh', filters: ['keep/#'], qos: 0, clean: true })
  await fresh.connect(world.broker.port)
  await fresh.subscribe()
  // A later one may have been stored whose PUBACK did not get through.
  const wrong = (): number =>
    [...world.retained].filter(([topic, number]) => (fresh.last.get(topic) ?? 0) < number).length
  await untilTrue(() => wrong() === 0)
  figures.retainedWrong += wrong()
  fresh.destroy()
}

/** A marker proves the absence: it comes after everything that was queued before it. */
async function deniedSeesNothing(world: World, figures: Round['figures']): Promise<void> {
  const { denied, publisher, failures } = world
  const [marker] = world.messages(1, 'other', () => 1)
  if (marker === undefined) return
  publisher.publish([marker])
  await untilTrue(() => publisher.isDone)
  if (!(await denied.connect(world.broker.port))) failures.push('the session of denied is gone')
  if (!(await untilTrue(() => denied.seen.has(marker.number)))) failures.push('the marker never came')
  figures.leaked += [...denied.seen.keys()].filter((number) => number !== marker.number).length
  denied.seen.clear()
  denied.destroy()
}
