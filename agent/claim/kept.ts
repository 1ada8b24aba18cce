import { z } from 'zod'
import { OrgId, PublicKey } from '../../cloud-sync/contract/index.ts'
import { type ClaimState, NEW_GATEWAY } from './machine.ts'

const known = {
  generation: z.int().min(0),
  claimKey: PublicKey.nullable(),
  counter: z.int().min(0),
  before: z.string().nullable(),
}
const State = z.discriminatedUnion('state', [
  z.strictObject({ ...known, state: z.literal('unclaimed') }),
  z.strictObject({ ...known, state: z.literal('provisional'), org: OrgId }),
  z.strictObject({ ...known, state: z.literal('claimed'), org: OrgId }),
  z.strictObject({ ...known, state: z.literal('disputed') }),
  z.strictObject({ ...known, state: z.literal('decommissioned') }),
])

const KeptClaim = z.strictObject({
  state: State,
  /** By which it was claimed last, as the cloud signed it (base64): checked again at each start. */
  ticket: z.string().nullable(),
  /** Of the last claim or release, base64. */
  receipt: z.string().nullable(),
  /** Of running since the claim, while the cloud has not confirmed it. */
  hours: z.int().min(0).default(0),
})

/** What a gateway keeps of its claim. */
export interface Kept {
  readonly state: ClaimState
  readonly ticket: string | null
  readonly receipt: string | null
  readonly hours: number
}

/** From what is stored; a new gateway where nothing is. Throws where it is not what this program wrote. */
export function keptClaim(stored: unknown): Kept {
  if (stored === undefined) return { state: NEW_GATEWAY, ticket: null, receipt: null, hours: 0 }
  return KeptClaim.parse(stored)
}
