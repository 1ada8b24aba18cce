import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Answer } from '../../../cloud-sync/cloud/ingest/posting.ts'
import type { DatabaseTarget } from '../../../cloud-sync/cloud/storage/index.ts'
import { generateKeyPair, shardOf, signingKey } from '../../../cloud-sync/codec/index.ts'
import { upTopic } from '../../../cloud-sync/contract/index.ts'
import { GATEWAY } from '../store.ts'
import { CLOUD_ID } from '../test-ledger.ts'
import type { CloudDeath, FromCloud, FromGateway, GatewayDeath, ToCloud, ToGateway } from './messages.ts'

/** Generous: the machine may be busy with other things. */
const PATIENCE_MS = 180_000

/** A gateway and one or more clouds over one database, as processes; every message goes to every cloud. */
export class LedgerRig {
  readonly #folder: string
  readonly #target: DatabaseTarget
  readonly #pair = generateKeyPair()
  readonly #clouds: (ChildProcess | undefined)[]
  #gateway: ChildProcess | undefined
  #next = 0
  #counted: ((total: number) => void) | undefined
  /** How many readings the gateway has said to be committed. */
  took = 0
  /** The hash that was acknowledged of each epoch and number. */
  readonly acknowledged = new Map<string, string>()

  constructor({ folder, target, clouds }: { folder: string; target: DatabaseTarget; clouds: number }) {
    this.#folder = folder
    this.#target = target
    this.#clouds = Array.from({ length: clouds }, () => undefined)
  }

  async start(): Promise<void> {
    for (const at of this.#clouds.keys()) await this.#startCloud(at)
    this.#startGateway()
  }

  /** Lets a cloud die at that point, whenever it comes there, and starts it again. */
  async killCloud(at: number, death: CloudDeath): Promise<void> {
    const cloud = this.#clouds[at]
    await this.#dies(cloud, { what: 'die', death })
    await this.#startCloud(at)
    this.#tell({ what: 'announce' })
  }

  async killGateway(death: GatewayDeath): Promise<void> {
    await this.#dies(this.#gateway, { what: 'die', death })
    this.#startGateway()
  }

  /** No more readings; resolves when all usage is acknowledged, to what the gateway's registers have counted. */
  async quiet(): Promise<number> {
    const counted = new Promise<number>((resolve) => {
      this.#counted = resolve
    })
    this.#tell({ what: 'quiet' })
    return Promise.race([counted, late('the gateway never was done')])
  }

  /** Ends every process. */
  async stop(): Promise<void> {
    for (const child of [this.#gateway, ...this.#clouds]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
  }

  async #dies(child: ChildProcess | undefined, order: ToCloud | ToGateway): Promise<void> {
    if (child === undefined) return
    const ended = once(child, 'exit')
    child.send(order)
    await Promise.race([ended, late(`never came to die: ${JSON.stringify(order)}`)])
    if (child.signalCode !== 'SIGKILL')
      throw new Error(`a process ended by itself: ${String(child.exitCode)}`)
  }

  async #startCloud(at: number): Promise<void> {
    const start = {
      target: this.#target,
      publicKey: signingKey(this.#pair.privateKey).publicKey,
      cloudId: CLOUD_ID,
    }
    const cloud = child('cloud-child.ts', start)
    this.#clouds[at] = cloud
    const open = new Promise<void>((resolve) => {
      cloud.on('message', (message: FromCloud) => {
        if (message.what === 'open') resolve()
        else this.#answer(message.answer)
      })
    })
    await Promise.race([open, late('the cloud does not open')])
  }

  #startGateway(): void {
    const start = {
      folder: join(this.#folder, 'gateway'),
      privateKey: this.#pair.privateKey,
      cloudId: CLOUD_ID,
      from: this.#next,
    }
    const gateway = child('gateway-child.ts', start)
    this.#gateway = gateway
    gateway.on('message', (message: FromGateway) => {
      this.#hear(message)
    })
  }

  #hear(message: FromGateway): void {
    switch (message.what) {
      case 'took':
        this.took += 1
        this.#next = message.number + 1
        return
      case 'idle':
        this.#counted?.(message.counted)
        return
      case 'status':
        this.#toClouds('status', Buffer.from(JSON.stringify(message.status)))
        return
      case 'usage':
        this.#toClouds('usage', message.payload)
    }
  }

  #toClouds(kind: 'status' | 'usage', payload: Uint8Array): void {
    const message: ToCloud = { what: 'message', topic: upTopic(shardOf(GATEWAY), GATEWAY, kind), payload }
    for (const cloud of this.#clouds) if (cloud?.connected === true) cloud.send(message, ignored)
  }

  #answer({ stream, ...ack }: Answer): void {
    if (stream !== 'usage') return
    if (ack.status === 'ok' && ack.upTo > 0) this.acknowledged.set(`${ack.epoch} ${ack.upTo}`, ack.hash)
    this.#tell({ what: 'ack', ack: { ...ack, serverTime: Date.now() } })
  }

  #tell(message: ToGateway): void {
    if (this.#gateway?.connected === true) this.#gateway.send(message, ignored)
  }
}

/** What is sent to a process that dies meanwhile is lost, as on a link. */
const ignored = (): void => undefined

const child = (file: string, start: object): ChildProcess =>
  fork(join(import.meta.dirname, file), [JSON.stringify(start)], { serialization: 'advanced' })

async function late(why: string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref())
  throw new Error(why)
}
