import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  decideEvent,
  recordEvents,
  sendEvents,
  sendWaiting,
} from '../../../../cloud-sync/cloud/invoicing/payments/meter-events.ts'
import { stripeProvider } from '../../../../cloud-sync/cloud/invoicing/payments/stripe.ts'
import { DAM, sensors } from '../../../support/billing-world.ts'
import { openTestInvoicing } from '../../../support/invoicing-world.ts'
import { type Fault, startStripeDouble } from '../../../support/stripe-double.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

/** With the repetitions of the SDK. */
const times = (fault: Fault): Fault[] => [fault, fault, fault]
const ORGANISATION = { id: DAM, name: 'The Dam Ltd', billedOutside: false, zones: [], endedAt: null }

/** July is closed with two days of sensors, and nothing of it was sent. */
async function closed() {
  const stripe = await startStripeDouble()
  onTestFinished(() => stripe.stop())
  const { url: apiUrl, secretKey, webhookSecret } = stripe
  const provider = stripeProvider({ apiUrl, secretKey, webhookSecret })
  const path = join(temporaryFolder(), 'billing.db')
  const invoicing = await openTestInvoicing({ dialect: 'sqlite', path }, { provider })
  onTestFinished(() => invoicing.end())
  const { world, store } = invoicing
  await invoicing.prices('1')
  invoicing.at('2026-07-20')
  invoicing.receive(...sensors('2026-07-01', 9), ...sensors('2026-07-02', 3))
  invoicing.at('2026-08-04')
  await invoicing.close()
  return {
    ...{ stripe, invoicing, world },
    send: async (period = '2026-07') => {
      await recordEvents(world, DAM, period)
      return sendEvents(world, ORGANISATION)
    },
    /** What Stripe's meter adds up to. */
    sum: () => stripe.meterEvents.reduce((sum, event) => sum + Number(event['payload[value]']), 0),
    states: async () =>
      (await store.read.find('meter_event', { org: DAM }, { orderBy: ['identifier'] })).map(
        ({ state }) => state,
      ),
  }
}

test('a month is sent once, however often and however late it is asked for', async () => {
  const { stripe, invoicing, send, sum } = await closed()
  expect(await send()).toBe(2)
  for (const day of ['05', '06', '28']) {
    stripe.aDayLater()
    invoicing.at(`2026-08-${day}`)
    expect(await send()).toBe(0)
  }
  expect(sum()).toBe(12)
  expect(stripe.meterEvents.map(({ identifier }) => identifier).sort()).toEqual([
    'dam:2026-07-01:sensor.active_day:2026-07',
    'dam:2026-07-02:sensor.active_day:2026-07',
  ])
})

const faults: readonly Fault[] = ['refuse-connection', 'lose-answer', 'error-500']
test.for(faults)('within a day of %s it is sent again under its name, and counts once', async (fault) => {
  const { stripe, invoicing, send, sum, states } = await closed()
  await send().catch(() => undefined)
  expect(sum()).toBe(12)
  invoicing.receive(...sensors('2026-08-01', 5))
  invoicing.at('2026-09-04')
  await invoicing.close()
  stripe.aDayLater()
  // The customer is known already: the first request is the event itself.
  stripe.fail(...times(fault))
  await expect(send('2026-08')).rejects.toMatchObject({ code: 'INVOICING_PROVIDER_FAILED' })
  expect(await states()).toContain('sending')
  invoicing.at('2026-09-04T20:00:00Z')
  await send('2026-08')
  expect(sum()).toBe(17)
  expect(new Set(await states())).toEqual(new Set(['sent']))
})

test('a process that died between sending and noting sends the same again', async () => {
  const { stripe, world, send, sum, states } = await closed()
  await recordEvents(world, DAM, '2026-07')
  const dying = { ...world, provider: { ...world.provider } }
  dying.provider.meter = async (event, attempt) => {
    await world.provider.meter(event, attempt)
    throw new Error('killed')
  }
  await expect(sendEvents(dying, ORGANISATION)).rejects.toThrow('killed')
  expect(await send()).toBe(0)
  expect(sum()).toBe(12)
  expect(await states()).toEqual(['sent', 'sent'])
  expect(stripe.meterEvents).toHaveLength(2)
})

test.for([
  ['it is there', 'lose-answer', true, 12],
  ['it is not', 'refuse-connection', false, 12],
] as const)(
  'longer ago nobody sends it by himself: somebody looks whether %s',
  async ([, fault, isThere, all]) => {
    const { stripe, invoicing, world, sum, states, send } = await closed()
    await recordEvents(world, DAM, '2026-07')
    await world.store.transaction((tx) =>
      tx.add('provider_customer', { provider: 'stripe', org: DAM, customer: 'cus_7', made_at: 1 }),
    )
    stripe.fail(...times(fault), ...times(fault))
    await expect(send()).rejects.toMatchObject({ code: 'INVOICING_PROVIDER_FAILED' })
    invoicing.at('2026-08-06')
    stripe.aDayLater()
    await sendWaiting(world, { onError: () => undefined })
    expect(await states()).toContain('unsure')
    const before = sum()
    expect(await send()).toBe(0)
    expect(sum()).toBe(before)
    for (const { identifier } of await world.store.read.find('meter_event', { org: DAM, state: 'unsure' }))
      await decideEvent(world, { org: DAM, identifier, isThere })
    await send()
    expect(sum()).toBe(all)
    expect(await states()).toEqual(['sent', 'sent'])
  },
)

test('what came late is an event of the closing that corrects it, and what fell is taken off the next ones', async () => {
  const { stripe, invoicing, send, sum } = await closed()
  await send()
  invoicing.receive(...sensors('2026-07-02', 5).slice(3), ...sensors('2026-08-01', 4))
  invoicing.at('2026-09-04')
  await invoicing.close()
  expect(await send('2026-08')).toBe(2)
  expect(sum()).toBe(18)
  expect(stripe.meterEvents.map(({ identifier }) => identifier)).toContain(
    'dam:2026-07-02:sensor.active_day:2026-08',
  )
  // It was held meanwhile, and became another's: nine sensor-days of 1 July are not the dam's.
  const { usage } = invoicing.world
  const factsOf = usage.factsOf.bind(usage)
  usage.factsOf = async (org, asked) => (await factsOf(org, asked)).filter(({ day }) => day !== '2026-07-01')
  invoicing.receive(...sensors('2026-07-03', 1), ...sensors('2026-09-01', 20))
  invoicing.at('2026-10-04')
  await invoicing.close()
  await send('2026-09')
  expect(sum()).toBe(18 - 9 + 1 + 20)
})

test('months that were closed and not sent are sent with the next one', async () => {
  const { invoicing, send, sum } = await closed()
  invoicing.receive(...sensors('2026-08-01', 4))
  invoicing.at('2026-09-04')
  await invoicing.close()
  await send('2026-08')
  expect(sum()).toBe(16)
  expect(await send('2026-07')).toBe(0)
  expect(sum()).toBe(16)
})
