import {
  type Ack,
  downFilter,
  type GatewayStatus,
  STREAMS,
  type Stream,
  SyncError,
  upTopic,
} from '../contract/index.ts'
import { cloudIdOf, signMessage, shardOf } from '../codec/index.ts'
import { ChangeSender } from './change-sender.ts'
import { type Connection, openConnection, publishBytes, type Traffic } from './connection.ts'
import { type Heard, readDown } from './down.ts'
import type { Lasting } from './lasting.ts'
import { CONNECT_TIMEOUT_MS, connectionSettings, OFFLINE } from './login.ts'
import type { UplinkOptions } from './options.ts'
import { PolicyTalk } from './policy-talk.ts'
import type { StoredBatch } from './ports.ts'
import { Timers } from './timers.ts'
import type { Window } from './window.ts'

/** How long a new connection waits for the ledger to say where each stream stands before sending, ms. */
const STANDING_MS = 5_000
/** How often the session looks whether acknowledgements are missing, ms. */
const CHECK_MS = 5_000
/** Policy is asked for this often, ms. */
const POLICY_MS = 6 * 3_600_000
const GOODBYE_MS = 2_000
/** Messages from the cloud waiting to be applied; a broker that floods loses the rest, acknowledgements come again. */
const INCOMING_MAX = 1_000

/** One connection from dialling to its end: announces, sends what the lanes allow, applies what is signed. */
export class Session {
  readonly #lasting: Lasting
  readonly #options: UplinkOptions
  readonly #cloudId: string
  readonly #shard: string
  readonly #connection: Connection
  readonly #ended: (because: Error) => void
  readonly #timers: Timers
  readonly #policyTalk: PolicyTalk
  readonly #changes: ChangeSender
  #incoming: Promise<void> = Promise.resolve()
  #incomingCount = 0
  #pumping = false
  #pumpAgain = false
  #missesKeys = false
  #isOver = false
  #heardAt = 0
  isOnline = false

  constructor(lasting: Lasting, { opened, ended }: { opened: () => void; ended: (because: Error) => void }) {
    this.#lasting = lasting
    this.#options = lasting.options
    this.#cloudId = cloudIdOf(lasting.options.trust)
    this.#shard = shardOf(lasting.options.gatewayId)
    this.#ended = ended
    this.#timers = new Timers(lasting.options.clock)
    const { keyring, scaled, options, counters } = lasting
    this.#policyTalk = new PolicyTalk({
      ...{ options, keyring, scaled, counters, timers: this.#timers, cloudId: this.#cloudId },
      send: (message) => {
        this.#watch(this.#connection.publish(this.#topic('pol'), message, false))
      },
    })

    this.#changes = new ChangeSender(lasting, {
      publish: (message) => {
        this.#watch(this.#connection.publish(this.#topic('prop'), message, false))
      },
      tellLoss: (standing) => {
        this.#policyTalk.tell(standing)
      },
    })
    this.#connection = openConnection(connectionSettings(lasting.options, CONNECT_TIMEOUT_MS), {
      opened: () => {
        this.#watch(
          this.#announce().then(() => {
            opened()
          }),
        )
      },
      message: (topic, payload) => {
        this.#take(topic, payload)
      },
      closed: (because) => {
        this.#end(because)
      },
    })
  }

  get bytes(): Traffic {
    return this.#connection.bytes
  }

  /** Sends whatever may be sent now; call it when something new waits. */
  pump(): void {
    if (this.#pumping) {
      this.#pumpAgain = true
      return
    }
    if (this.isOnline) this.#watch(this.#pumpAll())
  }

  /** Sends changes made here that wait; call it when one does. */
  pumpChanges(): void {
    if (this.isOnline) this.#changes.pump()
  }

  /** Says that the gateway is going offline, as long as the broker listens, and ends. */
  async leave(): Promise<void> {
    const wasOnline = this.isOnline
    // Nothing may be said after the goodbye: the retained status would stay online for ever.
    this.#isOver = true
    this.isOnline = false
    this.#timers.end()
    if (wasOnline) {
      const cancel = this.#options.clock.after(GOODBYE_MS, () => {
        this.#connection.cut(new SyncError('SYNC_LINK_DOWN', 'The broker did not take the goodbye.'))
      })
      const goodbye = this.#connection.publish(this.#topic('status'), OFFLINE, true)
      await goodbye.then(() => this.#connection.leave()).catch(() => undefined)
      cancel()
    }
    this.#connection.cut(new SyncError('SYNC_LINK_DOWN', 'The gateway left.'))
    await this.#incoming
  }

  async #announce(): Promise<void> {
    const { outbox, membership, gatewayId } = this.#options
    await this.#connection.subscribe(downFilter(this.#shard, gatewayId))
    const standing = outbox.streams()
    for (const stream of STREAMS) {
      const window = this.#lasting.windows[stream]
      window.restart((standing[stream]?.oldest ?? 1) - 1)
      window.pause()
    }
    this.#lasting.keyring.learn(membership.keyset())
    this.isOnline = true
    this.#heardAt = this.#options.clock.now()
    this.#publishStatus()
    this.#policyTalk.ask()
    this.pumpChanges()
    this.#timers.every('policy', this.#lasting.scaled(POLICY_MS), () => {
      this.#policyTalk.ask()
    })
    this.#timers.every('check', this.#lasting.scaled(CHECK_MS), () => {
      this.#check()
    })
    this.#timers.after('standing', this.#lasting.scaled(STANDING_MS), () => {
      for (const stream of STREAMS) this.#lasting.windows[stream].resumeUnlessRefused()
      this.pump()
    })
  }

  /** The ledger answers with where each announced stream stands. */
  #publishStatus(): void {
    const { outbox, membership, bootId, sw } = this.#options
    const policy = membership.version()
    const status: GatewayStatus = { online: true, bootId, sw, policy, streams: outbox.streams() }
    const payload = new TextEncoder().encode(JSON.stringify(status))
    this.#watch(this.#connection.publish(this.#topic('status'), payload, true))
  }

  async #pumpAll(): Promise<void> {
    this.#pumping = true
    try {
      while ((await this.#sendOne()) || this.#askedAgain());
    } finally {
      this.#pumping = false
    }
  }

  /** Whether something came in since the last look found nothing to send. */
  #askedAgain(): boolean {
    const again = this.#pumpAgain
    this.#pumpAgain = false
    return again
  }

  /** True where it is worth asking again. */
  async #sendOne(): Promise<boolean> {
    if (this.#isOver) return false
    const { windows, lanes } = this.#lasting
    const turn = lanes.turn((stream) => windows[stream].isReady)
    if (turn === undefined) return false
    if ('waitMs' in turn) {
      this.#timers.after('budget', turn.waitMs, () => {
        this.pump()
      })
      return false
    }
    const window = windows[turn.stream]
    const { cursor, wakes } = window
    const batch = await this.#options.outbox.next(turn.stream, cursor)
    if (this.#over()) return false
    if (batch === undefined) window.notedEmpty(wakes)
    // An acknowledgement that came meanwhile may have moved the window: then this is no longer the next batch.
    else if (window.cursor === cursor && window.isReady) this.#send(window, batch)
    return true
  }

  #send(window: Window, batch: StoredBatch): void {
    const { lanes, counters, furthest } = this.#lasting
    const { stream, epoch, body, last } = batch
    const message = signMessage({ kind: stream, recipient: this.#cloudId, body, key: this.#options.key })
    const topic = this.#topic(stream)
    window.sent(batch, this.#options.clock.now())
    lanes.spend(stream, message.length + topic.length)
    const name = `${stream} ${epoch}`
    counters.sent[stream] += 1
    if (last <= (furthest.get(name) ?? 0)) counters.resent[stream] += 1
    else furthest.set(name, last)
    this.#options.onSent?.({ stream, body, bytes: publishBytes(topic, message) })
    this.#watch(this.#connection.publish(topic, message, false))
  }

  #take(topic: string, payload: Uint8Array): void {
    this.#heardAt = this.#options.clock.now()
    if (this.#incomingCount >= INCOMING_MAX) return
    this.#incomingCount += 1
    this.#incoming = this.#incoming.then(async () => {
      this.#incomingCount -= 1
      if (this.#isOver) return
      try {
        await this.#hear(readDown(this.#lasting, topic, payload))
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  async #hear(heard: Heard): Promise<void> {
    switch (heard.what) {
      case 'ack':
        await this.#applyAck(heard.stream, heard.ack)
        return
      case 'change-ack':
        return this.#changes.hear(heard.ack)
      case 'policy-head':
        this.#policyTalk.heardOf(heard.head)
        return
      case 'policy':
        return this.#policyTalk.hear(heard.message, { isOver: () => this.#isOver, learnt: this.#learnt })
      case 'claim':
        return this.#options.onClaim?.(heard.message)
      case 'unknown-key':
        // The cloud's keys were changed while this gateway was away: any snapshot carries the new ones.
        if (!this.#missesKeys) this.#policyTalk.ask(0)
        if (!this.#lasting.keyring.isEmpty) this.#lasting.counters.refused += 1
        this.#missesKeys = true
        return
      case 'refused':
        this.#lasting.counters.refused += 1
        this.#options.log.warn({ topic: heard.topic, because: heard.because }, 'message refused')
        return
      case 'nothing':
        return
    }
  }

  /** The ledger said where the streams stand, but in words that could not be checked then. */
  readonly #learnt = (): void => {
    if (!this.#missesKeys) return
    this.#missesKeys = false
    this.#publishStatus()
  }

  async #applyAck(stream: Stream, ack: Ack): Promise<void> {
    const { outbox, onTrustedTime, log, clock } = this.#options
    if (ack.serverTime > this.#lasting.newestServerTime) {
      this.#lasting.newestServerTime = ack.serverTime
      onTrustedTime?.(ack.serverTime)
    }
    const before = outbox.streams()[stream]?.epoch
    await outbox.acknowledge(stream, ack)
    const epoch = outbox.streams()[stream]?.epoch
    if (epoch !== before) {
      log.warn({ stream, status: ack.status, epoch }, 'the stream goes on under a new epoch')
      // A new connection announces it, and its back-off keeps a cloud that refuses every epoch from a storm.
      throw new SyncError('SYNC_LINK_DOWN', 'The link starts over to announce a new epoch.')
    }
    // News of an epoch that is not in use is for the outbox only.
    if (ack.epoch !== epoch || this.#over()) return
    const moved = this.#lasting.windows[stream].hear(ack, clock.now())
    if (moved === 'refused')
      log.warn({ stream, status: ack.status, upTo: ack.upTo }, 'the ledger takes no more')
    this.#tellKept(stream, ack)
    this.pump()
  }

  /** Where the ledger asks for what is here no more, the status says from where on there is something. */
  #tellKept(stream: Stream, { status, want = 1 }: Ack): void {
    const { kept = 1 } = this.#options.outbox.streams()[stream] ?? {}
    if (status === 'gap' && want < kept) this.#publishStatus()
  }

  /** Nothing heard at all for long is a dead link; one silent stream is sent again. */
  #check(): void {
    this.#changes.check()
    const now = this.#options.clock.now()
    const { windows, scaled } = this.#lasting
    for (const stream of STREAMS) {
      const patienceMs = windows[stream].overdueMs(now, scaled)
      if (patienceMs === undefined) continue
      if (now - this.#heardAt >= patienceMs) {
        this.#fail(new SyncError('SYNC_LINK_DOWN', 'Nothing was acknowledged for too long.'))
        return
      }
      windows[stream].sendAgain(now)
      this.pump()
    }
  }

  #topic(kind: Parameters<typeof upTopic>[2]): string {
    return upTopic(this.#shard, this.#options.gatewayId, kind)
  }

  /** A failure of a port or of the connection ends the session; the next one starts from what the outbox has. */
  #watch(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#fail(error)
    })
  }

  #fail(error: unknown): void {
    this.#connection.cut(error instanceof Error ? error : new Error(String(error)))
  }

  /** As a method, because an await may have changed it. */
  #over(): boolean {
    return this.#isOver
  }

  #end(because: Error): void {
    this.#isOver = true
    this.isOnline = false
    this.#timers.end()
    this.#ended(because)
  }
}
