import type { Bench } from '../support/harness.ts'
import { cardOf, DAM, JULY, MEMBERS, pricesOf, active, sent, TIERS, ZONE } from '../support/billing-world.ts'
import { throughStorage } from './support/stored-month.ts'
import {
  billingPage,
  type DayFact,
  focusCsv,
  makeStatement,
  statementCsv,
} from '../../cloud-sync/cloud/billing/index.ts'

const SENSORS = 10_000
const DAYS = 31
const GATEWAYS = 500
const ROUNDS = 3

const two = (n: number): string => String(n).padStart(2, '0')

/** A month of an organisation with many sensors: all read every day, every gateway on a cellular link. */
function month(): DayFact[] {
  const facts: DayFact[] = []
  for (let day = 1; day <= DAYS; day += 1) {
    const label = `${JULY}-${two(day)}`
    for (let n = 0; n < SENSORS; n += 1) {
      const fields = { gateway: `GW-${n % GATEWAYS}`, custodian: n % 3 === 0 ? 'anna' : 'ben' }
      facts.push(active(label, `s${n}`, { ...fields, workspace: `w${n % 20}` }))
    }
    for (let n = 0; n < GATEWAYS; n += 1) facts.push(sent(label, 293_761n, { gateway: `GW-${n}` }))
  }
  return facts
}

interface Cost {
  readonly ms: number
  /** Of all threads, the collector of garbage too: what it costs where others use the machine as well. */
  readonly cpuMs: number
}
/** The fastest round. */
function fastest(work: () => unknown): Cost {
  const taken = Array.from({ length: ROUNDS }, () => {
    const began = performance.now()
    const cpu = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(cpu)
    return { ms: Math.round(performance.now() - began), cpuMs: Math.round((user + system) / 1_000) }
  })
  return taken.reduce((best, one) => (one.ms < best.ms ? one : best))
}

const counted = (texts: Iterable<string>): number => [...texts].reduce((sum, text) => sum + text.length, 0)

export const bench: Bench = {
  what: 'A monthly statement of 10,000 sensors: rated, rounded, allocated; then its views and its exports.',
  async run(progress) {
    const card = cardOf({
      sensorDays: { mode: 'graduated', tiers: TIERS.map((tier) => ({ ...tier, rate: `${tier.rate}37` })) },
      cellular: [{ zone: 'all', networks: ['*'], perMegabyte: '0.1234', includedBytes: 1_000_000 }],
      fees: [{ id: 'platform', perMonth: '49.90' }],
    })
    const prices = pricesOf(card)
    const facts = month()
    const assignments = [{ org: DAM, card: 'standard', from: `${JULY}-01` }]
    const book = { version: '1', cards: [card], assignments }
    const make = (): ReturnType<typeof makeStatement> =>
      makeStatement({
        ...{ org: DAM, period: JULY, zone: ZONE, prices, facts: new Map([[JULY, facts]]) },
        bookedFor: () => [],
      })
    progress(`${facts.length} day facts`)
    const statement = make()
    const cells = statement.lines.reduce((sum, line) => sum + line.cells.length, 0)
    const made = fastest(make)
    progress('views')
    const asked = { billedOutside: false, prices, members: MEMBERS, ownerOf: () => 'anna' }
    const views = fastest(() => billingPage(statement, asked))
    progress('exports')
    const focus = fastest(() => counted(focusCsv(statement, { issuer: 'Headgate' })))
    const csv = fastest(() => counted(statementCsv(statement)))
    return {
      sensors: SENSORS,
      dayFacts: facts.length,
      cells,
      total: statement.total.toString(),
      statement: { ...made, usPerCell: Math.round((made.ms / cells) * 10_000) / 10, barMs: 2_000 },
      views,
      focus,
      csv,
      stored: await throughStorage(facts, { org: DAM, period: JULY, book, progress }),
    }
  },
}
