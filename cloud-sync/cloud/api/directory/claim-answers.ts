import { z } from 'zod'

const Ms = z.int().describe('epoch milliseconds')
export const LabelShown = z.object({
  gateway: z.string(),
  label: z.string().nullable().describe('shown once; null in a repetition'),
  generation: z.int().describe('of the code on it'),
  birth: z
    .string()
    .nullable()
    .describe('the gateway’s half of it, base64: its file claim.birth, or brought to it'),
})
export const ClaimTicketSealed = z.object({
  ticket: z.string(),
  sealed: z.string().describe('the ticket as a gateway takes it, base64'),
  until: Ms,
})
export const ClaimVerdict = z.object({
  gateway: z.string(),
  claimCounter: z.int(),
  what: z.enum(['claimed', 'released']),
  verdict: z.enum(['confirmed', 'disputed', 'released', 'void']),
  because: z.string().nullable(),
})
export const ClaimHistory = z.object({
  gateway: z.string(),
  state: z.enum(['unclaimed', 'claimed', 'releasing', 'disputed', 'decommissioned']),
  org: z.string().nullable(),
  owners: z.array(z.object({ epoch: z.int(), org: z.string(), hash: z.string() })),
  receipts: z.array(
    ClaimVerdict.omit({ gateway: true }).extend({ org: z.string(), ticket: z.string().nullable(), at: Ms }),
  ),
  holds: z
    .array(z.object({ org: z.string(), since: Ms, winner: z.string().nullable() }))
    .describe('usage that was metered for somebody whose the gateway was not'),
})
export const ClaimTicketListed = z.object({
  id: z.string(),
  kind: z.enum(['ticket', 'reservation']),
  workspace: z.string().nullable(),
  installer: z.string(),
  gateway: z.string().nullable(),
  maxUses: z.int(),
  uses: z.int(),
  until: Ms,
  state: z.enum(['live', 'revoked']),
})
export const ClaimReserved = ClaimTicketSealed.extend({ gateway: z.string() })
export const ClaimDecided = LabelShown.omit({ generation: true }).extend({ org: z.string().nullable() })
