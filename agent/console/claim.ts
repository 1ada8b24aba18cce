import type { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import { ClaimNonce } from '../../cloud-sync/contract/index.ts'
import type { ClaimFacts, ClaimService } from '../claim/index.ts'
import { AgentError } from '../errors.ts'
import { Askings } from './askings.ts'
import type { Variables } from './caller.ts'
import { checked } from './problem.ts'

/** A ticket for 256 gateways with its members and keys is some 20 kB. */
const BODY_BYTES_MAX = 64 * 1024
/** Askings and documents in a minute, of one address and of all: each costs a signature or its check. */
const ASKED_EACH = 60
const ASKED_ALL = 300

const Asked = z.strictObject({ nonce: ClaimNonce })
const Claim = z.strictObject({ ticket: z.base64(), proof: z.base64() })
const Documents = z.strictObject({ documents: z.array(z.base64()).min(1).max(8) })

/** What the gateway answers to an asking. */
export interface ChallengeFacts {
  /** Of the gateway, base64: its key id stands on the label. */
  readonly publicKey: string
  /** Signed message of kind `claim/challenge`, base64. */
  readonly challenge: string
}

/**
 * Claiming on site. Nobody logs in for it, there is nobody yet: what counts is the proof made with the label, and the
 * signatures of the cloud. What is not known is refused in the same words, whatever it was.
 */
export function claimRoutes(
  app: Hono<{ Variables: Variables }>,
  {
    claim,
    monoMs,
    isOwnSocket,
  }: {
    readonly claim: ClaimService
    readonly monoMs: () => number
    /** Asked by whoever runs the machine, who may know all of it. */
    readonly isOwnSocket: boolean
  },
): void {
  const askings = new Askings({ each: ASKED_EACH, all: ASKED_ALL, monoMs })
  app.use('/v1/claim', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLarge }))
  app.use('/v1/claim/*', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: tooLarge }), (c, next) => {
    if (!askings.take(c.get('address')))
      throw new AgentError('CONSOLE_TOO_MANY', 'too many askings in one minute')
    return next()
  })
  const body = (c: { req: { json(): Promise<unknown> } }): Promise<unknown> =>
    c.req.json().catch(() => undefined)

  app.get('/v1/claim', (c) => {
    const told = isOwnSocket ? claim.facts() : claim.told(c.req.query('ticket'))
    return c.json(told satisfies ClaimFacts)
  })
  app.post('/v1/claim/challenge', async (c) => {
    const { nonce } = checked(Asked, await body(c))
    const challenge = Buffer.from(claim.challenge(nonce)).toString('base64')
    return c.json({ publicKey: claim.facts().publicKey, challenge } satisfies ChallengeFacts)
  })
  app.post('/v1/claim', async (c) => {
    const { ticket, proof } = checked(Claim, await body(c))
    return c.json(
      await claim.claim({ ticket: Buffer.from(ticket, 'base64'), proof: Buffer.from(proof, 'base64') }),
    )
  })
  app.post('/v1/claim/documents', async (c) => {
    const { documents } = checked(Documents, await body(c))
    let taken = 0
    for (const one of documents) if (await claim.deliver(Buffer.from(one, 'base64'))) taken += 1
    return c.json({ taken })
  })
}

const tooLarge = (): never => {
  throw new AgentError('CONSOLE_TOO_LARGE', `a claim is at most ${BODY_BYTES_MAX} bytes`)
}
