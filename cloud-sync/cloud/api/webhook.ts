import { Hono } from 'hono'
import { type BillingDesk, InvoicingError } from '../invoicing/index.ts'
import { bytesOf } from './directory/body.ts'
import { ApiError } from './problem.ts'

/** An event of a payment provider is some 4,000 bytes. */
const EVENT_BYTES_MAX = 256 * 1024
const SIGNATURE_LENGTH_MAX = 1_024

/** Where the payment provider tells what became of payments: signed, over the bytes as they come. */
export function webhookRoutes(billing: BillingDesk): Hono {
  const app = new Hono()
  app.post('/v1/payments/webhook', async (c) => {
    const signature = (c.req.header('Stripe-Signature') ?? '').slice(0, SIGNATURE_LENGTH_MAX)
    const body = await bytesOf(c, EVENT_BYTES_MAX)
    try {
      return c.json({ event: await billing.takeEvent({ body, signature }) })
    } catch (error) {
      if (error instanceof InvoicingError) throw new ApiError(error.code, error.message, { cause: error })
      throw error
    }
  })
  return app
}
