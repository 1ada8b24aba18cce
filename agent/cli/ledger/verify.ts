import { createReadStream, statSync } from 'node:fs'
import {
  type EvidenceFault,
  type EvidenceReport,
  FAULTS,
  type VerifyOptions,
  verifyEvidence,
} from '../../../cloud-sync/evidence/index.ts'
import { AgentError } from '../../errors.ts'
import type { OperatorOptions } from '../cloud-operator.ts'
import { type Answer, table } from '../output.ts'
import { createProgress } from '../progress.ts'

interface VerifyFileOptions extends OperatorOptions {
  readonly trust?: string
  readonly keyset?: string
  readonly live?: string
}

/** Whole files of some MB take no longer to read in larger pieces. */
const PIECE_BYTES = 256 * 1024

/** `headgate ledger verify FILE` or `--live GATEWAY`: exit code 1 where something is wrong. */
export async function verifyLedger(options: VerifyFileOptions, [file]: readonly string[]): Promise<Answer> {
  const { trust, keyset, live } = options
  if ((file === undefined) === (live === undefined))
    throw new AgentError('USAGE', 'either a file, or --live GATEWAY')
  if (live !== undefined) return (await import('./live.ts')).verifyLive(live, options)
  if (file === undefined) throw new AgentError('USAGE', 'which file')
  const wanted = keyset === undefined ? {} : { keyset: keysetOf(keyset) }
  const report = await verified(file, { ...(trust === undefined ? {} : { trust }), ...wanted })
  return { json: report, text: reportText(report), exit: report.ok ? 0 : 1 }
}

export async function verified(file: string, options: VerifyOptions): Promise<EvidenceReport> {
  const progress = createProgress()
  try {
    const { size } = statSync(file)
    return await verifyEvidence(createReadStream(file, { highWaterMark: PIECE_BYTES }), {
      ...options,
      progress: ({ bytes, lines }) => {
        progress.show(`${Math.floor((100 * bytes) / size)} % of ${file}, ${lines} lines`)
      },
    })
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new AgentError('FILE_UNREADABLE', `Cannot read ${file}`, { cause })
  } finally {
    progress.end()
  }
}

function keysetOf(text: string): { generation: number; version: number } {
  const [, generation, version] = /^(\d{1,9})\.(\d{1,9})$/.exec(text) ?? []
  if (generation === undefined)
    throw new AgentError('USAGE', `--keyset ${text}: generation and version, as 1.3`)
  return { generation: Number(generation), version: Number(version) }
}

const placeText = ({ line, gateway, epoch, seq }: EvidenceFault): string =>
  [
    `line ${line}`,
    ...(gateway === null ? [] : [`gateway ${gateway}`]),
    ...(epoch === null ? [] : [`epoch ${epoch}`]),
    ...(seq === null ? [] : [`number ${seq}`]),
  ].join(', ')

export function reportText(report: EvidenceReport): string {
  const { ok, fault, trusted, root, scope, keyset, facts, lines, streams } = report
  const whose = scope?.of === 'organisation' ? scope.org : 'the operator'
  const signers = keyset === null ? 'no keyset' : `keyset ${keyset.generation}.${keyset.version}`
  const believed = `root key ${trusted ? 'as named' : 'NOT checked, name it with --trust'}: ${root ?? 'none'}`
  const found =
    fault === null
      ? `sound: ${lines} lines, ${facts} sums`
      : `NOT SOUND at ${placeText(fault)}: ${fault.what}\n${FAULTS[fault.what]} (${fault.detail})`
  const head = `evidence for ${whose}, ${signers}\n${contentsText(report)}\n${believed}\n${found}`
  return ok || streams.length > 0 ? `${head}\n\n${streamsText(streams)}` : head
}

/** What the file says is in it, and by which filter: what else the ledger has is not. */
function contentsText({ contents, only, period }: EvidenceReport): string {
  const counted = `listed gateways: ${contents.gateways}, epochs: ${contents.streams}`
  const asked = only === null ? 'every gateway' : `only ${only.join(', ')}`
  const [from, to] = [period?.from ?? null, period?.to ?? null]
  const days =
    from === null && to === null ? 'every day' : `sums from ${from ?? 'the first'} to ${to ?? 'the last'}`
  return `${counted}; asked for: ${asked}, ${days}`
}

const streamsText = (streams: EvidenceReport['streams']): string =>
  table(
    ['gateway', 'epoch', 'records', 'messages', 'signed', 'attested', 'hidden', 'lost'],
    streams.map(({ gateway, epoch, upTo, batches, signed, attested, hidden, lost }) => [
      gateway,
      epoch,
      upTo,
      batches,
      signed,
      attested,
      hidden,
      lost,
    ]),
  )
