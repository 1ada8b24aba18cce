import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { AgentError } from '../errors.ts'
import { toJson } from '../json.ts'
import { operatorClient, type OperatorOptions } from './cloud-operator.ts'
import { type Answer, table } from './output.ts'

interface Given extends OperatorOptions {
  readonly state?: string
  readonly billing?: string
  readonly billingZone?: string
  readonly quotas?: string
  readonly rehearse?: boolean
  readonly amount?: string
  readonly debt?: string
  readonly reason?: string
}

/** `METHOD PATH` below /v1/operator, and its body. */
interface Call {
  readonly line: string
  readonly body?: object
  /** Whether what is answered is bad news: exit code 1. */
  readonly failed?: (answer: unknown) => boolean
}
type Make = (args: readonly string[], given: Given) => Call

const part = encodeURIComponent
const isNotOk = (answer: unknown): boolean => (answer as { ok?: boolean }).ok !== true

/** What each command asks of the API; docs/http-api.md and docs/cloud.md say what is answered. */
export const OPERATOR_CALLS = {
  'verify-log': () => ({ line: 'GET /policy-log/verify', failed: isNotOk }),
  counts: () => ({ line: 'GET /counts' }),
  ledger: ([gateway = '']) => ({ line: `GET /ledger?gateway=${part(gateway)}` }),
  verify: ([gateway = '']) => ({ line: `GET /verify?gateway=${part(gateway)}`, failed: isNotOk }),
  forks: () => ({ line: 'GET /forks' }),
  adopt: ([gateway, stream, epoch]) => ({ line: 'POST /adopt', body: { gateway, stream, epoch } }),
  change: ([file = '']) => ({ line: 'POST /directory', body: bodyIn(file) }),
  operators: () => ({ line: 'GET /operators' }),
  'make-operator': ([user = '']) => ({ line: `PUT /operators/${part(user)}` }),
  'end-operator': ([user = '']) => ({ line: `DELETE /operators/${part(user)}` }),
  feature: ([feature = '', state = '']) => {
    if (state !== 'on' && state !== 'off') throw new AgentError('USAGE', `${state}: on or off`)
    return { line: `PUT /features/${part(feature)}`, body: { on: state === 'on' } }
  },
  govern: ([org = ''], { state, billing, billingZone, quotas }) => ({
    line: `PATCH /organisations/${part(org)}`,
    body: {
      ...(state === undefined ? {} : { state }),
      ...(billing === undefined ? {} : { billing }),
      ...(billingZone === undefined ? {} : { billingZone }),
      ...(quotas === undefined ? {} : { quotas: objectIn('--quotas', quotas) }),
    },
  }),
  'grant-add-on': ([org = '', workspace = '', name, service, amount]) => ({
    line: `POST /organisations/${part(org)}/workspaces/${part(workspace)}/add-ons`,
    body: { name, service, amount: Number(amount) },
  }),
  'end-add-on': ([org = '', workspace = '', addOn = '']) => ({
    line: `DELETE /organisations/${part(org)}/workspaces/${part(workspace)}/add-ons/${part(addOn)}`,
  }),
  'billing-terms': ([org = '', file = '']) => ({
    line: `PUT /organisations/${part(org)}/billing-terms`,
    body: bodyIn(file),
  }),
  statement: ([org = '', period = '']) => ({
    line: `GET /organisations/${part(org)}/statement?period=${part(period)}`,
  }),
  invoices: ([org = '']) => ({ line: `GET /organisations/${part(org)}/invoices` }),
  'close-months': ([org = '']) => ({ line: `POST /organisations/${part(org)}/billing/closing`, body: {} }),
  'meter-events': ([org = '', period]) => ({
    line: `POST /organisations/${part(org)}/billing/meter-events`,
    body: { period },
  }),
  'sent-meter-events': ([org = '', period = '']) => ({
    line: `GET /organisations/${part(org)}/billing/meter-events?period=${part(period)}`,
  }),
  'decide-meter-event': ([org = '', identifier = '', there]) => {
    if (there !== 'yes' && there !== 'no') throw new AgentError('USAGE', `${there ?? ''}: yes or no`)
    const line = `POST /organisations/${part(org)}/billing/meter-events/${part(identifier)}/verdict`
    return { line, body: { isThere: there === 'yes' } }
  },
  refund: ([org = '', payment = ''], { amount, debt, reason }) => ({
    line: `POST /organisations/${part(org)}/payments/${part(payment)}/refunds`,
    body: { amount, debt, reason },
  }),
  accounts: () => ({ line: 'GET /accounts' }),
  purchase: ([file = '']) => ({ line: 'POST /purchases', body: bodyIn(file) }),
  migrate: ([file = ''], { rehearse }) => ({
    line: rehearse === true ? 'POST /migrations/rehearsal' : 'POST /migrations',
    body: bodyIn(file),
  }),
  'set-email': ([user = '', email = '']) => ({ line: `PUT /users/${part(user)}/email`, body: { email } }),
  register: ([org, gateway, publicKey]) => ({ line: 'POST /gateways', body: { org, gateway, publicKey } }),
} as const satisfies Readonly<Record<string, Make>>

export type OperatorCall = keyof typeof OPERATOR_CALLS

/** `headgate cloud operator NAME …`: asks the cloud on this machine; the answer is the API's. */
export const operatorCommand =
  (name: OperatorCall) =>
  async (given: Given, args: readonly string[]): Promise<Answer> => {
    const make: Make = OPERATOR_CALLS[name]
    const { line, body, failed } = make(args, given)
    const client = await operatorClient(given)
    const [method, path = ''] = line.split(' ')
    const answer =
      method === 'GET'
        ? await client.get(`/v1/operator${path.split('?')[0] ?? ''}`, queryIn(path), z.unknown())
        : await client.send(`${method ?? ''} /v1/operator${path}`, body, z.unknown())
    const json = answer ?? { done: true }
    return { json, text: textOf(json), exit: failed?.(answer) === true ? 1 : 0 }
  }

const queryIn = (path: string): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(path.split('?')[1] ?? ''))

const Items = z.object({ items: z.array(z.record(z.string(), z.unknown())) })

/** A list as a table, everything else line by line. */
function textOf(answer: object): string {
  const list = Items.safeParse(answer)
  if (!list.success)
    return Object.entries(answer)
      .map(([name, value]) => `${name}: ${plain(value)}`)
      .join('\n')
  const { items } = list.data
  const columns = Object.keys(items[0] ?? {})
  return table(
    columns,
    items.map((item) => columns.map((column) => plain(item[column]))),
  )
}

const plain = (value: unknown): string => (typeof value === 'string' ? value : toJson(value))

function bodyIn(file: string): object {
  try {
    return objectIn(file, readFileSync(file, 'utf8'))
  } catch (cause) {
    if (cause instanceof AgentError) throw cause
    throw new AgentError('FILE_UNREADABLE', `Cannot read ${file}`, { cause })
  }
}

function objectIn(what: string, text: string): object {
  try {
    return z.looseObject({}).parse(JSON.parse(text))
  } catch (cause) {
    throw new AgentError('USAGE', `${what} holds no JSON object`, { cause })
  }
}
