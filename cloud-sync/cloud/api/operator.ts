import { type HttpBindings } from '@hono/node-server'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { stream } from 'hono/streaming'
import { BATCH_READINGS_MAX, GatewayId, type Value } from '../../contract/index.ts'
import { cloudIdOf, decodeColumns, sameHash, sha256 } from '../../codec/index.ts'
import { DirectoryChange, type LogVerified, type OrgDirectory } from '../directory/index.ts'
import { verifyGateway } from '../ledger/index.ts'
import {
  chunksOf,
  type CloudDatabase,
  findChannels,
  lossesOf,
  postedTotals,
  quarantined,
  readingCounts,
  recordsOf,
  registersOf,
  resolutionsOf,
  type StreamPosition,
  streamsOf,
} from '../storage/index.ts'
import type { Policies } from '../policies/index.ts'
import type { ClientAddress } from './client-address.ts'
import { evidenceAnswer, type EvidenceSettings } from './evidence.ts'
import { ledgerWords, type LedgerWordsSettings } from './ledger-words.ts'
import { ApiError, checked } from './problem.ts'
import { done } from './outcome.ts'

export interface OperatorSettings {
  readonly db: CloudDatabase
  readonly directory: OrgDirectory
  readonly policies: Policies
  readonly newId: () => string
  readonly token: string
  readonly address: ClientAddress
  readonly evidence: EvidenceSettings
  /** Checks the whole policy log. */
  readonly verifyLog: () => Promise<LogVerified>
  /** Figures of the running parts. */
  readonly counts: () => object
  /** Wall clock, epoch ms. */
  readonly now: () => number
  /** Sends gateways that are there what is said to them. */
  readonly say: LedgerWordsSettings['say']
}

/** Everything, for whoever runs the cloud: only from this machine, only with the token of `dataDir/operator.token`. */
export function operatorRoutes(settings: OperatorSettings): Hono {
  const { db, directory, policies, newId } = settings
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.use(guard(settings))
  const gatewayOf = (query: Record<string, string>): GatewayId => checked(GatewayId, query['gateway'])

  app.get('/counts', (c) => c.json(settings.counts()))

  app.get('/ledger', async (c) => {
    const gateway = gatewayOf(c.req.query())
    const streams = await streamsOf(db.read, gateway)
    const readings = await readingCounts(db.read, gateway)
    const posted = await postedTotals(db.read, gateway)
    return c.json({
      gateway,
      streams: await Promise.all(streams.map((position) => streamShown(db, position))),
      posted: posted.map((total) => ({ ...total, quantity: total.quantity.toString() })),
      readings,
      quarantine: await quarantined(db.read, gateway),
      losses: await lossesOf(db.read, { gateway }),
      resolutions: await resolutionsOf(db.read, gateway),
    })
  })

  app.get('/records', (c) => {
    const gateway = gatewayOf(c.req.query())
    return stream(c, async (out) => {
      for (const position of await streamsOf(db.read, gateway)) {
        if (position.stream !== 'usage') continue
        for await (const { bytes, ...row } of recordsOf(db.read, position)) {
          await out.writeln(JSON.stringify({ ...row, bytes: Buffer.from(bytes).toString('base64') }))
        }
      }
    })
  })

  app.get('/readings', (c) => {
    const gateway = gatewayOf(c.req.query())
    c.header('Content-Type', 'application/x-ndjson')
    return stream(c, async (out) => {
      for (const { id, epoch, stream: name, def } of await findChannels(db.read, { gateway })) {
        const { device, sensor, channel, org } = def
        for await (const chunk of chunksOf(db.read, id)) {
          const lines = decodeColumns(chunk.data, BATCH_READINGS_MAX).map(
            ({ takenAt, value, quality, reason }) => {
              const place = { epoch, stream: name, seq: chunk.seq, device, sensor, channel, org }
              return JSON.stringify({ ...place, takenAt, value: plain(value), quality, reason })
            },
          )
          await out.write(`${lines.join('\n')}\n`)
        }
      }
    })
  })

  app.get('/verify', async (c) => c.json(await verified(settings, gatewayOf(c.req.query()))))

  app.get('/evidence', (c) => evidenceAnswer(settings.evidence, c))
  app.get('/policy-log/verify', async (c) => c.json(await settings.verifyLog()))

  app.route('/', ledgerWords(settings))

  app.post('/directory', async (c) => {
    const change = checked(DirectoryChange, await c.req.json().catch(() => undefined))
    const actor = { kind: 'operator', name: 'operator' } as const
    done(await directory.write.platform.configure({ actor, key: newId() }, change))
    await policies.caughtUp()
    return c.json({ done: change.kind })
  })
  return app as unknown as Hono
}

function guard({
  token,
  address,
}: Pick<OperatorSettings, 'token' | 'address'>): MiddlewareHandler<{ Bindings: HttpBindings }> {
  const assertOperator = operatorGuard(token, address)
  return async (c, next) => {
    assertOperator(c)
    await next()
  }
}

/** Throws API_NOT_FOUND to everybody from another machine, API_UNAUTHORISED without the token. */
export function operatorGuard(
  token: string,
  address: ClientAddress,
): (c: Context<{ Bindings: HttpBindings }>) => void {
  const expected = sha256(Buffer.from(token))
  return (c) => {
    const given = /^bearer (.{1,256})$/i.exec(c.req.header('Authorization') ?? '')?.[1] ?? ''
    const isRight = sameHash(sha256(Buffer.from(given)), expected)
    // From anywhere else the operator's surface does not exist.
    if (!address.isLocal(c)) throw new ApiError('API_NOT_FOUND', 'no such address')
    if (!isRight) throw new ApiError('API_UNAUTHORISED', 'the operator token is wrong or missing')
  }
}

async function verified({ db, evidence }: OperatorSettings, gateway: GatewayId) {
  const { register, keys } = evidence
  const known = (await register.gateways()).find(({ id }) => id === gateway)
  const signer = known && { publicKey: known.publicKey, cloudId: cloudIdOf(keys.rootPublicKey) }
  return verifyGateway(db.read, gateway, signer)
}

async function streamShown(db: CloudDatabase, position: StreamPosition) {
  const { stream: name, epoch, parent, upTo, head, state } = position
  const common = { stream: name, epoch, parent, upTo, head, state }
  if (name !== 'usage') return common
  const registers = await registersOf(db.read, position)
  return {
    ...common,
    registers: registers.map((register) => ({ ...register, end: register.end.toString() })),
  }
}

const plain = (value: Value): unknown => (typeof value === 'bigint' ? value.toString() : value)
