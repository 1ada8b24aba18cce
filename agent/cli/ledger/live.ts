import { z } from 'zod'
import { type OperatorOptions, operatorClient } from '../cloud-operator.ts'
import { type Answer, table } from '../output.ts'

const Verification = z.object({
  ok: z.boolean(),
  records: z.number(),
  batches: z.number(),
  readings: z.number(),
  losses: z.array(z.object({ epoch: z.string(), first: z.number(), last: z.number(), bookedAt: z.number() })),
  faults: z.array(z.object({ stream: z.string(), epoch: z.string(), seq: z.number(), because: z.string() })),
})

/** `headgate ledger verify --live GATEWAY`: the cloud walks its own tables. */
export async function verifyLive(gateway: string, options: OperatorOptions): Promise<Answer> {
  const client = await operatorClient(options)
  const found = await client.get('/v1/operator/verify', { gateway }, Verification)
  const { ok, records, batches, readings, losses, faults } = found
  const rows = faults.map(({ stream, epoch, seq, because }) => [stream, epoch, seq, because])
  const counted = `${gateway}: ${records} usage records, ${readings} readings in ${batches} batches`
  const lost = losses.map(
    ({ epoch, first, last, bookedAt }) =>
      `\nLOST: records ${first} to ${last} of epoch ${epoch}, gone on behind them ${new Date(bookedAt).toISOString()}`,
  )
  const text = ok
    ? `${counted}, all sound${lost.join('')}`
    : `${counted}, NOT SOUND\n\n${table(['stream', 'epoch', 'number', 'what'], rows)}${lost.join('')}`
  return { json: { gateway, ...found }, text, exit: ok ? 0 : 1 }
}
