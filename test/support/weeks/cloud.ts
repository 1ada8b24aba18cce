import { join } from 'node:path'
import { openIncoming } from '../../../cloud-sync/cloud/ingest/open.ts'
import type { Outcome } from '../../../cloud-sync/cloud/ingest/posting.ts'
import { createWorker, type LedgerWorker } from '../../../cloud-sync/cloud/ingest/worker.ts'
import { closeDue } from '../../../cloud-sync/cloud/invoicing/closing.ts'
import { usageLedger } from '../../../cloud-sync/cloud/invoicing/ledger.ts'
import { invoiceOnly } from '../../../cloud-sync/cloud/invoicing/payments/invoice-only.ts'
import type { BilledOrganisation, InvoicingWorld } from '../../../cloud-sync/cloud/invoicing/ports.ts'
import { addPriceBook, PriceBooks } from '../../../cloud-sync/cloud/invoicing/prices.ts'
import {
  type BillingStore,
  type CloudDatabase,
  openBillingStore,
  openLedger,
} from '../../../cloud-sync/cloud/storage/index.ts'
import { sealAck, type SigningKey } from '../../../cloud-sync/codec/index.ts'
import type { OrgId } from '../../../cloud-sync/contract/index.ts'
import { noEvidence } from '../billing-desk.ts'
import { GATEWAY } from '../store.ts'
import { CLOUD_ID, silent } from '../test-ledger.ts'
import type { World } from './world.ts'

export const PAYERS = ['acme', 'borealis'] as readonly string[] as readonly OrgId[]

/** Two cents a sensor-day for one sensor, less for more: a late one changes what the others of its day cost. */
const CARD = {
  id: 'weeks',
  currency: 'EUR',
  minorDigits: 2,
  sensorDays: {
    mode: 'volume',
    tiers: [
      { from: 1, to: 2, rate: '0.0333' },
      { from: 3, to: null, rate: '0.0271' },
    ],
  },
  cellular: [
    { zone: 'home', networks: ['232'], perMegabyte: '0.1025' },
    { zone: 'elsewhere', networks: ['*'], perMegabyte: '0.5' },
  ],
}

export interface CloudParts {
  readonly world: World
  readonly folder: string
  readonly key: SigningKey
  /** Of the gateway. */
  readonly publicKey: string
  readonly down: (message: Uint8Array) => void
  /** A fault to be found: late usage is booked by nobody. */
  readonly forgetsLateUsage: boolean
}

/** The cloud's worker, ledger and billing on real databases, in the world's time. */
export class WeeksCloud {
  readonly #parts: CloudParts
  #db: CloudDatabase | undefined
  #worker: LedgerWorker | undefined
  #billing: BillingStore | undefined
  #invoicing: InvoicingWorld | undefined
  readonly #books = new PriceBooks()
  #outcomes: Outcome[] = []
  #ids = 0
  readonly trouble: string[] = []

  constructor(parts: CloudParts) {
    this.#parts = parts
  }

  get path(): string {
    return join(this.#parts.folder, 'cloud.db')
  }

  get isOpen(): boolean {
    return this.#db !== undefined
  }

  get db(): CloudDatabase {
    if (this.#db === undefined) throw new Error('the cloud is away')
    return this.#db
  }

  get billing(): BillingStore {
    if (this.#billing === undefined) throw new Error('the cloud is away')
    return this.#billing
  }

  get invoicing(): InvoicingWorld {
    if (this.#invoicing === undefined) throw new Error('the cloud is away')
    return this.#invoicing
  }

  async open(): Promise<void> {
    const { world, folder } = this.#parts
    const db = await openLedger({ dialect: 'sqlite', path: this.path })
    const fault = (detail: object, message: string): void =>
      void this.trouble.push(`${message}: ${JSON.stringify(detail)}`)
    this.#db = db
    this.#worker = createWorker({
      db,
      now: () => world.now,
      monoMs: () => world.now,
      log: { ...silent, error: fault },
      committed: (outcomes) => void this.#outcomes.push(...outcomes),
    })
    const store = await openBillingStore({ dialect: 'sqlite', path: join(folder, 'billing.db') })
    this.#billing = store
    const usage = usageLedger({ db, directory: DIRECTORY, now: () => world.now })
    this.#invoicing = {
      ...{ store, directory: DIRECTORY, provider: invoiceOnly, issuer: { name: 'Headgate', lines: [] } },
      evidence: noEvidence,
      now: () => world.now,
      newId: () => `id-${String((this.#ids += 1)).padStart(4, '0')}`,
      usage: this.#parts.forgetsLateUsage ? { ...usage, monthsWithNews: () => Promise.resolve([]) } : usage,
    }
  }

  async close(): Promise<void> {
    this.#worker = undefined
    await this.#db?.close()
    await this.#billing?.close()
    this.#db = undefined
    this.#billing = undefined
  }

  async setPrices(from: string): Promise<void> {
    const assignments = PAYERS.map((org) => ({ org, card: CARD.id, from }))
    const data = { version: '1', cards: [CARD], assignments }
    const at = this.#parts.world.now
    await this.billing.transaction((tx) => addPriceBook(tx, { data, at, by: 'test' }))
  }

  /** @param isDeaf it is killed after the commit: nobody hears the answer */
  async receive(topic: string, payload: Uint8Array, isDeaf: boolean): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    const settings = { cloudId: CLOUD_ID, publicKeyOf: () => this.#parts.publicKey }
    const opened = openIncoming(settings, topic, payload)
    if (!opened.ok) throw new Error(opened.because)
    worker.offer(opened.incoming)
    await worker.idle()
    const { key, world, down } = this.#parts
    for (const { stream, ...ack } of this.#outcomes.splice(0).flatMap(({ answers }) => answers)) {
      if (stream !== 'usage' || isDeaf) continue
      down(sealAck({ stream, gateway: GATEWAY, ack: { ...ack, serverTime: world.now }, key }))
    }
  }

  /** What the calendar does every hour. */
  async turn(): Promise<number> {
    if (this.#db === undefined) return 0
    let closed = 0
    for (const org of PAYERS) {
      const months = await closeDue(this.invoicing, this.#books, { org, now: this.#parts.world.now })
      closed += months.length
    }
    return closed
  }

  prices(): ReturnType<PriceBooks['current']> {
    return this.#books.current(this.billing.read)
  }
}

const billed = (id: OrgId): BilledOrganisation => ({
  id,
  name: id,
  billedOutside: false,
  zones: [],
  endedAt: null,
})

const DIRECTORY: InvoicingWorld['directory'] = {
  organisations: () => Promise.resolve(PAYERS.map(billed)),
  organisation: (org) => Promise.resolve(billed(org as OrgId)),
  membersOf: () => Promise.resolve(new Set()),
  gatewaysOf: () => Promise.resolve(new Map([[GATEWAY, null]])),
  presenceOf: () => Promise.resolve([GATEWAY]),
  customersOf: () => Promise.resolve([]),
  holdsOf: () => Promise.resolve([]),
}
