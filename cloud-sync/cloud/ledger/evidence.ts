import {
  type GatewayId,
  type MemberName,
  type OrgId,
  Subject,
  type WorkspaceId,
} from '../../contract/index.ts'
import { openReceipt } from '../../codec/index.ts'
import type { EvidenceFact, EvidenceSource, EvidenceStream } from '../../evidence/index.ts'
import {
  batchesOfUsage,
  type CloudDatabase,
  type Db,
  lossesOf,
  organisationsOn,
  recordsOf,
  streamsOf,
  type UsageDay,
  usageDays,
} from '../storage/index.ts'

/** What the directory knows of gateways. */
export interface GatewayRegister {
  /** Every gateway that was ever registered here, with its public key (base64), by id. */
  gateways(): Promise<readonly { readonly id: GatewayId; readonly publicKey: string }[]>
  /** Claim receipts as the gateway sent them, the oldest first. */
  receipts(gateway: GatewayId): Promise<readonly Uint8Array[]>
}

interface Known {
  readonly db: CloudDatabase
  readonly register: GatewayRegister
  /** Of this cloud. */
  readonly cloudId: string
}

/** The ledger as evidence is written from it. */
export function ledgerEvidence({ db, register, cloudId }: Known): EvidenceSource {
  return {
    streams: (gateway) => db.consistent((trx) => usageStreams(trx, gateway)),
    stand: (gateway, { org, from, to }) =>
      db.consistent(async (trx) => {
        const streams = await usageStreams(trx, gateway)
        const days = { from: from ?? undefined, to: to ?? undefined, gateways: [gateway] }
        const orgs = org === null ? await organisationsOn(trx, gateway) : [org]
        const facts = await Promise.all(orgs.map((one) => usageDays(trx as Db, { org: one, ...days })))
        return {
          streams,
          facts: facts.flat().map(factOf),
        }
      }),
    async *batches(gateway, { epoch }) {
      for await (const { message } of batchesOfUsage(db.read, { gateway, epoch })) yield message
    },
    async *records(gateway, { epoch }, { first, last }) {
      for await (const { seq, bytes } of recordsOf(db.read, { gateway, epoch }, first)) {
        if (seq > last) return
        yield bytes
      }
    },
    losses: (gateway, { epoch }) => lossesOf(db.read, { gateway, epoch }),
    receipts: (gateway, org) => receiptsOf(register, { gateway, org, cloudId }),
  }
}

async function usageStreams(
  trx: Parameters<typeof streamsOf>[0],
  gateway: GatewayId,
): Promise<EvidenceStream[]> {
  const usage = (await streamsOf(trx, gateway)).filter(({ stream }) => stream === 'usage')
  return usage.map(({ epoch, parent, upTo, head, state }) => ({ epoch, parent, upTo, head, state }))
}

/** A sum as the ledger has it, in the words of evidence. */
export function factOf(fact: UsageDay): EvidenceFact {
  const { org, day, meter, custodian, workspace, billable, network, quantity } = fact
  return {
    org,
    day,
    subject: Subject.parse(fact.subject),
    meter,
    custodian: custodian as MemberName | null,
    workspace: workspace as WorkspaceId | null,
    billable,
    network,
    quantity,
  }
}

/** Those that the key of today signed: one of a key before proves nothing to who has only this one. */
async function receiptsOf(
  register: GatewayRegister,
  asked: { gateway: GatewayId; org: OrgId | null; cloudId: string },
): Promise<readonly Uint8Array[]> {
  const { gateway, org, cloudId } = asked
  const publicKey = (await register.gateways()).find(({ id }) => id === gateway)?.publicKey ?? ''
  return (await register.receipts(gateway)).filter((message) => {
    const receipt = openReceipt(message, { cloudId, publicKey })
    return receipt !== undefined && (org === null || (receipt.what === 'claimed' && receipt.org === org))
  })
}
