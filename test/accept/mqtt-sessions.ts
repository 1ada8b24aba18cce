import { setImmediate as turn } from 'node:timers/promises'
import type { Packet } from 'mqtt-packet'
import { connectPacket, type Peer, type Site, startSite } from '../broker/conformance/support.ts'
import { refused } from '../broker/wire/refusals.ts'
import { CONNECT } from '../broker/wire/support.ts'
import { seeded } from '../support/delivery-world.ts'
import { type Harness, type HarnessContext, type Outcome, scaled } from '../support/harness.ts'
import { type Answer, type Plan, SessionModel } from '../support/mqtt-session-model.ts'

const SESSIONS = 7_500
const SESSIONS_OF_A_CLIENT = 6
const AT_ONCE = 16
const ROUNDS_MAX = 3
const STEPS_MAX = 6
const COMPLAINTS_MAX = 10

const violations = refused
  .filter(([, bytes]) => bytes.subarray(0, CONNECT.length).equals(CONNECT))
  .map(([, bytes]) => bytes.subarray(CONNECT.length))

/** How a session ends: in order when all answers are there, or in the middle of what is under way. */
type Ending = 'marker' | 'leave' | 'drop' | 'violate' | 'taken-over'

interface Counts {
  sessions: number
  steps: number
  deliveries: number
  violations: number
}

/** One client id through some sessions; what is wrong is thrown. */
class Life {
  readonly #site: Site
  readonly #model: SessionModel
  readonly #random: () => number
  readonly #counts: Counts
  #mustBeClean = true
  #isLazy = false
  #before: Peer | null = null
  /** QoS 2 messages that were received, by their id. */
  readonly #received = new Map<number, string>()

  constructor(site: Site, clientId: string, parts: { random: () => number; counts: Counts }) {
    this.#site = site
    this.#random = parts.random
    this.#counts = parts.counts
    this.#model = new SessionModel(clientId, parts.random)
  }

  async session(isLast: boolean): Promise<void> {
    const clean = this.#mustBeClean || this.#random() < 0.25
    const { clientId } = this.#model
    const isPresent = this.#model.connect(clean)
    if (!isPresent) this.#received.clear()
    const peer = await this.#site.dial()
    peer.send(connectPacket({ clientId, clean }))
    const connack = await peer.take('connack')
    if (connack.sessionPresent !== isPresent) throw new Error(`session present ${connack.sessionPresent}`)
    if (this.#before !== null) await this.#closes(this.#before)
    this.#before = null
    this.#counts.sessions += 1
    this.#isLazy = !isLast && this.#random() < 0.2
    const isAbrupt = !isLast && this.#random() < 0.3
    for (let rounds = 1 + Math.floor(this.#random() * ROUNDS_MAX); rounds > 0; rounds -= 1) {
      const plan = this.#plan()
      if (isAbrupt && rounds === 1) {
        await this.#endAbruptly(peer, plan)
        return
      }
      await this.#send(peer, plan.bytes)
      await this.#hear(peer, plan.answers)
    }
    await this.#end(peer, isLast ? 'marker' : this.#ending())
  }

  #plan(): Plan {
    const steps = 1 + Math.floor(this.#random() * STEPS_MAX)
    this.#counts.steps += steps
    return this.#model.plan(steps)
  }

  #ending(): Ending {
    const dice = this.#random()
    if (dice < 0.3 && !this.#isLazy) return 'marker'
    if (dice < 0.5) return 'leave'
    if (dice < 0.7) return 'drop'
    return dice < 0.85 ? 'violate' : 'taken-over'
  }

  /** In one segment or in a few. */
  async #send(peer: Peer, bytes: Buffer): Promise<void> {
    const at = this.#random() < 0.5 ? bytes.length : Math.floor(this.#random() * bytes.length)
    peer.socket.write(bytes.subarray(0, at))
    await turn()
    if (at < bytes.length) peer.socket.write(bytes.subarray(at))
  }

  /** Takes packets until all these answers, and the delivery of this text, have come. */
  async #hear(peer: Peer, answers: readonly Answer[], text: string | null = null): Promise<void> {
    const owed = [...answers]
    let isHeard = text === null
    while (owed.length > 0 || !isHeard) {
      const packet = await peer.next()
      if (packet === null) throw new Error(`closed while ${owed.length} answers were owed`)
      if (packet.cmd === 'publish' && packet.payload.toString() === text) {
        isHeard = true
        peer.acknowledge(packet)
      } else this.#take(peer, packet, owed)
    }
  }

  #take(peer: Peer, packet: Packet, owed: Answer[]): void {
    if (packet.cmd === 'publish') {
      this.#counts.deliveries += 1
      const complaint = this.#model.delivered(packet)
      if (complaint !== null) throw new Error(complaint)
      if (packet.qos === 2) this.#received.set(packet.messageId ?? 0, packet.payload.toString())
      if (!this.#isLazy) peer.acknowledge(packet)
    } else if (packet.cmd === 'pubrel') {
      this.#model.released(this.#received.get(packet.messageId ?? 0) ?? '')
      peer.acknowledge(packet)
    } else this.#answered(packet, owed)
  }

  /** Answers of one kind come in the order of what they answer, where there is such a rule. */
  #answered(packet: Packet, owed: Answer[]): void {
    const { cmd, messageId, granted } = packet as Answer
    const isRight = (answer: Answer): boolean =>
      answer.messageId === messageId && JSON.stringify(answer.granted) === JSON.stringify(granted)
    const ofKind = owed.filter((answer) => answer.cmd === cmd)
    const strict = ofKind.find(({ isLoose }) => isLoose !== true)
    const found = ofKind.find((answer) => isRight(answer) && (answer.isLoose === true || answer === strict))
    if (found === undefined) {
      throw new Error(`came: ${JSON.stringify(packet)}, owed: ${JSON.stringify(ofKind)}`)
    }
    owed.splice(owed.indexOf(found), 1)
  }

  async #end(peer: Peer, ending: Ending): Promise<void> {
    if (ending === 'marker') {
      const text = `marker ${this.#counts.sessions}`
      const plan = this.#model.marker(text)
      peer.socket.write(plan.bytes)
      await this.#hear(peer, plan.answers, text)
      const missing = this.#model.missing()
      if (missing.length > 0) throw new Error(`never came: ${missing.join(', ')}`)
    }
    await this.#close(peer, ending === 'marker' ? 'leave' : ending)
    this.#mustBeClean = false
  }

  /** What is under way may be done or not: the next session begins anew. */
  async #endAbruptly(peer: Peer, plan: Plan): Promise<void> {
    const ending = this.#ending()
    peer.socket.write(plan.bytes)
    await this.#close(peer, ending === 'marker' ? 'leave' : ending, plan.answers)
    this.#mustBeClean = true
  }

  async #close(peer: Peer, ending: Ending, answers: readonly Answer[] = []): Promise<void> {
    switch (ending) {
      case 'drop':
        peer.drop()
        break
      case 'taken-over':
        this.#before = peer
        return // its end is seen when the next one is there
      case 'violate': {
        const violation = violations[Math.floor(this.#random() * violations.length)] ?? Buffer.from([0])
        this.#counts.violations += 1
        peer.socket.write(Buffer.concat([violation, this.#model.poison()]))
        await this.#closes(peer, answers)
        break
      }
      case 'leave':
      case 'marker':
        peer.send({ cmd: 'disconnect' })
        await this.#closes(peer, answers)
        break
    }
    this.#model.disconnected()
  }

  /** Whatever still comes must be right; then the connection must close. */
  async #closes(peer: Peer, answers: readonly Answer[] = []): Promise<void> {
    const owed = [...answers]
    const isTakenOver = peer === this.#before
    for (const packet of await peer.untilClosed()) {
      const isOfOldSession = isTakenOver && packet.cmd !== 'publish'
      if (!isTakenOver && !isOfOldSession) this.#take(peer, packet, owed)
    }
  }
}

async function run({ scale, progress }: HarnessContext): Promise<Outcome> {
  const site = await startSite()
  const counts: Counts = { sessions: 0, steps: 0, deliveries: 0, violations: 0 }
  const failures: string[] = []
  const lives = Math.ceil(scaled(SESSIONS, scale) / SESSIONS_OF_A_CLIENT)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < lives && failures.length < COMPLAINTS_MAX) {
      const seed = next++
      const life = new Life(site, `life${seed}`, { random: seeded(seed), counts })
      try {
        for (let n = 1; n <= SESSIONS_OF_A_CLIENT; n += 1) await life.session(n === SESSIONS_OF_A_CLIENT)
      } catch (error) {
        failures.push(`client ${seed}: ${String(error)}`)
      }
      if (seed % 200 === 0) progress(`${counts.sessions} sessions`)
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } finally {
    await site.stop()
  }
  return { figures: { ...counts, clients: lives }, failures }
}

export const harness: Harness = {
  what: 'Random sessions, with violations, drops, take-overs and returns, are answered and served as MQTT 3.1.1 wants it.',
  run,
}
