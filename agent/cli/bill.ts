import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { type MemberLogin, memberClient } from './cloud-member.ts'
import { operatorClient, type OperatorOptions } from './cloud-operator.ts'
import { type Answer, table } from './output.ts'

const Cost = { consumed: z.string(), amount: z.string(), exact: z.string() }
const Statement = z.object({
  organisation: z.string(),
  period: z.string(),
  state: z.string(),
  zone: z.string(),
  from: z.number(),
  to: z.number(),
  currency: z.string().nullable(),
  priceBook: z.string(),
  lines: z.array(
    z.object({
      kind: z.string(),
      used: z.string(),
      service: z.string(),
      sku: z.string(),
      card: z.string(),
      charged: z.string(),
      originalDays: z.array(z.string()),
      ...Cost,
    }),
  ),
  total: z.string(),
  exact: z.string(),
  rounding: z.string(),
  invoice: z.number().nullable(),
  unpriced: z.number(),
  unreported: z.array(z.object({ gateway: z.string(), since: z.number().nullable() })),
  note: z.string().nullable(),
})
type Statement = z.infer<typeof Statement>

interface BillOptions extends MemberLogin {
  readonly period?: string
  readonly by?: string
  readonly export?: string
  readonly to?: string
}

/** Addresses of the views and what their first columns are. */
const VIEWS = {
  sensor: ['sensors', ['gateway', 'subject']],
  user: ['users', ['user', 'former', 'resources']],
  day: ['days', ['day']],
  'cellular-gateway': ['cellular/gateways', ['gateway']],
  'cellular-user': ['cellular/users', ['user', 'former', 'resources']],
  workspace: ['workspaces', ['workspace', 'service']],
} as const
const EXPORTS = {
  csv: 'exports/csv',
  focus: 'exports/focus',
  'cloud-events': 'exports/cloud-events',
  'stripe-meter-events': 'exports/stripe-meter-events',
} as const

/** `headgate cloud bill`: the statement of a month, one of its views, or an export of it. */
export async function bill(options: BillOptions): Promise<Answer> {
  const { period, by, to } = options
  const { client, org } = await memberClient(options)
  const at = `/v1/organisations/${org}/billing`
  if (options.export !== undefined) {
    const address = chosen(EXPORTS, options.export, '--export')
    const bytes = await client.file(`${at}/${address}`, { period })
    return written(bytes, to)
  }
  if (by === undefined) {
    const statement = await client.get(`${at}/statement`, { period }, Statement)
    return { json: statement, text: statementText(statement) }
  }
  const [address, columns] = chosen(VIEWS, by, '--by')
  const rows = await pages(client, `${at}/${address}`, { period })
  return { json: rows, text: viewText(rows, columns) }
}

/** The value of a named choice. @throws AgentError USAGE naming what there is */
function chosen<T extends object>(of: T, name: string, option: string): T[keyof T] {
  if (!Object.hasOwn(of, name))
    throw new AgentError('USAGE', `${option} ${name}: one of ${Object.keys(of).join(', ')}`)
  return of[name as keyof T]
}

const Row = z.record(z.string(), z.unknown())
type Row = z.infer<typeof Row>
const Page = z.object({ items: z.array(Row), next: z.string().nullable() })
const PAGE_ROWS = '199'

type Client = Awaited<ReturnType<typeof memberClient>>['client']

async function pages(
  client: Client,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): Promise<Row[]> {
  const rows: Row[] = []
  let next: string | null = null
  do {
    const page: z.infer<typeof Page> = await client.get(
      path,
      { ...query, limit: PAGE_ROWS, cursor: next ?? undefined },
      Page,
    )
    rows.push(...page.items)
    next = page.next
  } while (next !== null)
  return rows
}

function statementText(statement: Statement): string {
  const { organisation, period, state, currency, lines, total, invoice, note, unpriced } = statement
  const head = `${organisation}, ${period} (${state}${invoice === null ? '' : `, invoice ${invoice}`})`
  const rows = lines.map((line) => [
    line.kind === 'adjustment' ? `correction of ${line.used}` : line.used,
    line.service,
    line.sku,
    line.charged,
    line.amount,
  ])
  const sum = `total ${currency ?? ''} ${total}`.replaceAll(/ +/g, ' ')
  const notes = [
    ...(note === null ? [] : [note]),
    ...(unpriced === 0 ? [] : [`${unpriced} uses without a price`]),
  ]
  return [head, table(['month', 'service', 'what', 'charged', 'amount'], rows), sum, ...notes].join('\n')
}

const Outlook = z.object({ outlook: z.object({ toNext: z.string().nullable() }).nullable() })

function viewText(rows: readonly Row[], columns: readonly string[]): string {
  const known = [...columns, 'consumed', 'amount']
  const withOutlook = rows.some((row) => Outlook.safeParse(row).success)
  const head = withOutlook ? [...known, 'to next discount'] : known
  const cells = rows.map((row) => {
    const cells = known.map((column) => shown(row[column]))
    return withOutlook ? [...cells, Outlook.safeParse(row).data?.outlook?.toNext ?? '-'] : cells
  })
  return table(head, cells)
}

const shown = (value: unknown): string => {
  if (value === null || value === undefined) return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'number' || typeof value === 'string' ? String(value) : JSON.stringify(value)
}

/** Into a file, or as it is. */
async function written(bytes: Uint8Array, to: string | undefined): Promise<Answer> {
  if (to === undefined)
    return { json: { text: Buffer.from(bytes).toString('utf8') }, text: Buffer.from(bytes).toString('utf8') }
  await writeFile(to, bytes)
  return { json: { file: to, bytes: bytes.length }, text: `${bytes.length} bytes written to ${to}` }
}

const Invoice = z.object({
  number: z.number(),
  organisation: z.string(),
  period: z.string(),
  currency: z.string(),
  total: z.string(),
  paid: z.string(),
  issuedAt: z.number(),
  dueAt: z.number(),
})
const Payment = z.object({
  payment: z.string(),
  invoice: z.number(),
  amount: z.string(),
  currency: z.string(),
  provider: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  createdAt: z.number(),
  settledAt: z.number().nullable(),
  refunded: z.string(),
  refunds: z.array(z.record(z.string(), z.unknown())),
})
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** `headgate cloud invoice list`. */
export async function invoices(options: MemberLogin): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const rows = z.array(Invoice).parse(await pages(client, `/v1/organisations/${org}/billing/invoices`, {}))
  const cells = rows.map((one) => [one.number, one.period, one.currency, one.total, one.paid, day(one.dueAt)])
  return { json: rows, text: table(['invoice', 'month', 'currency', 'total', 'paid', 'due'], cells) }
}

/** `headgate cloud invoice payments`: the payment history (S0.36). */
export async function payments(options: MemberLogin): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const rows = z.array(Payment).parse(await pages(client, `/v1/organisations/${org}/billing/payments`, {}))
  const cells = rows.map((one) => [
    one.payment,
    one.invoice,
    one.currency,
    one.amount,
    one.refunded,
    one.state,
    day(one.createdAt),
  ])
  const head = ['payment', 'invoice', 'currency', 'amount', 'refunded', 'state', 'on']
  return { json: rows, text: table(head, cells) }
}

/** `headgate cloud invoice pay NUMBER`. */
export async function pay(options: MemberLogin, args: readonly string[]): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const line = `POST /v1/organisations/${org}/billing/invoices/${args[0] ?? ''}/payment`
  const payment = await client.send(line, undefined, Payment)
  const { amount, currency, state, reason } = payment
  return { json: payment, text: `${currency} ${amount}: ${state}${reason === null ? '' : ` (${reason})`}` }
}

/** `headgate cloud invoice receipt PAYMENT --to FILE`. */
export async function receipt(
  options: MemberLogin & { readonly to: string },
  args: readonly string[],
): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const path = `/v1/organisations/${org}/billing/payments/${args[0] ?? ''}/receipt`
  return written(await client.file(path, {}), options.to)
}

/** `headgate cloud invoice get NUMBER --to FILE`. */
export async function invoice(
  options: MemberLogin & { readonly to: string },
  args: readonly string[],
): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const path = `/v1/organisations/${org}/billing/invoices/${args[0] ?? ''}`
  return written(await client.file(path, {}), options.to)
}

const PricesSet = z.object({ version: z.string(), warnings: z.array(z.string()) })
const PriceBooks = z.object({
  items: z.array(
    z.object({ number: z.number(), version: z.string(), sha256: z.string(), at: z.number(), by: z.string() }),
  ),
})

/** `headgate cloud price set FILE`: a new price book is in force from now on; its cards say from which day on. */
export async function setPrices(options: OperatorOptions, args: readonly string[]): Promise<Answer> {
  const book = await bookIn(args[0] ?? '')
  const client = await operatorClient(options)
  const set = await client.send('POST /v1/operator/prices', { book }, PricesSet)
  const warnings = set.warnings.map((warning) => `warning: ${warning}`)
  return { json: set, text: [`prices ${set.version} are in force`, ...warnings].join('\n') }
}

async function bookIn(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new AgentError('FILE_UNREADABLE', `Cannot read ${path}`, { cause })
  }
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new AgentError('USAGE', `${path} is no JSON`, { cause })
  }
}

/** `headgate cloud price list`. */
export async function listPrices(options: OperatorOptions): Promise<Answer> {
  const client = await operatorClient(options)
  const { items } = await client.get('/v1/operator/prices', { limit: PAGE_ROWS }, PriceBooks)
  const cells = items.map(({ number, version, at, by }) => [number, version, day(at), by])
  return { json: items, text: table(['number', 'version', 'since', 'by'], cells) }
}

/** `headgate cloud invoice transfer NUMBER AMOUNT REFERENCE`: what came by transfer. */
export async function transfer(options: OperatorOptions, args: readonly string[]): Promise<Answer> {
  const [number = '', amount, reference] = args
  const client = await operatorClient(options)
  const payment = await client.send(
    `POST /v1/operator/invoices/${number}/payments`,
    { amount, reference },
    Payment,
  )
  return { json: payment, text: `invoice ${payment.invoice}: ${payment.currency} ${payment.amount} received` }
}
