import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import {
  claimKeyOf,
  cloudIdOf,
  keyIdOf,
  openChallenge,
  sealOnlineProof,
  sealSiteProof,
  ticketIdIn,
} from '../../cloud-sync/codec/index.ts'
import { type ClaimLabel, OnlineProof, SiteProof } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { askGateway } from '../local-api/client.ts'
import { type CloudClient, openClient } from './cloud-client.ts'
import { type MemberLogin, memberClient } from './cloud-member.ts'
import { labelIn } from './label/label.ts'
import type { Answer } from './output.ts'
import { dataDirOf, type Where } from './query.ts'

const NONCE_BYTES = 16

/** The gateway itself, by its socket or its console. */
interface Door {
  get<T>(path: string, shape: z.ZodType<T>): Promise<T>
  post<T>(path: string, body: object, shape: z.ZodType<T>): Promise<T>
}

interface SiteOptions extends Where {
  /** Address of the gateway's console. */
  readonly gateway?: string
}

interface ClaimOptions extends SiteOptions, MemberLogin {
  readonly ticket?: string
  readonly workspace?: string
  /** Where the receipt is written. */
  readonly receipt?: string
  readonly trust?: string
}

const Facts = z.object({
  gateway: z.string(),
  state: z.string(),
  organisation: z.string().nullable(),
  publicKey: z.string(),
  lockedSeconds: z.number(),
  receipt: z.string().nullable(),
})
const Challenge = z.object({ publicKey: z.string(), challenge: z.base64() })
const Reserved = z.object({ gateway: z.string(), ticket: z.string(), sealed: z.string(), until: z.number() })
const Verdict = z.object({
  gateway: z.string(),
  claimCounter: z.int(),
  what: z.string(),
  verdict: z.string(),
  because: z.string().nullable(),
})
type Verdict = z.infer<typeof Verdict>

/** `headgate claim LABEL`: on site with a ticket, or by the cloud, or both. */
export async function claim(options: ClaimOptions, [text = '']: readonly string[]): Promise<Answer> {
  const label = labelIn(text === '-' ? readFileSync(0, 'utf8') : text)
  const { url } = options
  if (options.ticket !== undefined) {
    const sealed = readText(options.ticket)
    return claimed(label, { options, sealed, cloud: url === undefined ? undefined : openClient(url) })
  }
  const { client, org } = await memberClient(options)
  const reserved = await reserve(label, { options, client, org })
  if (!isOnSite(options)) {
    const until = new Date(reserved.until).toISOString()
    const next = `press its button before ${until}, or run this at the gateway with --config, --data or --gateway`
    return {
      json: { ...reserved, state: 'reserved' },
      text: `${label.serial} is reserved for ${org}; ${next}`,
    }
  }
  return claimed(label, { options, sealed: reserved.sealed, cloud: client })
}

const isOnSite = ({ config, data, gateway }: SiteOptions): boolean =>
  (config ?? data ?? gateway) !== undefined

async function reserve(
  label: ClaimLabel,
  { options, client, org }: { options: ClaimOptions; client: CloudClient; org: string },
): Promise<z.infer<typeof Reserved>> {
  const { username: user } = await client.get('/v1/me', {}, z.object({ username: z.string() }))
  const trust = options.trust ?? (await client.get('/v1/trust', {}, z.object({ trust: z.string() }))).trust
  const nonce = newNonce()
  const { workspace } = options
  const said = { v: 1, gateway: label.serial, org, workspace: workspace ?? null, user, nonce }
  const key = await claimKeyOf(label.serial, label.code)
  const proof = sealOnlineProof(OnlineProof.parse(said), { cloudId: cloudIdOf(trust), key })
  const body = {
    gateway: label.serial,
    nonce,
    proof: Buffer.from(proof).toString('base64'),
    ...(workspace !== undefined && { workspace }),
  }
  return client.send(`POST /v1/organisations/${encodeURIComponent(org)}/claims`, body, Reserved)
}

/** Proves the label to the gateway, and brings what it signs to the cloud where one was named. */
async function claimed(
  label: ClaimLabel,
  { options, sealed, cloud }: { options: ClaimOptions; sealed: string; cloud: CloudClient | undefined },
): Promise<Answer> {
  const door = await doorOf(options)
  const ticket = ticketIdIn(Buffer.from(sealed, 'base64'))
  if (ticket === undefined) throw new AgentError('USAGE', 'this is no ticket')
  const nonceP = newNonce()
  const asked = await door.post('/v1/claim/challenge', { nonce: nonceP }, Challenge)
  const { publicKey } = asked
  const challenge = openChallenge(Buffer.from(asked.challenge, 'base64'), { nonceP, publicKey })
  if (challenge?.gateway !== label.serial || keyIdOf(publicKey) !== label.keyFp)
    throw new AgentError('CLAIM_REFUSED', 'what answers is not the gateway of this label')
  const key = await claimKeyOf(label.serial, label.code)
  const { nonceG } = challenge
  const said = SiteProof.parse({ v: 1, gateway: label.serial, nonceP, nonceG, ticket })
  const proof = Buffer.from(sealSiteProof(said, key)).toString('base64')
  const facts = await door.post('/v1/claim', { ticket: sealed, proof }, Facts)
  const { receipt } = facts
  if (options.receipt !== undefined && receipt !== null)
    writeFileSync(options.receipt, `${JSON.stringify({ gateway: facts.gateway, receipt })}\n`)
  const verdict =
    cloud === undefined || receipt === null
      ? null
      : await cloud.send('POST /v1/claims/receipts', { gateway: facts.gateway, receipt }, Verdict)
  return {
    json: { ...facts, verdict },
    text: `${facts.gateway} is claimed for ${facts.organisation ?? ''} (${facts.state})\n${told(verdict)}`,
  }
}

const told = (verdict: Verdict | null): string => {
  if (verdict === null) return 'its cloud has yet to confirm it: by its link, or `headgate cloud receipt`'
  return `the cloud says: ${verdict.verdict}${verdict.because === null ? '' : ` (${verdict.because})`}`
}

/** `headgate claim-state`: whose the gateway says that it is. */
export async function claimState(options: SiteOptions): Promise<Answer> {
  const facts = await (await doorOf(options)).get('/v1/claim', Facts)
  const whose = facts.organisation === null ? '' : `, by ${facts.organisation}`
  const locked = facts.lockedSeconds === 0 ? '' : `\nnobody may try for ${facts.lockedSeconds} s`
  return { json: facts, text: `${facts.gateway} is ${facts.state}${whose}${locked}` }
}

/** `headgate claim-documents FILE…`: brings births and reservations to a gateway without a link. */
export async function claimDocuments(options: SiteOptions, files: readonly string[]): Promise<Answer> {
  const documents = files.map(readText)
  const door = await doorOf(options)
  const { taken } = await door.post('/v1/claim/documents', { documents }, z.object({ taken: z.int() }))
  return {
    json: { given: files.length, taken },
    text: `${taken} of ${files.length} taken`,
    exit: taken === files.length ? 0 : 1,
  }
}

/** `headgate cloud receipt FILE`: brings what a gateway signed to its cloud. Nobody has to log in for it. */
export async function bringReceipt(
  { url }: { readonly url: string },
  [file = '']: readonly string[],
): Promise<Answer> {
  const parsed = z
    .object({ gateway: z.string(), receipt: z.string() })
    .safeParse(JSON.parse(readText(file)) as unknown)
  if (!parsed.success) throw new AgentError('USAGE', `${file} is no receipt`)
  const verdict = await openClient(url).send('POST /v1/claims/receipts', parsed.data, Verdict)
  return { json: verdict, text: told(verdict) }
}

const newNonce = (): string => randomBytes(NONCE_BYTES).toString('hex')

function readText(file: string): string {
  if (!existsSync(file)) throw new AgentError('CONFIG_UNREADABLE', `there is no ${file}`)
  return readFileSync(file, 'utf8').trim()
}

async function doorOf(options: SiteOptions): Promise<Door> {
  if (options.gateway !== undefined) {
    const console = openClient(options.gateway)
    const { gateway } = options
    const silent = (cause: unknown): never => {
      if (!(cause instanceof AgentError) || cause.code !== 'CLOUD_UNREACHABLE') throw cause
      throw new AgentError('GATEWAY_NOT_RUNNING', `No gateway answers at ${gateway}`, { cause })
    }
    return {
      get: (path, shape) => console.get(path, {}, shape).catch(silent),
      post: (path, body, shape) => console.send(`POST ${path}`, body, shape).catch(silent),
    }
  }
  const dataDir = await dataDirOf(options)
  return {
    get: async (path, shape) => shape.parse(await askGateway(dataDir, path)),
    post: async (path, body, shape) => shape.parse(await askGateway(dataDir, path, { body })),
  }
}
