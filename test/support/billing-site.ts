import { onTestFinished } from 'vitest'
import { type DayFact, periodOf } from '../../cloud-sync/cloud/billing/index.ts'
import { stripeProvider } from '../../cloud-sync/cloud/invoicing/payments/stripe.ts'
import type { UsageLedger } from '../../cloud-sync/cloud/invoicing/ports.ts'
import type { Epoch, GatewayId } from '../../cloud-sync/contract/index.ts'
import { active, cardOf, DAM, sensors, sent, TIERS } from './billing-world.ts'
import { type DirectoryApi, OPERATOR_TOKEN, serveDirectory } from './directory-api.ts'
import { type ApiDocument, readDocument } from './openapi.ts'
import { startStripeDouble, type StripeDouble } from './stripe-double.ts'

export const DAM_PATH = `/v1/organisations/${DAM}`
const EPOCH = '00000000-0000-4000-8000-000000000001' as Epoch

/** The dam's billing over HTTP, with a ledger of these facts and Stripe's double. */
export interface Site {
  readonly api: DirectoryApi
  readonly doc: ApiDocument
  readonly stripe: StripeDouble
  readonly facts: DayFact[]
  readonly ana: string
  readonly call: ApiDocument['call']
  readonly items: (id: string, fields?: object) => Promise<Record<string, unknown>[]>
  readonly at: (moment: string) => void
}

export async function billingSite(facts: DayFact[] = JULY_FACTS): Promise<Site> {
  const stripe = await startStripeDouble()
  onTestFinished(() => stripe.stop())
  let now = Date.parse('2026-07-20T12:00:00Z')
  const { url: apiUrl, secretKey, webhookSecret } = stripe
  const usage: UsageLedger = {
    cutOff: () => Promise.resolve(now),
    factsOf: (org, { from, to }) =>
      Promise.resolve(facts.filter((fact) => fact.org === org && fact.day >= from && fact.day <= to)),
    monthsWithNews: () => Promise.resolve([...new Set(facts.map(({ day }) => periodOf(day)))]),
    reportedUntil: () => Promise.resolve(new Map([['GW-1', Date.parse('2026-07-12T08:00:00Z')]])),
    recordsOf: (org) =>
      Promise.resolve(
        facts.map((fact, index) => ({
          ...{ gateway: fact.gateway as GatewayId, epoch: EPOCH, seq: index + 1, org, day: fact.day },
          ...{ label: null, isWon: false },
          ...{ wallEnd: Date.parse(fact.day), receivedAt: Date.parse(fact.day) + 1, postings: [fact] },
        })),
      ),
  }
  const provider = stripeProvider({ apiUrl, secretKey, webhookSecret })
  const api = await serveDirectory(undefined, [], { usage, provider, now: () => now })
  await api.directory.person('ana', DAM)
  const doc = await readDocument(api)
  const ana = await api.session('ana')
  await doc.call('gateways.register', OPERATOR_TOKEN, {
    ...{ org: DAM, gateway: 'GW-1', publicKey: Buffer.alloc(32).toString('base64') },
  })
  await doc.call('gateways.setCustodian', ana, { org: DAM, gateway: 'GW-1', user: 'ana' })
  await doc.call('billing.setPrices', OPERATOR_TOKEN, { book: BOOK })
  return {
    ...{ api, doc, stripe, facts, ana, call: doc.call },
    at: (moment) => void (now = Date.parse(moment)),
    async items(id, fields = {}) {
      const { body } = await doc.call(id, ana, { org: DAM, limit: 199, ...fields })
      return body['items'] as Record<string, unknown>[]
    },
  }
}

const CELLULAR = [{ zone: 'home', networks: ['*'], perMegabyte: '0.125', includedBytes: 1_000_000 }]
export const BOOK = {
  version: '2026-07',
  cards: [cardOf({ sensorDays: { mode: 'volume', tiers: TIERS }, cellular: CELLULAR })],
  assignments: [{ org: DAM, card: 'standard', from: '2026-07-01' }],
}
/** 9 sensors, then 40, one of them ben's who is no member; 3.5 MB over GW-1. */
const JULY_FACTS: DayFact[] = [
  ...sensors('2026-07-01', 9, { custodian: 'ana' }),
  ...sensors('2026-07-02', 39, { custodian: 'ana' }),
  active('2026-07-02', 'of-ben', { custodian: 'ben', workspace: 'crest' }),
  // Over ana's gateway: what ben's sensors sent is for her to pay.
  sent('2026-07-02', 3_500_000n, { custodian: 'ben' }),
]
