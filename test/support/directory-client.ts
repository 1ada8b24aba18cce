import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DirectoryStore } from '../../cloud-sync/cloud/storage/index.ts'

export interface HttpAnswer {
  readonly status: number
  readonly code: unknown
  readonly body: Record<string, unknown>
}

/** Somebody with a session in the cloud. */
export interface Person {
  readonly name: string
  readonly secret: string
}

const SECRET_LENGTH = 43

export const org = (id: string, rest = ''): string => `/v1/organisations/${id}${rest}`

/** The cloud's HTTP API as people use it; refused where a step is expected to be done. */
export class DirectoryClient {
  /** Of the cloud, without a slash at its end. */
  readonly url: string
  readonly #operator: string
  readonly #store: DirectoryStore
  readonly #outbox: string
  /** Also after a restart no two writes have one key. */
  readonly #prefix = randomUUID()
  #keys = 0

  /** `outbox`: where the cloud puts mails; what was sent has no text in the directory any more. */
  constructor(parts: {
    readonly url: string
    readonly operator: string
    readonly store: DirectoryStore
    readonly outbox: string
  }) {
    this.url = parts.url
    this.#operator = parts.operator
    this.#store = parts.store
    this.#outbox = parts.outbox
  }

  /** One request, `METHOD /path`; a write has a key of its own. `as` names for whom somebody acts. */
  async http(by: Person | 'operator' | null, line: string, body?: object, as?: string): Promise<HttpAnswer> {
    const secret = by === 'operator' ? this.#operator : by?.secret
    return this.asked(line, {
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      ...(body === undefined ? {} : { body }),
      ...(as === undefined ? {} : { as }),
    })
  }

  /** One request with any header of authorisation, or none. */
  async asked(
    line: string,
    { authorization, body, as }: { authorization?: string; body?: object; as?: string } = {},
  ): Promise<HttpAnswer> {
    const [method = '', path = ''] = line.split(' ')
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(authorization === undefined ? {} : { Authorization: authorization }),
        ...(method === 'GET' ? {} : { 'Idempotency-Key': `${this.#prefix}-${(this.#keys += 1)}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(as === undefined ? {} : { 'Headgate-Organisation': as }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
    return { status: response.status, code: parsed['code'], body: parsed }
  }

  /** The same, and it must be done. */
  async do(by: Person | 'operator' | null, line: string, body?: object, as?: string) {
    const { status, body: answer } = await this.http(by, line, body, as)
    if (status >= 300) throw new Error(`${line}: ${status} ${JSON.stringify(answer)}`)
    return answer
  }

  /** Signs up, with an organisation where one is named, confirms the address by the mail, and signs in. */
  async person(name: string, organisation?: string, more: object = {}): Promise<Person> {
    const founded =
      organisation === undefined ? {} : { organisation: { id: organisation, name: organisation, ...more } }
    const account = { username: name, email: `${name}@example.org`, password: `${name}-password`, name }
    await this.do(null, 'POST /v1/users', { ...account, ...founded })
    await this.do(null, 'POST /v1/email-verifications', {
      secret: await this.mailed(name, account.email, 'verify'),
    })
    const session = await this.do(null, 'POST /v1/sessions', { login: name, password: `${name}-password` })
    return { name, secret: String(session['secret']) }
  }

  /** Invites somebody who has an account, who accepts. */
  async joins(who: Person, { to, by, role = 'member' }: { to: string; by: Person; role?: string }) {
    await this.do(by, `POST ${org(to, '/invitations')}`, { email: `${who.name}@example.org`, role })
    await this.accepts(who)
  }

  async accepts(who: Person): Promise<void> {
    await this.do(who, 'POST /v1/invitations/acceptance', { secret: await this.mailed(who.name) })
  }

  /** The secret in the newest invitation to somebody, or mail to confirm the address. */
  async mailed(
    name: string,
    recipient = `${name}@example.org`,
    page: 'invitation' | 'verify' = 'invitation',
  ): Promise<string> {
    const mails = await this.#store.read.find('mail', { recipient }, { orderBy: ['created_at', 'id'] })
    const texts = mails.map(({ id, body }) =>
      body === '' ? readFileSync(join(this.#outbox, `${id}.eml`), 'utf8') : body,
    )
    const found = texts.flatMap((text) => text.split(`/${page}#`)[1]?.slice(0, SECRET_LENGTH) ?? [])
    return found.at(-1) ?? ''
  }

  /** The grant's id. */
  async share(
    by: Person,
    { of, device, to, level = 'viewer' }: { of: string; device: string; to: object; level?: string },
  ): Promise<string> {
    const thing = { kind: 'device', resource: device }
    return String((await this.do(by, `POST ${org(of, '/shares')}`, { thing, to, level }))['grant'])
  }

  /** A new API key, for the login `organisation:name`. */
  async key(who: Person, of: string): Promise<string> {
    return String((await this.do(who, `POST ${org(of, '/api-key')}`))['secret'])
  }
}
