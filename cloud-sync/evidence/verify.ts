import { type GatewayId, type Hash, ZERO_HASH } from '../contract/index.ts'
import { type Belief, Examiner } from './examiner.ts'
import type { EvidenceFault, StreamFault } from './faults.ts'
import { linesIn, type RawLine, readFrame } from './frame.ts'
import { type EvidenceFact, EvidenceLine } from './lines.ts'
import type { EvidenceReport } from './report.ts'

/** How often a reader of a long file is told how far it is, lines. */
const PROGRESS_LINES = 500

export interface VerifyOptions extends Belief {
  readonly progress?: (done: { readonly bytes: number; readonly lines: number }) => void
  /** Each sum that is claimed, as it is read; what it is worth the report says. */
  readonly fact?: (gateway: GatewayId, fact: EvidenceFact) => void
}

/**
 * Checks an evidence file by nothing but itself (docs/evidence.md): lines, keys, signatures, chains, registers, sums,
 * seal. Stops at the first thing that is wrong. Memory is bounded by the list of epochs, and one gateway's sums and
 * registers, whatever the length of the file.
 */
export async function verifyEvidence(
  file: AsyncIterable<Uint8Array>,
  options: VerifyOptions = {},
): Promise<EvidenceReport> {
  const examiner = new Examiner(options)
  let written: { lines: number; hash: Hash } = { lines: 0, hash: ZERO_HASH }
  let bytes = 0
  let found: EvidenceFault | null = null
  for await (const line of linesIn(file)) {
    const judged = judge(line, { examiner, written })
    if ('what' in judged) {
      found = placed(judged, { line: written.lines + 1, examiner })
      break
    }
    written = { lines: written.lines + 1, hash: judged.hash }
    bytes += line.bytes.length + 1
    if (written.lines % PROGRESS_LINES === 0) options.progress?.({ bytes, lines: written.lines })
  }
  if (found === null && !examiner.isSealed) {
    const ended: StreamFault = { what: 'truncated', seq: examiner.place.next, detail: 'the seal is missing' }
    found = placed(ended, { line: written.lines + 1, examiner })
  }
  return reportOf(examiner, { found, lines: written.lines, trust: options.trust })
}

/** What is wrong inside the line says more than that it was changed. */
function judge(
  { bytes, isWhole }: RawLine,
  { examiner, written }: { examiner: Examiner; written: { lines: number; hash: Hash } },
): StreamFault | { hash: Hash } {
  const { next } = examiner.place
  if (examiner.isSealed) return { what: 'after-seal', seq: null, detail: `${bytes.length} bytes` }
  if (!isWhole) return { what: 'truncated', seq: next, detail: 'the line has no end' }
  const frame = readFrame(written.hash, bytes)
  if (frame === undefined) return { what: 'line', seq: next, detail: 'it is too short' }
  const line = lineIn(frame.json)
  const changed: StreamFault = { what: 'changed', seq: next, detail: 'the running hash does not hold' }
  if (line === undefined) {
    return frame.isIntact ? { what: 'line', seq: next, detail: 'it is none of the known lines' } : changed
  }
  const found = examiner.take(line, written)
  if (found !== undefined) return found
  return frame.isIntact ? { hash: frame.hash } : { ...changed, seq: numberOf(line) }
}

function numberOf(line: EvidenceLine): number | null {
  if (line.t === 'batch' || line.t === 'others' || line.t === 'lost') return line.first
  return line.t === 'record' ? line.seq : null
}

function lineIn(json: Uint8Array): EvidenceLine | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json)
    const line = EvidenceLine.safeParse(JSON.parse(text))
    return line.success ? line.data : undefined
  } catch {
    return undefined
  }
}

function placed(found: StreamFault, { line, examiner }: { line: number; examiner: Examiner }): EvidenceFault {
  const { what, seq, detail, at } = found
  const { gateway, epoch } = at ?? examiner.place
  return { what, line, gateway, epoch, seq, detail }
}

function reportOf(
  { head, keyset, facts, streams, contents }: Examiner,
  { found, lines, trust }: { found: EvidenceFault | null; lines: number; trust: string | undefined },
): EvidenceReport {
  return {
    ok: found === null,
    fault: found,
    root: head?.root ?? null,
    trusted: head !== undefined && head.root === trust,
    scope: head?.scope ?? null,
    period: head?.period ?? null,
    only: head?.only ?? null,
    contents,
    keyset: keyset === undefined ? null : { generation: keyset.generation, version: keyset.version },
    lines,
    facts,
    streams,
  }
}
