import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Epoch } from '../../cloud-sync/contract/index.ts'
import type { CloudProcess } from './cloud-process.ts'
import { GATEWAY } from './store.ts'

export interface Fork {
  readonly stream: string
  readonly epoch: Epoch
}

interface LedgerDump {
  readonly streams: { stream: string; epoch: Epoch; upTo: number; state: string; parent: Epoch | null }[]
  readonly posted: { org: string; meter: string; subject: string; quantity: string }[]
  readonly quarantine: unknown[]
}

interface Verified {
  readonly ok: boolean
  readonly readings: number
  readonly losses: { first: number; last: number }[]
}

/** The operator of a cloud in a process of its own, asking about the one gateway. */
export class Operator {
  readonly #cloud: CloudProcess
  readonly #headers: Record<string, string>
  constructor(cloud: CloudProcess, { folder }: { readonly folder: string }) {
    this.#cloud = cloud
    const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
    this.#headers = { Authorization: `Bearer ${token}` }
  }
  async #ask(what: string): Promise<Response> {
    return fetch(`${this.#cloud.http}/v1/operator/${what}?gateway=${GATEWAY}`, { headers: this.#headers })
  }
  async ledger(): Promise<LedgerDump> {
    return (await (await this.#ask('ledger')).json()) as LedgerDump
  }
  /** Epochs that wait for the operator's word. */
  async held(): Promise<Epoch[]> {
    const { forks } = (await (await this.#ask('forks')).json()) as { forks: Fork[] }
    return forks.map(({ epoch }) => epoch)
  }
  async alarms(): Promise<number> {
    const { ingest } = (await (await this.#ask('counts')).json()) as { ingest: { conflicts: number } }
    return ingest.conflicts
  }
  async verify(): Promise<Verified> {
    return (await (await this.#ask('verify')).json()) as Verified
  }
  async evidence(): Promise<Buffer> {
    return Buffer.from(await (await this.#ask('evidence')).arrayBuffer())
  }
  async counts(): Promise<object> {
    return ((await (await this.#ask('counts')).json()) as { ingest: object }).ingest
  }
  async values(): Promise<number[]> {
    const lines = (await (await this.#ask('readings')).text()).split('\n').filter((line) => line !== '')
    return lines.map((line) => (JSON.parse(line) as { value: number }).value).toSorted((a, b) => a - b)
  }
  /** Posted readings by organisation. */
  async posted(): Promise<Record<string, number>> {
    const { posted } = await this.ledger()
    const counted = posted.filter(({ meter }) => meter === 'sensor.readings')
    return Object.fromEntries(counted.map(({ org, quantity }) => [org, Number(quantity)]))
  }
}
