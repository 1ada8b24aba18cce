import type { GatewayId } from '../contract/index.ts'
import { type EvidenceSource, writeEvidence } from '../evidence/index.ts'
import type { UsageEvidence } from './invoicing/index.ts'
import type { CloudKeys } from './keys/index.ts'
import { type GatewayRegister, ledgerEvidence } from './ledger/index.ts'
import type { CloudDatabase, DirectoryReader } from './storage/index.ts'

/** What evidence is written from: the ledger's records and the directory's gateways. */
export function evidenceOf(given: {
  readonly db: CloudDatabase
  readonly read: DirectoryReader
  readonly cloudId: string
}): { readonly source: EvidenceSource; readonly register: GatewayRegister } {
  const { db, read, cloudId } = given
  const register: GatewayRegister = {
    async gateways() {
      const rows = await read.find('gateway', {}, { orderBy: ['id'] })
      return rows.map(({ id, public_key: publicKey }) => ({ id: id as GatewayId, publicKey }))
    },
    async receipts(gateway) {
      const rows = await read.find('claim_receipt', { gateway }, { orderBy: ['counter', 'what'] })
      return rows.map(({ receipt }) => Buffer.from(receipt, 'base64'))
    },
  }
  return { source: ledgerEvidence({ db, register, cloudId }), register }
}

/** The evidence of one organisation, signed by the keys of the moment. */
export const evidenceForOrganisations = (given: {
  readonly source: EvidenceSource
  readonly register: Pick<GatewayRegister, 'gateways'>
  readonly keys: Pick<CloudKeys, 'rootPublicKey' | 'keyset' | 'signing'>
}): UsageEvidence =>
  async function* ({ org, only, gateways, period }) {
    const known = (await given.register.gateways()).filter(({ id }) => gateways.includes(id))
    const { rootPublicKey, keyset, signing } = given.keys
    const keys = { rootPublicKey, keyset, signing }
    const scope = { of: 'organisation', org } as const
    yield* writeEvidence(given.source, { scope, period, only, gateways: known, keys })
  }
