import type { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { MembershipSink } from '../../cloud-sync/gateway/index.ts'
import { AgentError } from '../errors.ts'
import { Askings } from './askings.ts'
import type { Variables } from './caller.ts'

/** A policy of 10,000 members and 100,000 grants is smaller. */
const POLICY_BYTES_MAX = 8 * 1024 * 1024
/** Policies looked at in a minute, of one address and of all: each costs a signature. */
const UPLOADS_EACH = 20
const UPLOADS_ALL = 100

interface UploadParts {
  readonly sink: Pick<MembershipSink, 'apply'>
  /** Monotonic, ms. */
  readonly monoMs: () => number
}

/**
 * `POST /v1/policy`: a snapshot by any carrier, an installer's phone or a memory stick. Nobody logs in for it: its own
 * signature says whether it counts, and the same rules as for one that came over the link.
 */
export function policyUpload(app: Hono<{ Variables: Variables }>, { sink, monoMs }: UploadParts): void {
  const uploads = new Askings({ each: UPLOADS_EACH, all: UPLOADS_ALL, monoMs })
  app.post(
    '/v1/policy',
    (c, next) => {
      if (!uploads.take(c.get('address')))
        throw new AgentError('CONSOLE_TOO_MANY', 'too many policies in one minute')
      return next()
    },
    bodyLimit({
      maxSize: POLICY_BYTES_MAX,
      onError: () => {
        throw new AgentError('CONSOLE_TOO_LARGE', `a policy is at most ${POLICY_BYTES_MAX} bytes`)
      },
    }),
    async (c) => {
      const bytes = new Uint8Array(await c.req.arrayBuffer())
      const outcome = await sink.apply(bytes)
      return c.json(outcome, outcome.applied || outcome.because === 'same' ? 200 : 409)
    },
  )
}
