import type { Amount, Minor } from './amount.ts'
import { type Day, daysOf } from './calendar.ts'
import { inOrder, resourceOf } from './day-facts.ts'
import { groupBy } from './group.ts'
import type { Cell } from './lines.ts'
import type { PriceBook } from './price-book.ts'
import type { Service } from './rating.ts'
import type { Statement } from './statement.ts'
import { type Outlook, outlook } from './tiers.ts'

/** What a group of cells costs. The minor units of all groups of a view sum to the lines they come from (I14). */
export interface Cost {
  readonly consumed: bigint
  readonly exact: Amount
  readonly minor: Minor
}

/** A member who pays; `former` where the organisation has no such member any more. Null: nobody looked after it. */
interface User {
  readonly custodian: string | null
  readonly former: boolean
}

export interface SensorCost extends Cost {
  readonly gateway: string
  readonly subject: string
}
export interface UserCost extends Cost, User {
  /** Sensors, or gateways where it is cellular usage, that the user has. */
  readonly resources: number
}
export interface DayCost extends Cost {
  readonly day: Day
  /** Null on a day of an earlier month (a correction), or without a price for sensor-days. */
  readonly outlook: Outlook | null
}
export interface GatewayCost extends Cost {
  readonly gateway: string
}
export interface WorkspaceCost extends Cost {
  /** Null: not of one workspace, such as a monthly fee. */
  readonly workspace: string | null
  readonly service: Service
}

/** S0.31: which sensors were read and how much is charged for them. */
export const bySensor = (statement: Statement): SensorCost[] =>
  grouped(cellsOf(statement, 'sensor-days'), resourceOf).map(({ first, cost }) => ({
    gateway: first.gateway ?? '',
    subject: first.subject ?? '',
    ...cost,
  }))

/** S0.32: which users own the sensors charged. `members` are those of today. */
export const byUser = (statement: Statement, members: ReadonlySet<string>): UserCost[] =>
  grouped(cellsOf(statement, 'sensor-days'), ({ custodian }) => custodian ?? '').map(
    ({ first, cost, cells }) => ({
      ...userOf(first.custodian, members),
      resources: new Set(cells.map(resourceOf)).size,
      ...cost,
    }),
  )

/** S0.33: the charge of each day, and how many sensors are missing to the next bulk discount. */
export function byDay(statement: Statement, prices: PriceBook): DayCost[] {
  const days = new Map(
    grouped(cellsOf(statement, 'sensor-days'), ({ day }) => day).map(({ key, cost }) => [key, cost]),
  )
  const own = new Set(daysOf(statement.period))
  return [...new Set([...days.keys(), ...own])].sort(inOrder).map((day) => {
    const cost = days.get(day) ?? NOTHING
    const plan = own.has(day) ? prices.cardOn(statement.org, day)?.sensorDays : undefined
    return { day, ...cost, outlook: plan === undefined ? null : outlook(plan, cost.consumed) }
  })
}

/** S0.34: cellular usage by THREAD, as seed 000 calls a gateway. */
export const cellularByGateway = (statement: Statement): GatewayCost[] =>
  grouped(cellsOf(statement, 'cellular'), ({ gateway }) => gateway ?? '').map(({ key, cost }) => ({
    gateway: key,
    ...cost,
  }))

/** S0.34: cellular usage by the user who owns the gateway, whoever has the sensors that sent. */
export function cellularByUser(
  statement: Statement,
  asked: {
    /** Who had the gateway on that day; null: nobody of this organisation, such as a guest's host. */
    readonly ownerOf: (gateway: string, day: Day) => string | null
    readonly members: ReadonlySet<string>
  },
): UserCost[] {
  const owner = ({ gateway, day }: Cell): string | null => asked.ownerOf(gateway ?? '', day)
  return grouped(cellsOf(statement, 'cellular'), (cell) => owner(cell) ?? '').map(
    ({ first, cost, cells }) => ({
      ...userOf(owner(first), asked.members),
      resources: new Set(cells.map(({ gateway }) => gateway)).size,
      ...cost,
    }),
  )
}

/** S3.5: cost by workspace (a profile, in seed 003) and service; sums to the statement's total. */
export const byWorkspace = (statement: Statement): WorkspaceCost[] =>
  grouped(cellsOf(statement), ({ workspace, service }) => `${workspace ?? '~'} ${service}`).map(
    ({ first, cost }) => ({ workspace: first.workspace, service: first.service, ...cost }),
  )

const NOTHING: Cost = { consumed: 0n, exact: 0n, minor: 0n }

const cellsOf = ({ lines }: Statement, service?: Service): Cell[] =>
  lines.filter((line) => service === undefined || line.service === service).flatMap(({ cells }) => cells)

const userOf = (custodian: string | null, members: ReadonlySet<string>): User => ({
  custodian,
  former: custodian !== null && !members.has(custodian),
})

interface Group {
  readonly key: string
  readonly first: Cell
  readonly cells: readonly Cell[]
  readonly cost: Cost
}

/** Groups in the order of their names. */
function grouped(cells: readonly Cell[], nameOf: (cell: Cell) => string): Group[] {
  return [...groupBy(cells, nameOf)]
    .sort(([a], [b]) => inOrder(a, b))
    .flatMap(([key, some]) => {
      const [first] = some
      if (first === undefined) return []
      const cost = some.reduce<Cost>(
        (sum, { consumed, amount, minor }) => ({
          consumed: sum.consumed + consumed,
          exact: sum.exact + amount,
          minor: sum.minor + minor,
        }),
        NOTHING,
      )
      return [{ key, first, cells: some, cost }]
    })
}
