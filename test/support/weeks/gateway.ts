import { GatewayClock } from '../../../agent/clock/index.ts'
import type { Increment, Owner } from '../../../agent/metering/index.ts'
import { openStore, type Store } from '../../../agent/storage/index.ts'
import { openAck, sha256, shardOf, type SigningKey, signMessage } from '../../../cloud-sync/codec/index.ts'
import {
  type Epoch,
  GatewayStatus,
  type LinkSource,
  type Subject,
  upTopic,
} from '../../../cloud-sync/contract/index.ts'
import { Window } from '../../../cloud-sync/gateway/window.ts'
import { ModelMachine, ownerOf } from '../metered-ledger.ts'
import { ACME, GATEWAY, ownedReading } from '../store.ts'
import { killStore } from '../stored-link.ts'
import { CLOUD_ID } from '../test-ledger.ts'
import type { World } from './world.ts'

const HOUR_MS = 3_600_000
/** As the gateway's own session has them. */
const STANDING_MS = 5_000
/** Rarer than there: it only looks whether something is to be sent again. */
const CHECK_MS = 60_000

export const DEVICES = ['tilt-1', 'tilt-2', 'level-1', 'crack-1'] as const

export interface GatewayParts {
  readonly world: World
  readonly folder: string
  readonly key: SigningKey
  /** Public key of whoever signs acknowledgements. */
  readonly cloudKey: string
  readonly up: (topic: string, payload: Uint8Array) => void
}

/**
 * A gateway on a machine whose clocks the world moves: the real store, registers, records, clock and window of the uplink;
 * its connection is only what the virtual link carries.
 */
export class WeeksGateway {
  readonly machine = new ModelMachine()
  readonly #parts: GatewayParts
  readonly #window = new Window('usage')
  #clock: GatewayClock | undefined
  store: Store | undefined
  /** Grows with each connection; 0 = there is none now. */
  #connection = 0
  #connections = 0
  #epochs = 0
  #pumping = false
  /** What is committed, by `organisation subject`; kept outside of what is tested. */
  readonly counted = new Map<string, bigint>()
  readonly owners = new Map<string, Owner>(DEVICES.map((device) => [device, ownerOf(ACME)]))
  #sim = 0

  constructor(parts: GatewayParts) {
    this.#parts = parts
    const { wall } = this.machine
    this.machine.wall += parts.world.now - wall
    parts.world.onPassed = (ms) => {
      this.machine.pass(ms)
    }
  }

  get isOnline(): boolean {
    return this.#connection > 0
  }

  open(): void {
    const { folder } = this.#parts
    const store = openStore({
      ...{ folder, gateway: GATEWAY, trust: null, cloudConfigured: true, organisation: ACME },
      ...{ sw: '0.1.0', cfg: 'weeks', windowMs: 1, intervalMs: HOUR_MS, liveDelayMs: HOUR_MS },
      clockFrom: (highWaterMs) =>
        (this.#clock = new GatewayClock({ sources: this.machine, highWaterMs, cloudConfigured: true })),
      newEpoch: () => sha256(Buffer.from(`epoch ${(this.#epochs += 1)}`)).slice(0, 32) as Epoch,
      // After a kill its timers find a closed file.
      onDamage: (error) => {
        if (this.store === store) throw error
      },
    })
    // No power fails here.
    store.database.pragma('synchronous = off')
    this.store = store
    this.#clock?.onStep((step) => {
      this.#now(store.noteClockStep(step)).catch(() => undefined)
    })
  }

  async stop(): Promise<void> {
    const { store } = this
    this.disconnect()
    this.store = undefined
    await store?.stop()
  }

  kill(): void {
    const { store } = this
    this.disconnect()
    this.store = undefined
    if (store !== undefined) killStore(store)
  }

  /** Every device is read some times; what resolves is committed. */
  async read(times: number): Promise<void> {
    const { store } = this
    if (store === undefined) return
    this.#clock?.look()
    const owned = DEVICES.map((device) => ({ device, owner: this.owners.get(device) ?? ownerOf(ACME) }))
    const readings = owned.flatMap(({ device, owner }) =>
      Array.from({ length: times }, () =>
        ownedReading(store, { device, owner, takenAt: this.machine.wallMs(), value: times }),
      ),
    )
    await store.take(readings, true)
    for (const { device, owner } of owned) this.#count(`${owner.org} sensor:${device}/main`, BigInt(times))
  }

  #count(name: string, by: bigint): void {
    this.counted.set(name, (this.counted.get(name) ?? 0n) + by)
  }

  /** Bytes went over the SIM; its idle part is the host's, what carried readings is their owners'. */
  async carry(bytes: number): Promise<void> {
    const { store } = this
    if (store === undefined) return
    await this.#now(store.cellular.count(this.#cellular(bytes, [])))
  }

  async swapSim(): Promise<void> {
    const { store } = this
    if (store === undefined) return
    this.#sim += 1
    await this.#now(store.cellular.count(this.#cellular(0, ['sim_swap'])))
  }

  #cellular(bytes: number, events: readonly string[]) {
    const iccid = `8943${this.#sim}`
    const src: LinkSource = {
      iface: 'wwan0',
      ifindex: 3 + this.#sim,
      iccid,
      mccmnc: '23201',
      roaming: false,
      rat: 'lte',
    }
    const subject = `link:${iccid}` as Subject
    const host = ownerOf(ACME)
    const increments: Increment[] = [
      { meter: 'cell.rx', subject, owner: host, by: BigInt(bytes), src, billable: false },
      { meter: 'cell.tx', subject, owner: host, by: 2n, src, billable: false },
      { meter: 'cell.alloc', subject, owner: host, by: 2n, src },
    ]
    for (const device of DEVICES) {
      const owner = this.owners.get(device) ?? host
      const by = BigInt(Math.floor(bytes / DEVICES.length))
      increments.push({ meter: 'cell.alloc', subject: `sensor:${device}/main` as Subject, owner, by, src })
    }
    return { increments, memory: { sim: this.#sim }, events, isLast: false }
  }

  /** Half of the devices go to another organisation; the interval ends with the change. */
  async changeOwners(): Promise<void> {
    for (const device of DEVICES.slice(2)) this.owners.set(device, ownerOf('borealis', 2))
    this.store?.parts.ledger.closeAtNextCommit()
    await this.store?.writer.commitSoon()
  }

  /** The store's own timers, in the world's time. */
  async tick(): Promise<void> {
    this.#clock?.look()
    if (this.store?.parts.ledger.isDue() === true) await this.store.writer.commitSoon()
    await this.#pump()
  }

  async closeInterval(): Promise<void> {
    this.store?.parts.ledger.closeAtNextCommit()
    await this.store?.writer.commitSoon()
  }

  connect(): void {
    const { store } = this
    if (store === undefined) return
    const { world } = this.#parts
    this.#connections += 1
    const connection = (this.#connection = this.#connections)
    this.#window.restart((store.outbox.streams().usage?.oldest ?? 1) - 1)
    this.#window.pause()
    this.#announce()
    world.after(STANDING_MS, () => {
      if (this.#connection !== connection) return
      this.#window.resumeUnlessRefused()
      return this.#pump()
    })
    const check = (): void => {
      world.after(CHECK_MS, async () => {
        if (this.#connection !== connection) return
        check()
        if (this.#window.overdueMs(world.now, (ms) => ms) === undefined) return
        this.#window.sendAgain(world.now)
        await this.#pump()
      })
    }
    check()
  }

  disconnect(): void {
    this.#connection = 0
  }

  #announce(): void {
    const { outbox } = this.store ?? {}
    const { usage } = outbox?.streams() ?? {}
    const status = GatewayStatus.parse({ online: true, bootId: this.machine.bootId, streams: { usage } })
    this.#parts.up(upTopic(shardOf(GATEWAY), GATEWAY, 'status'), Buffer.from(JSON.stringify(status)))
  }

  /** What the cloud sent; nothing where the connection it came for is over. */
  async hear(message: Uint8Array, connection: number): Promise<void> {
    const { store } = this
    if (store === undefined || connection !== this.#connection) return
    const publicKeyFor = (): string => this.#parts.cloudKey
    const opened = openAck({ stream: 'usage', gateway: GATEWAY, message, publicKeyFor })
    if (!opened.ok) throw new Error(opened.because)
    this.#clock?.learn(opened.ack.serverTime)
    const before = store.outbox.streams().usage?.epoch
    await this.#now(store.outbox.acknowledge('usage', opened.ack))
    const epoch = store.outbox.streams().usage?.epoch
    if (epoch !== before) {
      this.connect()
      return
    }
    if (opened.ack.epoch !== epoch) return
    this.#window.hear(opened.ack, this.#parts.world.now)
    await this.#pump()
  }

  get connection(): number {
    return this.#connection
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (;;) {
        const { store } = this
        if (store === undefined || !this.isOnline || !this.#window.isReady) return
        const batch = await store.outbox.next('usage', this.#window.cursor)
        if (batch === undefined) return
        this.#window.sent(batch, this.#parts.world.now)
        const body = { kind: 'usage', recipient: CLOUD_ID, body: batch.body, key: this.#parts.key } as const
        this.#parts.up(upTopic(shardOf(GATEWAY), GATEWAY, 'usage'), signMessage(body))
      }
    } finally {
      this.#pumping = false
    }
  }

  /** Without the commit window, which is of the real clock. */
  #now<T>(work: Promise<T>): Promise<T> {
    this.store?.writer.hurry()
    return work
  }
}
