import { sql } from 'kysely'
import { makeStatement, type Period, periodOf } from '../../../cloud-sync/cloud/billing/index.ts'
import { groupBy } from '../../../cloud-sync/cloud/billing/group.ts'
import { linesBookedFor } from '../../../cloud-sync/cloud/invoicing/statements.ts'
import { verifyGateway } from '../../../cloud-sync/cloud/ledger/index.ts'
import { forkedStreams, quarantined } from '../../../cloud-sync/cloud/storage/index.ts'
import { GATEWAY } from '../store.ts'
import { PAYERS, type WeeksCloud } from './cloud.ts'
import type { WeeksGateway } from './gateway.ts'

/** Whole sums, by `organisation meter subject`. */
type Sums = Map<string, bigint>

export interface Judged {
  readonly failures: string[]
  readonly records: number
  readonly sensorDays: number
  readonly cellBytes: number
  readonly adjustments: number
  /** What was owed at last, in the smallest unit. */
  readonly total: number
  /** Hash of the last record: the same seed gives the same. */
  readonly head: string
}

const add = (sums: Sums, name: string, by: bigint): void => void sums.set(name, (sums.get(name) ?? 0n) + by)

/** The gateway's registers, the ledger's postings and what was billed, sum by sum. */
export async function judge(gateway: WeeksGateway, cloud: WeeksCloud): Promise<Judged> {
  const failures: string[] = [...cloud.trouble]
  const { store } = gateway
  if (store === undefined) throw new Error('the gateway is away')
  const registers: Sums = new Map()
  for (const { org, meter, subject, end } of store.parts.ledger.registers()) {
    if (end > 0n) add(registers, `${org} ${meter} ${subject}`, end)
  }
  const ledger = await postedSums(cloud)
  failures.push(...differences('registers', registers, { name: 'ledger', sums: ledger }))
  const readings = of(registers, 'sensor.readings')
  failures.push(...differences('readings taken', gateway.counted, { name: 'registers', sums: readings }))
  const bill = await billOf(cloud)
  for (const [service, meter] of SERVICES) {
    const posted = { name: `ledger ${meter}`, sums: of(ledger, meter) }
    failures.push(
      ...differences(
        `statements ${service}`,
        bill.consumed.get(service) ?? new Map<string, bigint>(),
        posted,
      ),
    )
  }
  failures.push(...bill.failures)
  const verified = await verifyGateway(cloud.db.read, GATEWAY)
  if (!verified.ok) failures.push(`the ledger does not verify: ${JSON.stringify(verified.faults[0])}`)
  const odd = [...(await forkedStreams(cloud.db.read)), ...(await quarantined(cloud.db.read, GATEWAY))]
  if (odd.length > 0) failures.push(`${odd.length} forks or batches kept apart`)
  const { usage } = store.outbox.streams()
  if (usage?.oldest !== usage?.next) failures.push('not everything is acknowledged')
  const whole = (meter: string): number =>
    Number([...of(ledger, meter).values()].reduce((sum, by) => sum + by, 0n))
  return {
    failures,
    records: verified.records,
    sensorDays: whole('sensor.active_day'),
    cellBytes: whole('cell.alloc'),
    adjustments: bill.adjustments,
    total: bill.total,
    head: String(store.database.prepare("SELECT head FROM stream WHERE name = 'usage'").pluck().get()),
  }
}

const SERVICES = [
  ['sensor-days', 'sensor.active_day'],
  ['cellular', 'cell.alloc'],
] as const

const of = (sums: Sums, meter: string): Sums =>
  new Map(
    [...sums].flatMap(([name, sum]) =>
      name.includes(` ${meter} `) ? [[name.replace(`${meter} `, ''), sum]] : [],
    ),
  )

async function postedSums(cloud: WeeksCloud): Promise<Sums> {
  const rows = await cloud.db.read
    .selectFrom('usage_posting as p')
    .innerJoin('usage_record as r', (join) =>
      join.onRef('r.gateway', '=', 'p.gateway').onRef('r.epoch', '=', 'p.epoch').onRef('r.seq', '=', 'p.seq'),
    )
    .select(['r.org', 'p.meter', 'p.subject'])
    .select(sql<string>`cast(sum(p.quantity) as text)`.as('sum'))
    .groupBy(['r.org', 'p.meter', 'p.subject'])
    .execute()
  return new Map(rows.map(({ org, meter, subject, sum }) => [`${org} ${meter} ${subject}`, BigInt(sum)]))
}

/** Everything that was booked, and whether it is what one statement of each month from all that is known would say. */
async function billOf(cloud: WeeksCloud) {
  const { usage, store } = cloud.invoicing
  const prices = await cloud.prices()
  const consumed = new Map<string, Sums>(SERVICES.map(([service]) => [service, new Map()]))
  const failures: string[] = []
  let [adjustments, total] = [0, 0n]
  for (const org of PAYERS) {
    const span = { from: '1970-01-01', to: '9999-12-31' }
    const facts = groupBy(await usage.factsOf(org, span), ({ day }): Period => periodOf(day))
    const runs = await store.read.find('booked_line', { org })
    for (const used of new Set([...facts.keys(), ...runs.map(({ used: month }) => month)])) {
      const month = new Map([[used, facts.get(used) ?? []]])
      const once = makeStatement({
        ...{ org, prices },
        period: used,
        zone: 'UTC',
        facts: month,
        bookedFor: () => [],
      })
      const lines = await linesBookedFor(store.read, org, used)
      const booked = lines.reduce((sum, { minor }) => sum + minor, 0n)
      adjustments += lines.filter(({ kind }) => kind === 'adjustment').length
      total += booked
      if (booked !== once.total) failures.push(`${org} ${used}: ${booked} booked, ${once.total} is owed`)
      for (const { service, subject, consumed: by } of lines.flatMap(({ cells }) => cells)) {
        add(consumed.get(service) ?? new Map<string, bigint>(), `${org} ${subject ?? ''}`, by)
      }
    }
  }
  return { consumed, failures, adjustments, total: Number(total) }
}

function differences(
  name: string,
  sums: Sums,
  other: { readonly name: string; readonly sums: Sums },
): string[] {
  const names = [...new Set([...sums.keys(), ...other.sums.keys()])].sort()
  return names.flatMap((key) => {
    const [one, two] = [sums.get(key) ?? 0n, other.sums.get(key) ?? 0n]
    return one === two ? [] : [`${key}: ${name} ${one}, ${other.name} ${two}`]
  })
}
