import { Hono } from 'hono'
import { z } from 'zod'
import { Epoch, GatewayId, STREAMS } from '../../contract/index.ts'
import { adoptEpoch, resolveFork } from '../ledger/index.ts'
import { type CloudDatabase, forkedStreams, holdStreams } from '../storage/index.ts'
import { ApiError, checked } from './problem.ts'

const TEXT_LENGTH_MAX = 500

const Adopted = z.strictObject({ gateway: GatewayId, stream: z.enum(STREAMS), epoch: Epoch })
const Resolved = z.strictObject({
  gateway: GatewayId,
  epoch: Epoch,
  verdict: z.enum(['resume', 'close']),
  by: z.string().min(1).max(TEXT_LENGTH_MAX),
  reason: z.string().min(1).max(TEXT_LENGTH_MAX),
})

/** What the ledger cannot judge, and the operator's word on it. */
export function ledgerWords({ db, now }: { db: CloudDatabase; now: () => number }): Hono {
  const app = new Hono()

  app.get('/forks', async (c) => c.json({ forks: await forkedStreams(db.read) }))

  app.post('/resolve', async (c) => {
    const word = checked(Resolved, await c.req.json().catch(() => undefined))
    const outcome = await resolveFork(db, { ...word, now: now() })
    if (outcome !== 'resolved') throw new ApiError('API_CONFLICT', `not resolved: ${outcome}`)
    return c.json({ resolved: word })
  })

  app.post('/adopt', async (c) => {
    const key = checked(Adopted, await c.req.json().catch(() => undefined))
    const adoption = await db.transaction(async (tx) => {
      const streams = await holdStreams(tx, [key.gateway], now())
      const done = adoptEpoch(streams, key)
      await streams.write()
      return done
    })
    if (adoption !== 'adopted') throw new ApiError('API_CONFLICT', `not adopted: ${adoption}`)
    return c.json({ adopted: key })
  })
  return app
}
