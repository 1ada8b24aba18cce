import { expect, test } from 'vitest'
import { linesFromCsv, linesFromFocusCsv } from '../../../../cloud-sync/cloud/billing/index.ts'
import { billingSite, DAM_PATH } from '../../../support/billing-site.ts'
import { active, DAM, JULY, sent } from '../../../support/billing-world.ts'
import { OPERATOR_TOKEN } from '../../../support/directory-api.ts'

const cents = (rows: readonly Record<string, unknown>[]): number =>
  rows.reduce((sum, { amount }) => sum + Math.round(Number(amount) * 100), 0)

test('S0.30 data usage has details by sensor, by user and by day, and they are the same charge', async () => {
  const { call, items, ana } = await billingSite()
  const { body } = await call('billing.statement', ana, { org: DAM, period: JULY })
  const lines = body['lines'] as Record<string, unknown>[]
  const data = lines.filter(({ service }) => service === 'sensor-days')
  for (const view of ['sensors', 'users', 'days'])
    expect([view, cents(await items(`billing.${view}`, { period: JULY }))]).toEqual([view, cents(data)])
  expect(body).toMatchObject({
    ...{
      state: 'open',
      total: '41.31',
      currency: 'EUR',
      note: '1 gateway unreported since 2026-07-12T08:00:00Z',
    },
  })
})

test('I14 what every view of the API shows adds up to the lines of the statement', async () => {
  const { call, items, ana } = await billingSite()
  const { body } = await call('billing.statement', ana, { org: DAM, period: JULY })
  const lines = body['lines'] as Record<string, unknown>[]
  const of = (service: string): number => cents(lines.filter((line) => line['service'] === service))
  for (const view of ['sensors', 'users', 'days'])
    expect(cents(await items(`billing.${view}`, { period: JULY }))).toBe(of('sensor-days'))
  for (const view of ['cellularGateways', 'cellularUsers'])
    expect(cents(await items(`billing.${view}`, { period: JULY }))).toBe(of('cellular'))
  expect(cents(await items('billing.workspaces', { period: JULY }))).toBe(cents(lines))
})

test('S0.31 by sensor: which ones collect, and how much is charged', async () => {
  const { items } = await billingSite()
  const rows = await items('billing.sensors', { period: JULY })
  expect(rows).toHaveLength(40)
  expect(rows[0]).toEqual({
    ...{ gateway: 'GW-1', subject: 'sensor:of-ben/main', consumed: '1', amount: '0.80', exact: '0.8' },
  })
})

test('S0.32 by user: who owns the sensors charged; who left is a former one', async () => {
  const { items } = await billingSite()
  expect(await items('billing.users', { period: JULY })).toMatchObject([
    { user: 'ana', former: false, resources: 39 },
    { user: 'ben', former: true, resources: 1, amount: '0.80' },
  ])
})

test('S0.33 by day: the charge, and the sensors missing to the next bulk discount', async () => {
  const { items } = await billingSite()
  const days = await items('billing.days', { period: JULY })
  expect(days).toHaveLength(31)
  expect(days.slice(0, 2)).toMatchObject([
    { day: '2026-07-01', amount: '9.00', outlook: { toNext: '1', savingAtNext: '1', cheaperFrom: '9' } },
    { day: '2026-07-02', amount: '32.00', outlook: { toNext: '10', savingAtNext: '2', cheaperFrom: '38' } },
  ])
})

test('S0.34 cellular usage by gateway and by the user who owns it', async () => {
  const { items } = await billingSite()
  expect(await items('billing.cellularGateways', { period: JULY })).toMatchObject([
    { gateway: 'GW-1', consumed: '3500000', amount: '0.31' },
  ])
  expect(await items('billing.cellularUsers', { period: JULY })).toMatchObject([
    { user: 'ana', former: false, amount: '0.31' },
  ])
})

test('S3.5 the cost by workspace and service sums to the total', async () => {
  const { items } = await billingSite()
  expect(await items('billing.workspaces', { period: JULY })).toMatchObject([
    { workspace: 'crest', service: 'sensor-days', amount: '0.80' },
    { workspace: 'wall', service: 'cellular', amount: '0.31' },
    { workspace: 'wall', service: 'sensor-days', amount: '40.20' },
  ])
})

test('S1.13 a workspace tells what it had: sensors, SIM cards, gateways, users', async () => {
  const { api, call, ana } = await billingSite()
  const { workspace } = (await call('workspaces.create', ana, { org: DAM, name: 'North' })).body
  const used = { workspace: String(workspace), custodian: 'ana' }
  const others = { workspace: 'south', custodian: 'ben', gateway: 'GW-2' }
  const facts = [
    active('2026-07-03', 'a', used),
    active('2026-07-04', 'a', used),
    active('2026-07-03', 'b', used),
    sent('2026-07-03', 10n, used),
    sent('2026-07-04', 10n, used),
    sent('2026-07-04', 10n, { ...used, subject: 'sensor:a/main' }),
    active('2026-07-03', 'c', others),
    sent('2026-07-03', 10n, { ...others, subject: 'link:8944-9' }),
  ]
  api.billing.world.usage.factsOf = () => Promise.resolve(facts)
  const { body } = await call('billing.workspaceUsage', ana, { org: DAM, workspace, period: JULY })
  expect(body).toEqual({ workspace, period: JULY, sensors: 2, sims: 1, gateways: 1, users: 1 })
})

const USAGE_ADDRESSES = [
  ...[
    'statement',
    'sensors',
    'users',
    'days',
    'cellular/gateways',
    'cellular/users',
    'workspaces',
    'invoices',
  ],
  ...[
    'rebilling?period=2026-07',
    'exports/csv',
    'exports/focus',
    'exports/cloud-events',
    'exports/stripe-meter-events',
    'exports/evidence',
  ],
]

test('S0.35 who is billed outside sees no usage anywhere, as if there were no such address', async () => {
  const { api, call, ana, at } = await billingSite()
  await call('organisations.govern', OPERATOR_TOKEN, { org: DAM, billing: 'external' })
  const ask = async (path: string) => {
    const { status, headers, body } = await api.ask(ana, path)
    const told = [...headers].filter(([name]) => name !== 'date')
    return { status, headers: told, body }
  }
  const { workspace } = (await call('workspaces.create', ana, { org: DAM, name: 'North' })).body
  const absent = await ask(`${DAM_PATH}/billing/nothing`)
  expect(absent).toMatchObject({ status: 404, body: { code: 'API_NOT_FOUND' } })
  for (const address of USAGE_ADDRESSES)
    expect([address, await ask(`${DAM_PATH}/billing/${address}`)]).toEqual([address, absent])
  expect(await ask(`${DAM_PATH}/workspaces/${String(workspace)}/usage`)).toEqual(absent)
  // Metering goes on, and whoever writes that invoice has the statement.
  const { body } = await call('billing.operatorStatement', OPERATOR_TOKEN, { org: DAM, period: JULY })
  expect(body).toMatchObject({ total: '41.31' })
  at('2026-08-05T00:00:00Z')
  expect((await call('billing.closeNow', OPERATOR_TOKEN, { org: DAM })).body).toMatchObject([
    { period: JULY, invoice: null },
  ])
})

test('I21 as soon as it is billed here again, the same addresses answer', async () => {
  const { api, call, ana } = await billingSite()
  await call('organisations.govern', OPERATOR_TOKEN, { org: DAM, billing: 'external' })
  await call('organisations.govern', OPERATOR_TOKEN, { org: DAM, billing: 'inApp' })
  for (const address of USAGE_ADDRESSES)
    expect([address, (await api.ask(ana, `${DAM_PATH}/billing/${address}`)).status]).toEqual([address, 200])
})

test('I22 what the API exports as CSV and FOCUS is the statement, read again', async () => {
  const { api, call, ana, at } = await billingSite()
  at('2026-08-05T00:00:00Z')
  await call('billing.closeNow', OPERATOR_TOKEN, { org: DAM })
  const { body } = await call('billing.statement', ana, { org: DAM, period: JULY })
  const text = async (format: string): Promise<string> => {
    const answered = await api.ask(ana, `${DAM_PATH}/billing/exports/${format}?period=${JULY}`)
    expect(answered.headers.get('Content-Type')).toMatch(/^text\/csv/)
    return String(answered.body['text'])
  }
  for (const lines of [linesFromCsv(await text('csv')), linesFromFocusCsv(await text('focus'))]) {
    const sum = lines.reduce((all, { minor }) => all + minor, 0n)
    expect(sum).toBe(4_131n)
    expect(lines).toHaveLength((body['lines'] as unknown[]).length)
  }
})
