import { Hono } from 'hono'
import { z } from 'zod'
import { Epoch, GatewayId, STREAMS, ZERO_HASH } from '../../contract/index.ts'
import type { Outcome } from '../ingest/index.ts'
import { adopt, resolveFork } from '../ledger/index.ts'
import { type CloudDatabase, forkedStreams, lossesOf, waitingEpochs } from '../storage/index.ts'
import { ApiError, checked } from './problem.ts'

const TEXT_LENGTH_MAX = 500

const Adopted = z.strictObject({
  gateway: GatewayId,
  stream: z.enum(STREAMS),
  epoch: Epoch,
  by: z.string().min(1).max(TEXT_LENGTH_MAX).default('operator'),
  reason: z.string().max(TEXT_LENGTH_MAX).default(''),
})
const Resolved = z.strictObject({
  gateway: GatewayId,
  epoch: Epoch,
  verdict: z.enum(['resume', 'close']),
  by: z.string().min(1).max(TEXT_LENGTH_MAX),
  reason: z.string().min(1).max(TEXT_LENGTH_MAX),
})

export interface LedgerWordsSettings {
  readonly db: CloudDatabase
  /** Wall clock, epoch ms. */
  readonly now: () => number
  /** Says to gateways that are there what became of what they wait for. */
  readonly say: (outcomes: readonly Outcome[]) => void
}

/** What the ledger cannot judge, and the operator's word on it. */
export function ledgerWords({ db, now, say }: LedgerWordsSettings): Hono {
  const app = new Hono()

  app.get('/forks', async (c) => {
    const forked = (await forkedStreams(db.read)).map((fork) => ({
      ...fork,
      stream: 'usage',
      state: 'forked',
    }))
    const held = (await waitingEpochs(db.read)).map((epoch) => ({ ...epoch, state: 'held' }))
    return c.json({ forks: [...forked, ...held] })
  })

  app.get('/losses', async (c) => c.json({ losses: await lossesOf(db.read) }))

  app.post('/resolve', async (c) => {
    const word = checked(Resolved, await c.req.json().catch(() => undefined))
    const outcome = await resolveFork(db, { ...word, now: now() })
    if (outcome !== 'resolved') throw new ApiError('API_CONFLICT', `not resolved: ${outcome}`)
    return c.json({ resolved: word })
  })

  app.post('/adopt', async (c) => {
    const word = checked(Adopted, await c.req.json().catch(() => undefined))
    const { outcome, adopted } = await adopt(db, { ...word, now: now() })
    if (outcome !== 'adopted') throw new ApiError('API_CONFLICT', `not adopted: ${outcome}`)
    const goesOn = { upTo: 0, hash: ZERO_HASH, status: 'ok' } as const
    // A box on hold keeps quiet for as long as its connection lasts, which may be weeks.
    say(adopted.map(({ gateway, stream, epoch }) => ({ gateway, answers: [{ stream, epoch, ...goesOn }] })))
    return c.json({ adopted: word, goOn: adopted })
  })
  return app
}
