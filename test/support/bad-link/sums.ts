import { askGateway } from '../../../agent/local-api/client.ts'
import type { UsageFacts } from '../../../agent/local-api/state.ts'
import type { Rig } from '../../../agent/cli/demo/rig.ts'
import { KEY_NAME } from '../../../agent/cli/demo/layout.ts'

/** Whole sums by `organisation meter subject`. */
type Sums = Map<string, bigint>

/** Two rates, so that the number of sensors of a day matters. */
const CARD = {
  id: 'bad-link',
  currency: 'EUR',
  minorDigits: 2,
  sensorDays: {
    mode: 'volume',
    tiers: [
      { from: 1, to: 4, rate: '1.00' },
      { from: 5, to: null, rate: '0.80' },
    ],
  },
}

/** So that there is something to pay. */
export async function setPrices(rig: Rig): Promise<void> {
  const assignments = rig.layout.organisations.map(({ id: org }) => ({
    org,
    card: CARD.id,
    from: '2020-01-01',
  }))
  const book = { version: '1', cards: [CARD], assignments }
  const { http, token } = rig.cloud()
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': 'prices',
  }
  const path = `${http}/v1/operator/prices`
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify({ book }) })
  if (!response.ok) throw new Error(`prices: ${response.status} ${await response.text()}`)
}

/** What the gateway's registers, the ledger and the bills disagree about; empty = nothing. All is asked over HTTP. */
export async function disagreements(rig: Rig): Promise<string[]> {
  const registers = await registersOf(rig)
  const ledger = await ledgerOf(rig)
  const bills = await billsOf(rig)
  const active = new Map(
    [...ledger].flatMap(([name, sum]) =>
      name.includes(' sensor.active_day ') ? [[name.replace('sensor.active_day ', ''), sum] as const] : [],
    ),
  )
  if (active.size === 0) return ['no sensor-day is in the ledger']
  return [
    ...differences(['register', registers], ['ledger', ledger]),
    ...differences(['ledger', active], ['bill', bills]),
  ]
}

function differences([one, a]: [string, Sums], [two, b]: [string, Sums]): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort().flatMap((name) => {
    const [x, y] = [a.get(name) ?? 0n, b.get(name) ?? 0n]
    return x === y ? [] : [`${name}: ${one} ${x}, ${two} ${y}`]
  })
}

const add = (sums: Sums, name: string, by: bigint): void => void sums.set(name, (sums.get(name) ?? 0n) + by)

async function registersOf(rig: Rig): Promise<Sums> {
  const sums: Sums = new Map()
  const facts = (await askGateway(rig.gatewayDir, '/v1/usage')) as UsageFacts[]
  for (const { organisation, meter, subject, end } of facts)
    add(sums, `${organisation} ${meter} ${subject}`, BigInt(end))
  return sums
}

async function ledgerOf(rig: Rig): Promise<Sums> {
  const { http, token } = rig.cloud()
  const path = `${http}/v1/operator/ledger?gateway=${rig.layout.gateway}`
  const response = await fetch(path, { headers: { authorization: `Bearer ${token}` } })
  type Register = { org: string; meter: string; subject: string; end: string }
  const { streams } = (await response.json()) as { streams: { registers?: Register[] }[] }
  const sums: Sums = new Map()
  for (const { org, meter, subject, end } of streams.flatMap(({ registers }) => registers ?? []))
    add(sums, `${org} ${meter} ${subject}`, BigInt(end))
  return sums
}

/** Sensor-days by organisation and sensor, of the months that the run touched. */
async function billsOf(rig: Rig): Promise<Sums> {
  const sums: Sums = new Map()
  const { http } = rig.cloud()
  for (const { id: org } of rig.layout.organisations) {
    const key = Buffer.from(`${org}:${KEY_NAME}:${rig.layout.keys[org] ?? ''}`).toString('base64')
    for (const period of months()) {
      const path = `${http}/v1/organisations/${org}/billing/sensors?limit=199&period=${period}`
      const response = await fetch(path, { headers: { authorization: `Basic ${key}` } })
      if (!response.ok) throw new Error(`bill of ${org}: ${response.status} ${await response.text()}`)
      const { items } = (await response.json()) as { items: { subject: string; consumed: string }[] }
      for (const { subject, consumed } of items) add(sums, `${org} ${subject}`, BigInt(consumed))
    }
  }
  return sums
}

/** This month, and the one before where the run may have begun in it. */
function months(): string[] {
  const now = Date.now()
  return [...new Set([now - 3_600_000, now].map((at) => new Date(at).toISOString().slice(0, 7)))]
}
