import { sql } from 'kysely'
import { expect } from 'vitest'
import { addPriceBook } from '../../../../cloud-sync/cloud/invoicing/prices.ts'
import { bookedStatement, linesBookedFor } from '../../../../cloud-sync/cloud/invoicing/statements.ts'
import { isDuplicate } from '../../../../cloud-sync/cloud/storage/index.ts'
import { active, AUGUST, DAM, JULY, sensors, sent } from '../../../support/billing-world.ts'
import { onBothBillingEngines, type TestInvoicing } from '../../../support/invoicing-world.ts'

const SEPTEMBER = '2026-09'

/** What every booking together must be. */
async function expectBalanced({ store }: TestInvoicing): Promise<void> {
  const balances = await store.read.balances('')
  expect([...balances.values()].reduce((sum, amount) => sum + amount, 0n)).toBe(0n)
}

onBothBillingEngines((engine) => {
  engine.with('a month is open, then in grace, then closed by its statement, once', async (invoicing) => {
    const { store } = invoicing
    await invoicing.prices('1')
    invoicing.at('2026-07-20')
    invoicing.receive(...sensors('2026-07-01', 9), ...sensors('2026-07-02', 40))
    const state = async () => (await store.read.get('billing_period', { org: DAM, period: JULY }))?.state
    expect(await invoicing.close()).toEqual([])
    expect(await state()).toBe('open')
    invoicing.at('2026-08-02')
    expect(await invoicing.close()).toEqual([])
    expect(await state()).toBe('grace')
    invoicing.at('2026-08-04')
    expect(await invoicing.close()).toMatchObject([{ period: JULY, invoice: 1 }])
    expect(await state()).toBe('closed')
    expect(await invoicing.close()).toEqual([])
    expect(await bookedStatement(store.read, DAM, JULY)).toMatchObject({ total: 4_100n, currency: 'EUR' })
    expect(await store.read.find('invoice', {})).toMatchObject([{ number: 1, total_minor: '4100' }])
    await expectBalanced(invoicing)
  })

  engine.with('a statement that was kept is the one that was made, cell by cell', async (invoicing) => {
    await invoicing.prices('1')
    invoicing.at('2026-07-20')
    const odd = { custodian: null, workspace: null, gateway: 'GW-2' }
    invoicing.receive(
      ...sensors('2026-07-03', 7),
      active('2026-07-03', 'x', odd),
      sent('2026-07-03', 2n ** 60n),
    )
    invoicing.at('2026-08-04')
    await invoicing.close()
    const lines = await linesBookedFor(invoicing.store.read, DAM, JULY)
    expect(lines).toHaveLength(1)
    expect(lines[0]?.cells).toHaveLength(8)
    expect(lines[0]?.cells.find(({ gateway }) => gateway === 'GW-2')).toEqual({
      ...{ day: '2026-07-03', service: 'sensor-days', sku: 'sensor-day', card: 'standard' },
      ...{ gateway: 'GW-2', subject: 'sensor:x/main', custodian: null, workspace: null },
      ...{ consumed: 1n, charged: 1n, unitPrice: 10n ** 12n, amount: 10n ** 12n, minor: 100n },
    })
  })

  engine.with(
    'I13 a closed month never changes: what comes late is an adjustment of the open one',
    async (invoicing) => {
      const { store } = invoicing
      await invoicing.prices('1')
      invoicing.at('2026-07-20')
      invoicing.receive(...sensors('2026-07-01', 9))
      invoicing.at('2026-08-04')
      await invoicing.close()
      const before = await bookedStatement(store.read, DAM, JULY)
      // The tenth sensor of that day brings all ten into a cheaper tier: 8.00 now, 9.00 booked.
      invoicing.receive(active('2026-07-01', 'tenth'))
      invoicing.at('2026-09-04')
      expect(await invoicing.close()).toMatchObject([{ period: AUGUST, invoice: 2 }])
      expect(await bookedStatement(store.read, DAM, JULY)).toEqual(before)
      const august = await bookedStatement(store.read, DAM, AUGUST)
      expect(august).toMatchObject({
        total: -100n,
        lines: [{ kind: 'adjustment', period: JULY, minor: -100n }],
      })
      expect(new Set(august?.lines[0]?.cells.map(({ day }) => day))).toEqual(new Set(['2026-07-01']))
      const [booked] = await store.read.find('booked_line', { org: DAM, period: AUGUST })
      expect(booked).toMatchObject({ corrects: JULY, used: JULY })
      expect(await store.read.find('ledger_transaction', { period: AUGUST })).toMatchObject([
        { corrects: JULY },
      ])
      // Nothing is corrected a second time.
      invoicing.at('2026-10-04')
      expect(await invoicing.close()).toMatchObject([{ period: SEPTEMBER, invoice: null }])
      await expectBalanced(invoicing)
    },
  )

  engine.with(
    'what is received while a month is closed is in this statement or in the next',
    async (invoicing) => {
      const { usage } = invoicing.world
      const before = { ...usage }
      await invoicing.prices('1')
      invoicing.at('2026-08-04')
      usage.cutOff = async () => {
        const cut = await before.cutOff()
        // Posted just after the cut-off, and there before the facts are read.
        invoicing.receive(...sensors('2026-07-01', 3))
        Object.assign(usage, before)
        return cut
      }
      await invoicing.close()
      expect(await bookedStatement(invoicing.store.read, DAM, JULY)).toMatchObject({ total: 0n, lines: [] })
      invoicing.at('2026-09-04')
      await invoicing.close()
      expect(await bookedStatement(invoicing.store.read, DAM, AUGUST)).toMatchObject({ total: 300n })
    },
  )

  engine.with('two that close at once close once, and invoice numbers have no gap', async (invoicing) => {
    await invoicing.prices('1')
    invoicing.at('2026-07-20')
    invoicing.receive(...sensors('2026-07-01', 3))
    invoicing.at('2026-09-04')
    const twice = await Promise.all([invoicing.close(), invoicing.close(), invoicing.close()])
    expect(twice.flat().filter(({ period }) => period === JULY)).toHaveLength(1)
    expect(await invoicing.store.read.find('rating_run', {}, { orderBy: ['period'] })).toMatchObject([
      { period: JULY },
      { period: AUGUST },
    ])
    expect(await invoicing.store.read.find('invoice', {})).toMatchObject([{ number: 1 }])
    await expectBalanced(invoicing)
  })

  engine.with(
    'a statement waits for no gateway and names those that have not reported',
    async (invoicing) => {
      await invoicing.prices('1')
      const since = Date.parse('2026-07-12T08:00:00Z')
      invoicing.reported.set('GW-1', Date.parse('2026-08-01T01:00:00Z')).set('GW-2', since)
      invoicing.at('2026-08-04')
      await invoicing.close()
      expect((await bookedStatement(invoicing.store.read, DAM, JULY))?.unreported).toEqual([
        { gateway: 'GW-2', since },
      ])
    },
  )

  engine.with('who is billed outside has statements and no invoice', async (invoicing) => {
    invoicing.organisation.billedOutside = true
    await invoicing.prices('1')
    invoicing.at('2026-07-20')
    invoicing.receive(...sensors('2026-07-01', 3))
    invoicing.at('2026-08-04')
    expect(await invoicing.close()).toMatchObject([{ period: JULY, invoice: null }])
    expect(await bookedStatement(invoicing.store.read, DAM, JULY)).toMatchObject({ total: 300n })
  })

  engine.with('new prices leave what is closed alone', async (invoicing) => {
    const { store } = invoicing
    await invoicing.prices('1')
    invoicing.at('2026-08-04')
    await invoicing.close()
    const dearer = [{ ...cardWith('5.00'), id: 'standard' }]
    await expect(invoicing.prices('2', dearer)).rejects.toMatchObject({
      code: 'INVOICING_PRICES_RETROACTIVE',
    })
    await expect(invoicing.prices('1')).rejects.toMatchObject({ code: 'INVOICING_INPUT_INVALID' })
    const book = await store.read.find('price_book', {})
    expect(book).toMatchObject([{ number: 1, version: '1' }])
  })

  engine.with('prices that change while a month is closed are those of all of it', async (invoicing) => {
    const { store, world } = invoicing
    await invoicing.prices('1')
    invoicing.receive(...sensors('2026-07-01', 2))
    const { usage } = world
    const before = { ...usage }
    usage.factsOf = async (...asked) => {
      Object.assign(usage, before)
      await invoicing.prices('2', [{ ...cardWith('5.00'), id: 'standard' }])
      return usage.factsOf(...asked)
    }
    invoicing.at('2026-08-04')
    await invoicing.close()
    expect(await bookedStatement(store.read, DAM, JULY)).toMatchObject({ priceBook: '2', total: 1_000n })
    invoicing.receive(...sensors('2026-07-01', 3).slice(2))
    invoicing.at('2026-09-04')
    await invoicing.close()
    expect(await bookedStatement(store.read, DAM, AUGUST)).toMatchObject({ total: 500n })
  })

  engine.with('who closes and who sets prices at once never both have their way', async (invoicing) => {
    const { store } = invoicing
    const rates: (readonly [from: string, rate: string])[] = [[JULY, '1.00']]
    const bookOf = (some: typeof rates) => ({
      version: some.map(([, rate]) => rate).join(' '),
      cards: some.map(([, rate]) => ({ ...cardWith(rate), id: `at-${rate}` })),
      assignments: some.map(([from, rate]) => ({ org: DAM, card: `at-${rate}`, from: `${from}-01` })),
    })
    const set = (data: object) =>
      store.transaction((tx) => addPriceBook(tx, { data, at: invoicing.world.now(), by: 'test' }))
    await set(bookOf(rates))
    for (const [index, month] of ['07', '08', '09', '10', '11', '12'].entries()) {
      const period = `2026-${month}`
      invoicing.receive(...sensors(`${period}-01`, 1))
      invoicing.at(`${index === 5 ? '2027-01' : `2026-${String(index + 8).padStart(2, '0')}`}-04`)
      const other = [...rates, [period, `${index + 2}.00`] as const].filter(
        ([from], at, all) => all.findLastIndex((one) => one[0] === from) === at,
      )
      const [, changed] = await Promise.allSettled([invoicing.close(), set(bookOf(other))])
      if (changed.status === 'fulfilled') rates.splice(0, rates.length, ...other)
      else expect(changed.reason).toMatchObject({ code: 'INVOICING_PRICES_RETROACTIVE' })
      const due = rates.findLast(([from]) => from <= period)?.[1].replace('.', '') ?? ''
      expect([period, (await bookedStatement(store.read, DAM, period))?.total]).toEqual([period, BigInt(due)])
    }
  })

  engine.with(
    'facts are only ever added, and what does not sum to zero is not booked',
    async ({ store, tamper }) => {
      const at = 1
      const booking = { id: 'x', org: DAM, period: JULY, corrects: null, kind: 'line' as const }
      const entries = [
        { account: 'receivable:dam', amount: 5n },
        { account: 'revenue:fees', amount: -4n },
      ]
      const audit = { at, org: DAM, actor: 'a', what: 'w', detail: '' }
      await expect(
        store.transaction(async (tx) => {
          await tx.add('billing_audit', audit)
          await tx.post([{ ...booking, entries }], at)
        }),
      ).rejects.toThrow('does not sum to zero')
      expect(await store.read.find('billing_audit', {})).toEqual([])
      const balanced = [...entries, { account: 'rounding', amount: -1n }]
      await store.transaction((tx) => tx.post([{ ...booking, entries: balanced }], at))
      const again = await store
        .transaction((tx) => tx.post([{ ...booking, entries: balanced }], at))
        .catch((error: unknown) => error)
      expect(isDuplicate(again)).toBe(true)
      for (const change of [sql`update ledger_entry set amount = '0'`, sql`delete from ledger_transaction`]) {
        await expect(tamper(change)).rejects.toThrow('append-only')
      }
      expect(await store.read.balances('receivable:')).toEqual(new Map([['receivable:dam', 5n]]))
    },
  )
})

const cardWith = (rate: string) => ({
  ...{ id: 'standard', currency: 'EUR', minorDigits: 2 },
  sensorDays: { mode: 'volume', tiers: [{ from: 1, to: null, rate }] },
})
