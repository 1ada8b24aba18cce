import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import { type GatewayId, type OrgId, ShareV1 } from '../../contract/index.ts'
import { deviceIn, type Directory, type Refusal, type ShareOfGateway } from '../directory/index.ts'
import type { Log } from '../log.ts'
import { type CloudDatabase, findReport, registersOfOrg, streamsOf, usageTotals } from '../storage/index.ts'
import { authenticated, type Caller, leads } from './caller.ts'
import { operatorRoutes, type OperatorSettings } from './operator.ts'
import { ApiError, checked, problemFor } from './problem.ts'
import { pageOfReadings, ReadingsQuery, senml, shown } from './readings.ts'
import { sightOf } from './visible.ts'

export interface ApiSettings {
  readonly db: CloudDatabase
  readonly directory: Directory
  readonly log: Log
  /** A new id for a share that names none. */
  readonly newId: () => string
  readonly operator: Omit<OperatorSettings, 'db' | 'directory'>
}

const Day = z.iso.date()
const UsageQuery = z.strictObject({ from: Day.optional(), to: Day.optional() })
const NewShare = z.strictObject({
  id: ShareV1.shape.id.optional(),
  gateway: z.string().max(64),
  device: ShareV1.shape.device,
  sensor: ShareV1.shape.sensor.default(null),
  to: z.strictObject({
    organisation: ShareV1.shape.to.shape.org,
    member: ShareV1.shape.to.shape.member.default(null),
  }),
  level: ShareV1.shape.level.default('viewer'),
})

/** Largest request body, bytes: a share is some 200. */
const BODY_BYTES_MAX = 16 * 1024
const tooLarge = (): never => {
  throw new ApiError('API_REQUEST_INVALID', `a body has at most ${BODY_BYTES_MAX} bytes`)
}

const SENML = 'application/senml+json'

/** The HTTP API: every answer is what `decide` allows the caller, refusals are problem+json. */
export function createApp(settings: ApiSettings): Hono {
  const { db, directory, log } = settings
  const { now } = settings.operator
  const app = new Hono()
  app.onError(problemFor(log))
  app.use(bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLarge }))
  app.notFound(() => {
    throw new ApiError('API_NOT_FOUND', 'no such address')
  })
  app.get('/v1/health', (c) => c.json({ ok: true }))
  app.route('/v1/operator', operatorRoutes({ ...settings.operator, db, directory }))

  app.get('/v1/readings', async (c) => {
    const caller = authenticated(directory, c)
    const query = checked(ReadingsQuery, c.req.query())
    const page = await pageOfReadings({ db, sight: sightOf(directory, caller, now()) }, query)
    const wantsSenml = query.format === 'senml' || c.req.header('Accept') === SENML
    if (!wantsSenml) return c.json({ readings: page.items.map(shown), next: page.next })
    if (page.next !== null) c.header('X-Next-Cursor', page.next)
    c.header('Content-Type', SENML)
    return c.body(JSON.stringify(page.items.map(senml)))
  })

  app.get('/v1/devices', (c) => {
    const caller = authenticated(directory, c)
    const sight = sightOf(directory, caller, now())
    const devices = directory.gatewaysOf(caller.principal.org).flatMap((gateway) =>
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

  app.get('/v1/usage', async (c) => {
    const caller = authenticated(directory, c)
    requireLead(caller, 'usage')
    const { from, to } = checked(UsageQuery, c.req.query())
    const { org } = caller.principal
    const gateways = [...(directory.state().presence.get(org) ?? [])]
    const totals = await usageTotals(db.read, { org, gateways, from, to })
    const registers = await registersOfOrg(db.read, { org, gateways })
    return c.json({
      days: totals.map((total) => ({ ...total, quantity: total.quantity.toString() })),
      registers: registers.map((register) => ({ ...register, end: register.end.toString() })),
    })
  })

  app.get('/v1/gateways', async (c) => {
    const { principal } = authenticated(directory, c)
    const own = directory.gateways().filter((gateway) => gateway.org === principal.org)
    return c.json({ gateways: await Promise.all(own.map(({ id }) => gatewayShown(settings, id))) })
  })

  shareRoutes(app, settings)
  return app
}

function shareRoutes(app: Hono, { directory, newId }: ApiSettings): void {
  app.get('/v1/shares', (c) => {
    const { org } = authenticated(directory, c).principal
    const shares = [...directory.state().shares.values()]
    return c.json({
      given: shares.filter((share) => ownerOf(directory, share) === org).map(shareShown),
      received: shares.filter((share) => share.to.org === org).map(shareShown),
    })
  })

  app.post('/v1/shares', async (c) => {
    const caller = authenticated(directory, c)
    const asked = checked(NewShare, await c.req.json().catch(() => undefined))
    requireLead(caller, 'sharing')
    const gateway = asked.gateway as GatewayId
    const device = deviceIn(directory.state(), gateway, asked.device)
    // Outside the own organisation the answer is the same as for what does not exist (access.md, tenant fence).
    if (device?.org !== caller.principal.org) throw new ApiError('API_NOT_FOUND', 'no such device')
    const { sensor, level } = asked
    const to = { org: asked.to.organisation, member: asked.to.member }
    const share = { id: asked.id ?? newId(), gateway, device: device.id, sensor, to, level }
    const outcome = await directory.change(actorOf(caller), { kind: 'share.added', ...share })
    if (!outcome.done) throw refused(outcome.because)
    return c.json({ share: shareShown(share) }, 201)
  })

  app.delete('/v1/shares/:id', async (c) => {
    const caller = authenticated(directory, c)
    const id = c.req.param('id')
    const share = directory.state().shares.get(id)
    if (share === undefined || ownerOf(directory, share) !== caller.principal.org) {
      throw new ApiError('API_NOT_FOUND', 'no such share')
    }
    requireLead(caller, 'sharing')
    const { gateway, device } = share
    const outcome = await directory.change(actorOf(caller), { kind: 'share.revoked', id, gateway, device })
    if (!outcome.done) throw refused(outcome.because)
    return c.body(null, 204)
  })
}

const actorOf = ({ principal }: Caller): string => `${principal.org}:${principal.name}`

const ownerOf = (directory: Directory, { gateway, device }: ShareOfGateway): OrgId | undefined =>
  deviceIn(directory.state(), gateway, device)?.org

function requireLead(caller: Caller, what: string): void {
  if (!leads(caller)) throw new ApiError('API_FORBIDDEN', `${what} is for owners and admins`)
}

function refused(because: Refusal): ApiError {
  return because === 'unknown'
    ? new ApiError('API_NOT_FOUND', 'no such organisation, member or share')
    : new ApiError('API_CONFLICT', because === 'exists' ? 'the id is taken' : 'the owner sees it anyway')
}

function shareShown({ id, gateway, device, sensor, to, level }: ShareOfGateway) {
  return { id, gateway, device, sensor, to: { organisation: to.org, member: to.member }, level }
}

async function gatewayShown({ db, directory }: ApiSettings, id: GatewayId) {
  const report = await findReport(db.read, id)
  const newest = await directory.sealedFor(id)
  const streams = await streamsOf(db.read, id)
  return {
    id,
    online: report?.online ?? false,
    lastSeenAt: report?.lastSeenAt ?? null,
    software: report?.sw ?? null,
    policy: { version: newest?.version ?? 0, applied: report?.policy ?? 0 },
    streams: streams.map(({ stream, epoch, upTo, state }) => ({ stream, epoch, upTo, state })),
  }
}
