import type { Context } from 'hono'
import { z } from 'zod'
import { GatewayId, OrgId } from '../../contract/index.ts'
import { type EvidenceSource, writeEvidence } from '../../evidence/index.ts'
import type { GatewayRegister } from '../ledger/index.ts'
import type { CloudKeys } from '../keys/index.ts'
import type { Log } from '../log.ts'
import { linesAnswer } from './lines-answer.ts'
import { ApiError, checked } from './problem.ts'

export interface EvidenceSettings {
  readonly source: EvidenceSource
  readonly register: Pick<GatewayRegister, 'gateways'>
  readonly keys: Pick<CloudKeys, 'rootPublicKey' | 'keyset' | 'signing'>
  readonly log: Log
}

const Day = z.iso.date()
/** `gateway` may be given several times. */
const EvidenceQuery = z.strictObject({
  gateway: z.array(GatewayId).optional(),
  organisation: z.array(OrgId).length(1).optional(),
  from: z.array(Day).length(1).optional(),
  to: z.array(Day).length(1).optional(),
})

/** An evidence file as the operator asks for it: everything, or as one organisation may see it. */
export async function evidenceAnswer(settings: EvidenceSettings, c: Context): Promise<Response> {
  const { gateway, organisation, from, to } = checked(EvidenceQuery, c.req.queries())
  const known = await settings.register.gateways()
  const wanted = gateway === undefined ? known : known.filter(({ id }) => gateway.includes(id))
  if (gateway !== undefined && wanted.length !== new Set(gateway).size)
    throw new ApiError('API_NOT_FOUND', 'there is no such gateway')
  const [org] = organisation ?? []
  const { rootPublicKey, keyset, signing } = settings.keys
  const lines = writeEvidence(settings.source, {
    scope: org === undefined ? { of: 'operator' } : { of: 'organisation', org },
    period: { from: from?.[0] ?? null, to: to?.[0] ?? null },
    only: gateway ?? null,
    gateways: wanted,
    keys: { rootPublicKey, keyset, signing },
  })
  c.header('Content-Type', 'text/plain; charset=utf-8')
  return linesAnswer(c, lines, settings.log)
}
