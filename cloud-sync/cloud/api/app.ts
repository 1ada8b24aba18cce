import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import type { GatewayId } from '../../contract/index.ts'
import type { OrgDirectory } from '../directory/index.ts'
import type { BillingDesk } from '../invoicing/index.ts'
import type { Log } from '../log.ts'
import { pageRoutes } from '../pages/index.ts'
import type { Policies } from '../policies/index.ts'
import { type CloudDatabase, findReport, registersOfOrg, streamsOf, usageDays } from '../storage/index.ts'
import { authenticated, type Caller, demandOwn } from './caller.ts'
import { clientAddress } from './client-address.ts'
import { createAllowances, directoryRoutes } from './directory/index.ts'
import { withSafeHeaders } from './headers.ts'
import { withoutNul } from './nul.ts'
import { operatorGuard, operatorRoutes, type OperatorSettings } from './operator.ts'
import { ApiError, checked, problemFor } from './problem.ts'
import { pageOfReadings, ReadingsQuery, senml, shown } from './readings.ts'
import { sightOf } from './visible.ts'
import { webhookRoutes } from './webhook.ts'

export interface ApiSettings {
  readonly db: CloudDatabase
  readonly directory: OrgDirectory
  readonly billing: BillingDesk
  readonly policies: Policies
  readonly newId: () => string
  readonly log: Log
  /** Root public key, base64. */
  readonly trust: string
  readonly operator: Omit<OperatorSettings, 'db' | 'directory' | 'policies' | 'newId' | 'address'>
  /** Proxies whose word about whence a request comes is believed; absent = none. */
  readonly trustedProxies?: readonly string[]
}

const Day = z.iso.date()
const UsageQuery = z.strictObject({ from: Day.optional(), to: Day.optional() })

/** Largest request body, bytes: a change of the directory is some 200. */
const BODY_BYTES_MAX = 16 * 1024
const tooLarge = (): never => {
  throw new ApiError('API_REQUEST_INVALID', `a body has at most ${BODY_BYTES_MAX} bytes`)
}

const noSuchAddress = (): ApiError => new ApiError('API_NOT_FOUND', 'no such address')

const SENML = 'application/senml+json'

/** The HTTP API: every answer is what `decide` allows the caller, refusals are problem+json. */
export function createApp(settings: ApiSettings): Hono {
  const { db, directory, policies, log } = settings
  const { now } = settings.operator
  const address = clientAddress(settings.trustedProxies ?? [])
  const allowances = createAllowances(() => performance.now())
  const door = { directory, allowances, address }
  const app = new Hono()
  app.onError(problemFor(log))
  app.use(withSafeHeaders)
  app.use(withoutNul)
  // Before the limit of bodies: its addresses have limits of their own.
  app.route(
    '/',
    directoryRoutes({
      directory,
      billing: settings.billing,
      assertOperator: operatorGuard(settings.operator.token, address),
      addressOf: (c) => address.of(c),
      allowances,
      log,
    }),
  )
  app.route('/', webhookRoutes(settings.billing))
  app.route('/', pageRoutes())
  app.use(bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLarge }))
  app.notFound(() => {
    throw noSuchAddress()
  })
  app.get('/v1/health', (c) => c.json({ ok: true }))
  // Public as it is: what gateways are configured with, and what a proof made with a label names its cloud by.
  app.get('/v1/trust', (c) => c.json({ trust: settings.trust }))
  app.route(
    '/v1/operator',
    operatorRoutes({ ...settings.operator, address, db, directory, policies, newId: settings.newId }),
  )

  app.get('/v1/readings', async (c) => {
    const caller = await authenticated(door, c)
    const query = checked(ReadingsQuery, c.req.query())
    const sight = await sightOf({ policies, directory, at: now() }, caller)
    const page = await pageOfReadings({ db, sight }, query)
    const wantsSenml = query.format === 'senml' || c.req.header('Accept') === SENML
    if (!wantsSenml) return c.json({ readings: page.items.map(shown), next: page.next })
    if (page.next !== null) c.header('X-Next-Cursor', page.next)
    c.header('Content-Type', SENML)
    return c.body(JSON.stringify(page.items.map(senml)))
  })

  app.get('/v1/devices', async (c) => {
    const caller = await authenticated(door, c)
    const sight = await sightOf({ policies, directory, at: now() }, caller)
    const devices = policies.gatewaysOf(caller.principal.org).flatMap((gateway) =>
      sight.devicesOf(gateway).map(({ id, org, custodian, workspace }) => ({
        gateway,
        id,
        organisation: org,
        // Who looks after a device is its owner's business.
        ...(org === caller.principal.org ? { custodian, workspace } : {}),
      })),
    )
    return c.json({ devices })
  })

  app.get('/v1/usage', async (c) => usageShown(settings, c, await authenticated(door, c)))

  app.get('/v1/gateways', async (c) => {
    const caller = await authenticated(door, c)
    const sight = await sightOf({ policies, directory, at: now() }, caller)
    const own = policies
      .gateways()
      .filter(({ id, org }) => org === caller.principal.org && sight.mayKnowOf(id))
    return c.json({ gateways: await Promise.all(own.map(({ id }) => gatewayShown(settings, id))) })
  })

  return app
}

/** What the ledger has posted for the caller's organisation. */
async function usageShown(
  { db, directory, billing, policies }: ApiSettings,
  c: Context,
  caller: Caller,
): Promise<Response> {
  // The same bytes as where the address is not there at all (I21).
  if (await billing.hidesUsageOf(caller.principal.org)) throw noSuchAddress()
  await demandOwn(directory, caller, 'usage.read')
  const { from, to } = checked(UsageQuery, c.req.query())
  const { org } = caller.principal
  const gateways = [...policies.presenceOf(org)]
  const totals = await usageDays(db.read, { org, gateways, from, to })
  const registers = await registersOfOrg(db.read, { org, gateways })
  return c.json({
    days: totals.map((day) => ({ ...day, quantity: day.quantity.toString() })),
    registers: registers.map((register) => ({ ...register, end: register.end.toString() })),
  })
}

async function gatewayShown({ db, policies }: ApiSettings, id: GatewayId) {
  const report = await findReport(db.read, id)
  const streams = await streamsOf(db.read, id)
  return {
    id,
    online: report?.online ?? false,
    lastSeenAt: report?.lastSeenAt ?? null,
    software: report?.sw ?? null,
    policy: await policyShown(policies, id, report),
    streams: streams.map(({ stream, epoch, upTo, state }) => ({ stream, epoch, upTo, state })),
  }
}

async function policyShown(
  policies: ApiSettings['policies'],
  id: GatewayId,
  report: Awaited<ReturnType<typeof findReport>>,
) {
  const newest = await policies.sealedFor(id)
  const { policy: applied, policyGeneration } = report ?? { policy: 0, policyGeneration: 1 }
  return {
    generation: newest?.generation ?? 1,
    version: newest?.version ?? 0,
    applied,
    ...(await policies.pendingAt(id, { generation: policyGeneration, version: applied })),
  }
}
