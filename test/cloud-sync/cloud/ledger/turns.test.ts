import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import { cutOff, dayFacts, monthsWithNews, takeTurn } from '../../../../cloud-sync/cloud/storage/index.ts'
import type { OrgId } from '../../../../cloud-sync/contract/index.ts'
import { epochOf, fakeGateway, usageBody, usageChain } from '../../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../../support/ledger-engines.ts'
import { CLOUD_ID } from '../../../support/test-ledger.ts'

const E1 = epochOf('1')
const ACME = 'acme' as OrgId

onLedgerEngines(({ dialect, test, ledger: open }) => {
  test('what is posted after a cut-off is late, whatever the clock of whoever posts it shows', async () => {
    const gateway = fakeGateway('GW-1', CLOUD_ID)
    // Everything is received at 1; whoever closes has a clock that is far ahead.
    const ledger = await open(gateway)
    const records = usageChain({ gateway: gateway.id, epoch: E1, count: 5 })
    await ledger.deliver(gateway, 'usage', usageBody(records.slice(0, 2)))
    const cut = await cutOff(ledger.db, 1_000_000)
    const before = await dayFacts(ledger.db.read, { org: ACME, postedBefore: cut })
    await ledger.deliver(gateway, 'usage', usageBody(records.slice(2)))
    expect(before.length).toBeGreaterThan(0)
    expect(await dayFacts(ledger.db.read, { org: ACME, postedBefore: cut })).toEqual(before)
    const news = (from: number, before?: number) =>
      monthsWithNews(ledger.db.read, { org: ACME, known: { from, before } })
    expect(await news(cut)).not.toEqual([])
    const next = await cutOff(ledger.db, 1)
    expect(next).toBeGreaterThan(cut)
    expect(await news(cut, next)).toEqual(await news(cut))
    expect(await news(next)).toEqual([])
  })

  test('a ledger that is behind its clock goes on from its clock, as after a restored backup', async () => {
    const ledger = await open(fakeGateway('GW-1', CLOUD_ID))
    await ledger.db.readyFor(5_000_000_000_000)
    expect(await cutOff(ledger.db, 5_000_000_000_000)).toBeGreaterThanOrEqual(5_000_000_000_000)
    expect(await cutOff(ledger.db, 1)).toBeGreaterThan(5_000_000_000_000)
  })

  if (dialect === 'sqlite') return

  test('a cut-off waits for whoever has a turn, and nobody who posts later is below it', async () => {
    const { db } = await open()
    const order: string[] = []
    let cutting: Promise<number> | undefined
    const turn = await db.transaction(async (tx) => {
      const taken = await takeTurn(tx, 1)
      cutting = cutOff(db, 1).finally(() => void order.push('cut'))
      // Long enough for it to be made if it did not wait.
      await setTimeout(300)
      order.push('posted')
      return taken
    })
    const cut = (await cutting) ?? 0
    expect(order).toEqual(['posted', 'cut'])
    expect(cut).toBeGreaterThan(turn)
    expect(await db.transaction((tx) => takeTurn(tx, 1))).toBeGreaterThan(cut)
  })
})
