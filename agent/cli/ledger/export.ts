import { createWriteStream, renameSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { AgentError } from '../../errors.ts'
import type { CloudClient } from '../cloud-client.ts'
import { type MemberLogin, memberClient } from '../cloud-member.ts'
import { type OperatorOptions, operatorClient } from '../cloud-operator.ts'
import type { Answer } from '../output.ts'
import { createProgress } from '../progress.ts'
import { reportText, verified } from './verify.ts'

/** Which part of the ledger; a member's own is that of `organisation`, or of the key's. */
export interface EvidenceOptions extends OperatorOptions, MemberLogin {
  readonly gateway?: readonly string[]
  readonly from?: string
  readonly to?: string
}

const MB = 1_000_000
const Trust = z.object({ trust: z.string() })

/** The cloud's root public key, and evidence as it comes: by the operator's token, or by a member's key. */
export async function evidenceFrom(
  options: EvidenceOptions,
): Promise<{ readonly trust: string; readonly pieces: AsyncIterable<Uint8Array> }> {
  const { client, path, query } = await asked(options)
  const { trust } = await client.get('/v1/trust', {}, Trust)
  return { trust, pieces: client.pieces(path, query) }
}

interface Asked {
  readonly client: CloudClient
  readonly path: string
  readonly query: [string, string][]
}

async function asked(options: EvidenceOptions): Promise<Asked> {
  const { gateway = [], from, to, organisation } = options
  const query: [string, string][] = [
    ...gateway.map((id): [string, string] => ['gateway', id]),
    ...(from === undefined ? [] : [['from', from] as [string, string]]),
    ...(to === undefined ? [] : [['to', to] as [string, string]]),
  ]
  if (options.login !== undefined || options.keyFile !== undefined) {
    if (gateway.length > 1) throw new AgentError('USAGE', '--gateway: one, or none for all, as a member')
    const { client, org } = await memberClient(options)
    return { client, path: `/v1/organisations/${org}/billing/exports/evidence`, query }
  }
  const client = await operatorClient(options)
  if (organisation !== undefined) query.push(['organisation', organisation])
  return { client, path: '/v1/operator/evidence', query }
}

/** `headgate ledger export`: writes the file, then checks it as anybody would. */
export async function exportEvidence(options: EvidenceOptions & { readonly out: string }): Promise<Answer> {
  const { trust, pieces } = await evidenceFrom(options)
  const bytes = await saved(pieces, options.out)
  const report = await verified(options.out, { trust })
  const text = `${options.out}: ${bytes} bytes\n${reportText(report)}`
  return { json: { file: options.out, bytes, report }, text, exit: report.ok ? 0 : 1 }
}

async function saved(pieces: AsyncIterable<Uint8Array>, file: string): Promise<number> {
  const progress = createProgress()
  // Under its own name only when it is there to its end.
  const part = `${file}.part`
  let bytes = 0
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      bytes += piece.length
      progress.show(`${Math.floor(bytes / MB)} MB`)
      yield piece
    }
  }
  try {
    await pipeline(Readable.from(counted()), createWriteStream(part, { mode: 0o600 }))
    renameSync(part, file)
    return bytes
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new AgentError('FILE_UNREADABLE', `Cannot write ${part}`, { cause })
  } finally {
    progress.end()
  }
}
