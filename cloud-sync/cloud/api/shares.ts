import type { Hono } from 'hono'
import { z } from 'zod'
import { ShareV1 } from '../../contract/index.ts'
import type { OrgDirectory } from '../directory/index.ts'
import type { Policies } from '../policies/index.ts'
import { authenticated, requireLead } from './caller.ts'
import { done } from './outcome.ts'
import { ApiError, checked } from './problem.ts'

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

export interface ShareSettings {
  readonly directory: OrgDirectory
  readonly policies: Policies
  /** A new id for a share that names none. */
  readonly newId: () => string
}

/** Devices shown to others: a few fields over the directory's shares. Answered when the gateways' policies have it. */
export function shareRoutes(app: Hono, settings: ShareSettings): void {
  const { directory, policies, newId } = settings
  app.get('/v1/shares', async (c) => {
    const { actor, principal } = await authenticated(directory, c)
    const shares = done(await directory.ask.shares.ofDevices(actor, { org: principal.org }))
    return c.json({ given: shares.given.map(shareShown), received: shares.received.map(shareShown) })
  })

  app.post('/v1/shares', async (c) => {
    const caller = await authenticated(directory, c)
    const asked = checked(NewShare, await c.req.json().catch(() => undefined))
    requireLead(caller, 'sharing')
    const { gateway, device, sensor, level } = asked
    const to = { org: asked.to.organisation, member: asked.to.member }
    const id = asked.id ?? newId()
    const call = { actor: caller.actor, key: newId() }
    const { org } = caller.principal
    done(await directory.write.shares.shareDevice(call, { org, id, gateway, device, sensor, to }))
    await policies.caughtUp()
    return c.json({ share: shareShown({ id, gateway, device, sensor, to, level }) }, 201)
  })

  app.delete('/v1/shares/:id', async (c) => {
    const caller = await authenticated(directory, c)
    const { org } = caller.principal
    const { given } = done(await directory.ask.shares.ofDevices(caller.actor, { org }))
    const grant = c.req.param('id')
    if (!given.some(({ id }) => id === grant)) throw new ApiError('API_NOT_FOUND', 'no such share')
    requireLead(caller, 'sharing')
    const call = { actor: caller.actor, key: newId() }
    done(await directory.write.shares.revoke(call, { org, grant }))
    await policies.caughtUp()
    return c.body(null, 204)
  })
}

interface Share {
  readonly id: string
  readonly gateway: string
  readonly device: string
  readonly sensor: string | null
  readonly to: { readonly org: string; readonly member: string | null }
  readonly level: string
}

const shareShown = ({ id, gateway, device, sensor, to, level }: Share) => ({
  id,
  gateway,
  device,
  sensor,
  to: { organisation: to.org, member: to.member },
  level,
})
