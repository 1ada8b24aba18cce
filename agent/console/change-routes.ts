import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import {
  type GatewayChange,
  type Grantee,
  MemberName,
  OrgId,
  type Shareable,
} from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import type { ChangesHere } from '../policy/changes-here.ts'
import type { PolicyInForce } from '../policy/in-force.ts'
import { authorOf, type CallerOf, type Variables } from './caller.ts'
import { checked } from './problem.ts'
import type { ChangeFacts } from './state.ts'
import { granteeOf, thingOf } from './things.ts'

const CHANGE_BYTES_MAX = 16 * 1024

const Share = z.strictObject({ thing: z.string().max(200), to: z.string().max(200) })
const OptOut = z.strictObject({
  thing: z.string().max(200),
  alert: z.enum(['offline', 'low-battery', 'all']),
})
const Who = z.strictObject({ organisation: OrgId, name: MemberName })

interface ChangeParts {
  readonly inForce: PolicyInForce
  readonly callerOf: CallerOf
  readonly changes: ChangesHere
}

/**
 * Changes on site, each in the name of the member who logs in: `POST /v1/share`, `/v1/revoke`, `/v1/leave`, `/v1/remove`,
 * `/v1/suspend`, `/v1/block`, `/v1/opt-out`. The answer comes once the change is on the disk and in force.
 */
export function changeRoutes(
  app: Hono<{ Variables: Variables }>,
  { inForce, callerOf, changes }: ChangeParts,
): void {
  const limit = bodyLimit({
    maxSize: CHANGE_BYTES_MAX,
    onError: () => {
      throw new AgentError('CONSOLE_TOO_LARGE', `a change is at most ${CHANGE_BYTES_MAX} bytes`)
    },
  })
  const place = (body: unknown): { on: Shareable; to: Grantee } => {
    const { thing, to } = checked(Share, body)
    const on = thingOf(thing)
    if (on.kind === 'org') throw new AgentError('CONSOLE_REQUEST_INVALID', 'an organisation is not shared')
    return { on, to: granteeOf(to, (org, name) => incarnationOf(inForce, org, name)) }
  }
  app.post('/v1/share', limit, async (c) => {
    const login = authorOf(callerOf(c))
    return c.json(factsOf(await changes.share(login, place(await bodyOf(c)))))
  })
  app.post('/v1/revoke', limit, async (c) => {
    const login = authorOf(callerOf(c))
    return c.json(factsOf(await changes.revoke(login, place(await bodyOf(c)))))
  })
  app.post('/v1/leave', limit, async (c) => c.json(factsOf(await changes.leave(authorOf(callerOf(c))))))
  app.post('/v1/remove', limit, async (c) => {
    const login = authorOf(callerOf(c))
    return c.json(factsOf(await changes.remove(login, whoIn(await bodyOf(c)))))
  })
  app.post('/v1/suspend', limit, async (c) => {
    const login = authorOf(callerOf(c))
    return c.json(factsOf(await changes.suspend(login, whoIn(await bodyOf(c)))))
  })
  app.post('/v1/opt-out', limit, async (c) => {
    const login = authorOf(callerOf(c))
    const { thing, alert } = checked(OptOut, await bodyOf(c))
    const on = thingOf(thing)
    if (on.kind === 'org') throw new AgentError('CONSOLE_REQUEST_INVALID', 'an organisation has no alerts')
    return c.json(factsOf(await changes.optOut(login, { on, alert })))
  })
  app.post('/v1/block', limit, async (c) => {
    const login = authorOf(callerOf(c))
    return c.json(factsOf(await changes.block(login, whoIn(await bodyOf(c)))))
  })
}

const incarnationOf = ({ snapshot }: PolicyInForce, org: string, name: string): number | undefined =>
  snapshot?.members.find((member) => member.org === org && member.name === name)?.incarnation

async function bodyOf(context: Context): Promise<unknown> {
  try {
    return JSON.parse(await context.req.text()) as unknown
  } catch (cause) {
    throw new AgentError('CONSOLE_REQUEST_INVALID', 'the body is no JSON', { cause })
  }
}

function whoIn(body: unknown): { org: OrgId; name: MemberName } {
  const { organisation, name } = checked(Who, body)
  return { org: organisation, name }
}

function factsOf({ proposal: { dot, author, change } }: GatewayChange): ChangeFacts {
  return {
    change: change.kind,
    number: dot.seq,
    by: `${author.org}:${author.name}`,
    expiresAt: change.kind === 'grant.add' ? change.grant.expiresAt : null,
  }
}
