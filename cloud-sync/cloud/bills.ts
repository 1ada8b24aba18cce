import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SyncError } from '../contract/index.ts'
import { type CloudConfig, isServer } from './config.ts'
import type { OrgDirectory } from './directory/index.ts'
import {
  billingDirectory,
  type Invoicing,
  invoiceOnly,
  type PaymentProvider,
  startInvoicing,
  type UsageEvidence,
  usageLedger,
} from './invoicing/index.ts'
import type { Log } from './log.ts'
import { type CloudDatabase, type DirectoryStore, openBillingStore } from './storage/index.ts'

const ISSUER = { name: 'Headgate', lines: [] }

/** Opens what billing keeps, beside the directory where that is on a server, and begins to close and charge. */
export async function startBills(
  config: CloudConfig,
  given: {
    readonly db: CloudDatabase
    readonly directory: OrgDirectory
    readonly store: DirectoryStore
    readonly evidence: UsageEvidence
    readonly log: Log
    /** Ways to stop what was started, in order. */
    readonly started: (() => Promise<void>)[]
  },
): Promise<Invoicing> {
  const { database, dataDir, billing } = config
  const provider = await providerOf(config)
  const store = await openBillingStore(
    database !== undefined && isServer(database)
      ? { dialect: 'postgres', url: database }
      : { dialect: 'sqlite', path: join(dataDir, 'billing.db') },
  )
  given.started.push(() => store.close())
  const directory = billingDirectory(given.store.read)
  const invoicing = startInvoicing({
    world: {
      ...{ store, directory, provider, now: Date.now, newId: randomUUID },
      issuer: billing?.issuer ?? ISSUER,
      usage: usageLedger({ db: given.db, directory, now: Date.now }),
      evidence: given.evidence,
    },
    gate: given.directory.gate,
    mono: () => performance.now(),
    log: given.log,
  })
  given.started.push(() => invoicing.stop())
  return invoicing
}

/** The SDK is large: it is loaded only where it is used. */
async function providerOf({ billing }: CloudConfig): Promise<PaymentProvider> {
  if (billing?.stripe === undefined) return invoiceOnly
  const { secretKey, webhookSecret, url } = billing.stripe
  const settings = { secretKey: secretIn(secretKey), webhookSecret: secretIn(webhookSecret), apiUrl: url }
  const { stripeProvider } = await import('./invoicing/payments/stripe.ts')
  return stripeProvider(settings)
}

function secretIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new SyncError('CLOUD_CONFIG_INVALID', `${path} cannot be read`, { cause })
  }
}
