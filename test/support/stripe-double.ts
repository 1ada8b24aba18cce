import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

type Fields = Readonly<Record<string, string>>
interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}
interface Intent {
  readonly id: string
  readonly amount: number
  readonly currency: string
  readonly metadata: Fields
  status: string
  failure: string | null
  charged: number
}

/** How the next request fails: nothing is done; it is done and the answer is lost; it is done and said to have failed. */
export type Fault = 'refuse-connection' | 'lose-answer' | 'error-500'

/**
 * A stand-in for Stripe's API on loopback, written from its public description: idempotency keys keep the first answer,
 * errors included, and refuse another body; an intent succeeds once; webhooks are signed `t=…,v1=HMAC-SHA256`.
 */
export interface StripeDouble {
  readonly url: string
  readonly secretKey: string
  readonly webhookSecret: string
  /** Money that moved, by our name of the payment, in minor units. */
  readonly moved: ReadonlyMap<string, number>
  /** Every meter event that was taken: what the meters add up. */
  readonly meterEvents: readonly Fields[]
  /** Every refund that was made, as an event holds it. */
  readonly refunds: readonly Readonly<Record<string, unknown>>[]
  /** `METHOD /path` of what was asked. */
  readonly requests: readonly string[]
  /** What the next confirmations end with; `succeeded` where nothing is said. */
  outcome(status: 'succeeded' | 'processing' | 'card_declined'): void
  readonly fail: (...faults: readonly Fault[]) => void
  /**
   * As a day later: what was asked with which key is not known any more, and a meter event's identifier may come again
   * ("uniqueness within a rolling period of at least 24 hours").
   */
  aDayLater(): void
  /** The customer has typed card or bank into Stripe's own form. */
  finishSetup(setup: string, as: 'card' | 'bank'): void
  /** An event as Stripe sends it. `secondsAgo`: when it was signed. */
  event(
    type: string,
    object: Readonly<Record<string, unknown>>,
    more?: { id?: string; secondsAgo?: number; secret?: string },
  ): { body: Buffer; signature: string }
  /** The intent of a payment as an event holds it. */
  intentOf(payment: string): Readonly<Record<string, unknown>>
  stop(): Promise<void>
}

const SECRET_KEY = 'sk_test_double'
const WEBHOOK_SECRET = 'whsec_double'

export async function startStripeDouble(): Promise<StripeDouble> {
  const state = new State()
  const server = createServer((request, response) => void state.serve(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    secretKey: SECRET_KEY,
    webhookSecret: WEBHOOK_SECRET,
    moved: state.moved,
    meterEvents: state.meterEvents,
    refunds: state.refunds,
    requests: state.requests,
    outcome: (status) => void (state.next = status),
    fail: (...faults) => void state.faults.push(...faults),
    aDayLater: () => {
      state.kept.clear()
      state.identifiers.clear()
    },
    finishSetup: (setup, as) => {
      state.setups.set(setup, {
        ...state.setups.get(setup),
        status: 'succeeded',
        payment_method: `pm_${as}_${setup}`,
      })
    },
    intentOf: (payment) => {
      const intent = [...state.intents.values()].find(
        ({ metadata }) => metadata['headgate_payment'] === payment,
      )
      return intent === undefined ? {} : shown(intent)
    },
    event: (
      type,
      object,
      { id = `evt_${(state.ids += 1)}`, secondsAgo = 0, secret = WEBHOOK_SECRET } = {},
    ) => {
      const at = Math.floor(Date.now() / 1_000) - secondsAgo
      const body = JSON.stringify({ id, object: 'event', type, created: at, data: { object } })
      const mac = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')
      return { body: Buffer.from(body), signature: `t=${at},v1=${mac}` }
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

class State {
  readonly moved = new Map<string, number>()
  readonly meterEvents: Fields[] = []
  readonly refunds: Readonly<Record<string, unknown>>[] = []
  readonly identifiers = new Set<string>()
  readonly requests: string[] = []
  readonly setups = new Map<string, Readonly<Record<string, unknown>>>()
  readonly intents = new Map<string, Intent>()
  readonly faults: Fault[] = []
  readonly kept = new Map<string, { request: string; reply: Reply }>()
  next: 'succeeded' | 'processing' | 'card_declined' = 'succeeded'
  ids = 0

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const body = await text(request)
    this.requests.push(`${method} ${url}`)
    const fault = this.faults.shift()
    if (fault === 'refuse-connection') return void request.socket.destroy()
    const reply = this.#keyed(request, body, fault)
    if (fault === 'lose-answer') return void request.socket.destroy()
    response.writeHead(reply.status, {
      'Content-Type': 'application/json',
      'Request-Id': `req_${(this.ids += 1)}`,
    })
    response.end(JSON.stringify(reply.body))
  }

  /** The first answer to a key is kept, whatever it was; with another request the key is refused. */
  #keyed(request: IncomingMessage, body: string, fault: Fault | undefined): Reply {
    if (request.headers.authorization !== `Bearer ${SECRET_KEY}`)
      return refusal(401, 'invalid_request_error', 'Invalid API Key provided')
    const key = request.headers['idempotency-key']
    const line = `${request.method ?? ''} ${request.url ?? ''} ${body}`
    const known = typeof key === 'string' ? this.kept.get(key) : undefined
    if (known !== undefined) {
      return known.request === line
        ? known.reply
        : refusal(
            400,
            'idempotency_error',
            'Keys for idempotent requests can only be used with the same parameters',
          )
    }
    const done = this.#answer(
      `${request.method ?? ''} ${request.url ?? ''}`,
      Object.fromEntries(new URLSearchParams(body)),
    )
    const reply = fault === 'error-500' ? refusal(500, 'api_error', 'Something went wrong on our end') : done
    if (typeof key === 'string') this.kept.set(key, { request: line, reply })
    return reply
  }

  #answer(line: string, fields: Fields): Reply {
    const [, made] = /^POST \/v1\/([a-z_/]+)$/.exec(line) ?? []
    switch (made ?? '') {
      case 'customers':
        return ok({ id: `cus_${(this.ids += 1)}`, object: 'customer' })
      case 'setup_intents':
        return this.#setup(fields)
      case 'payment_intents':
        return this.#intent(fields)
      case 'billing/meter_events':
        return this.#meter(fields)
      case 'refunds':
        return this.#refund(fields)
      default:
        return this.#about(line)
    }
  }

  /** Never more than was charged. */
  #refund(fields: Fields): Reply {
    const { payment_intent: of = '', amount = '' } = fields
    const intent = this.intents.get(of)
    const gone = this.refunds.filter((one) => one['payment_intent'] === of)
    const left = gone.reduce((rest, one) => rest - Number(one['amount']), intent?.amount ?? 0)
    if (intent?.status !== 'succeeded' || Number(amount) > left)
      return refusal(400, 'invalid_request_error', 'amount', 'charge_already_refunded')
    const { currency } = intent
    const head = { id: `re_${(this.ids += 1)}`, object: 'refund', amount: Number(amount), currency }
    const status = this.next === 'processing' ? 'pending' : 'succeeded'
    const made = { ...head, payment_intent: of, metadata: nested(fields, 'metadata'), status }
    this.refunds.push(made)
    return ok(made)
  }

  #about(line: string): Reply {
    const [, listed] = /^GET \/v1\/refunds\?payment_intent=(\w+)/.exec(line) ?? []
    if (listed !== undefined)
      return ok({ object: 'list', data: this.refunds.filter((one) => one['payment_intent'] === listed) })
    const [, kind, id = '', verb] = /^(?:GET|POST) \/v1\/(\w+)\/(\w+?)(\/\w+)?$/.exec(line) ?? []
    const intent = this.intents.get(id)
    if (kind === 'setup_intents') return ok(this.setups.get(id) ?? {})
    if (kind === 'payment_methods') return ok(methodShown(id))
    if (intent === undefined) return refusal(404, 'invalid_request_error', `No such object ${line}`)
    return verb === '/confirm' ? this.#confirm(intent) : ok(shown(intent))
  }

  #setup(fields: Fields): Reply {
    const id = `seti_${(this.ids += 1)}`
    const made = {
      ...{ id, object: 'setup_intent', client_secret: `${id}_secret`, status: 'requires_payment_method' },
      ...{ payment_method: null, metadata: nested(fields, 'metadata') },
    }
    this.setups.set(id, made)
    return ok(made)
  }

  #intent(fields: Fields): Reply {
    const id = `pi_${(this.ids += 1)}`
    const { amount = '', currency = '' } = fields
    const made = { id, amount: Number(amount), currency, metadata: nested(fields, 'metadata') }
    const intent = { ...made, status: 'requires_payment_method', failure: null, charged: 0 }
    this.intents.set(id, intent)
    return ok(shown(intent))
  }

  #confirm(intent: Intent): Reply {
    if (intent.status === 'succeeded')
      return refusal(
        400,
        'invalid_request_error',
        'payment_intent_unexpected_state',
        'payment_intent_unexpected_state',
      )
    if (this.next === 'card_declined') {
      intent.failure = 'insufficient_funds'
      const error = {
        type: 'card_error',
        code: 'card_declined',
        decline_code: intent.failure,
        message: 'declined',
      }
      return { status: 402, body: { error: { ...error, payment_intent: shown(intent) } } }
    }
    intent.status = this.next
    if (this.next === 'succeeded') {
      const payment = intent.metadata['headgate_payment'] ?? ''
      this.moved.set(payment, (this.moved.get(payment) ?? 0) + intent.amount)
    }
    return ok(shown(intent))
  }

  #meter(fields: Fields): Reply {
    const { identifier = '' } = fields
    if (this.identifiers.has(identifier))
      return refusal(400, 'invalid_request_error', `An event already exists with identifier ${identifier}.`)
    this.identifiers.add(identifier)
    this.meterEvents.push(fields)
    return ok({ object: 'billing.meter_event', identifier })
  }
}

const ok = (body: Reply['body']): Reply => ({ status: 200, body })
const refusal = (status: number, type: string, message: string, code?: string): Reply => ({
  status,
  body: { error: { type, message, ...(code === undefined ? {} : { code }) } },
})

const shown = ({
  id,
  amount,
  currency,
  metadata,
  status,
  failure,
}: Intent): Readonly<Record<string, unknown>> => ({
  ...{ id, object: 'payment_intent', amount, currency, metadata, status },
  last_payment_error: failure === null ? null : { code: 'card_declined', decline_code: failure },
})

const methodShown = (id: string): Readonly<Record<string, unknown>> =>
  id.startsWith('pm_card')
    ? {
        id,
        object: 'payment_method',
        type: 'card',
        card: { brand: 'visa', last4: '4242', exp_year: 2031, exp_month: 7 },
      }
    : {
        id,
        object: 'payment_method',
        type: 'us_bank_account',
        us_bank_account: { bank_name: 'River Bank', last4: '6789' },
      }

/** `metadata[a]=1` as `{a: '1'}`. */
const nested = (fields: Fields, name: string): Fields =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) => {
      const [, inner] = new RegExp(`^${name}\\[(\\w+)\\]$`).exec(key) ?? []
      return inner === undefined ? [] : [[inner, value]]
    }),
  )
