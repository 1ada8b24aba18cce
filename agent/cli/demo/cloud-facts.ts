import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { AgentError } from '../../errors.ts'

/** How long the demo's cloud may be away, and how often it is asked for meanwhile. */
const BACK_MS_MAX = 30_000
const RETRY_MS = 200

/** A reading as the cloud keeps it. */
export interface CloudReading {
  readonly device: string
  readonly channel: string
  readonly takenAt: number
  readonly value: number | string | null
  readonly quality: string
}

export interface CloudAccess {
  /** `http://HOST:PORT` */
  readonly http: string
  /** Token of the cloud's operator surface. */
  readonly token: string
}

async function ask(access: CloudAccess, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${access.token}` }
  const response = await fetch(`${access.http}${path}`, {
    headers,
    signal: AbortSignal.timeout(30_000),
  })
  if (!response.ok)
    throw new AgentError('INTERNAL', `The demo's cloud answered ${response.status} to ${path}`)
  return response
}

/** Every reading that the cloud keeps of this gateway. */
export async function cloudReadings(access: CloudAccess, gateway: string): Promise<CloudReading[]> {
  const response = await ask(access, `/v1/operator/readings?gateway=${gateway}`)
  if (response.body === null) return []
  const found: CloudReading[] = []
  for await (const line of createInterface({ input: Readable.fromWeb(response.body) })) {
    if (line !== '') found.push(JSON.parse(line) as CloudReading)
  }
  return found
}

/** What the ledger posted for one meter, summed over all sensors. */
export async function postedSum(access: CloudAccess, gateway: string, meter: string): Promise<number> {
  const response = await ask(access, `/v1/operator/ledger?gateway=${gateway}`)
  const ledger = (await response.json()) as {
    streams: { stream: string; registers?: { meter: string; end: string }[] }[]
  }
  return ledger.streams
    .flatMap(({ registers }) => registers ?? [])
    .filter((register) => register.meter === meter)
    .reduce((sum, { end }) => sum + Number(end), 0)
}

/** True where the cloud's own check of the stored chain holds. */
export async function chainVerifies(access: CloudAccess, gateway: string): Promise<boolean> {
  const response = await ask(access, `/v1/operator/verify?gateway=${gateway}`)
  return ((await response.json()) as { ok: boolean }).ok
}

/** Revokes a share in the organisation's name; true where it was there. */
export async function revokeShare(
  http: string,
  login: { org: string; name: string; key: string },
  grant: string,
): Promise<boolean> {
  const basic = Buffer.from(`${login.org}:${login.name}:${login.key}`).toString('base64')
  // One write, however often it has to be sent.
  const headers = { authorization: `Basic ${basic}`, 'idempotency-key': randomUUID() }
  const until = Date.now() + BACK_MS_MAX
  for (;;) {
    try {
      const response = await fetch(`${http}/v1/organisations/${login.org}/shares/${grant}`, {
        method: 'DELETE',
        headers,
        signal: AbortSignal.timeout(10_000),
      })
      return response.ok
    } catch (error) {
      // It was killed a moment ago, and on a busy machine it takes a while to come back.
      if (Date.now() > until) throw error
      await sleep(RETRY_MS)
    }
  }
}
