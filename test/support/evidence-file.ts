import { cloudIdOf, type SigningKey } from '../../cloud-sync/codec/index.ts'
import { GatewayId, type Hash, ZERO_HASH } from '../../cloud-sync/contract/index.ts'
import { frameLine } from '../../cloud-sync/evidence/frame.ts'
import type { EvidenceLine, LineOf } from '../../cloud-sync/evidence/lines.ts'
import { type EvidenceReport, verifyEvidence, type VerifyOptions } from '../../cloud-sync/evidence/index.ts'
import { sealWord } from '../../cloud-sync/evidence/words.ts'

/** A file in pieces of any size, as a disk gives it. */
export async function* pieces(file: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += size) yield await Promise.resolve(file.subarray(at, at + size))
}

export const verified = (file: Uint8Array, options?: VerifyOptions): Promise<EvidenceReport> =>
  verifyEvidence(pieces(file), options)

/** What stands in the lines, the seal left out. */
export function linesOf(file: Uint8Array): EvidenceLine[] {
  const lines = Buffer.from(file).toString('utf8').trimEnd().split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line.slice(65)) as EvidenceLine)
}

/** The lines as a forger would write them who has this key: every hash and the seal made anew. */
export function forged(lines: readonly EvidenceLine[], root: string, key: SigningKey): Buffer {
  let hash: Hash = ZERO_HASH
  const texts = lines.map((line) => {
    const framed = frameLine(hash, line)
    hash = framed.hash
    return framed.text
  })
  const word = { v: 1, what: 'seal', lines: lines.length, hash } as const
  const message = Buffer.from(sealWord(word, { cloudId: cloudIdOf(root), key })).toString('base64')
  return Buffer.from([...texts, frameLine(hash, { t: 'seal', message }).text].join(''))
}

/** A line and where it stands. */
export interface PlacedLine<T extends EvidenceLine['t']> {
  readonly index: number
  readonly line: LineOf<T>
}

/** The first line of a kind, or another one by number from 0. */
export function lineAt<T extends EvidenceLine['t']>(
  among: readonly EvidenceLine[],
  t: T,
  nth = 0,
): PlacedLine<T> {
  const index = among.flatMap((line, n) => (line.t === t ? [n] : []))[nth] ?? -1
  const line = among[index]
  if (line === undefined) throw new Error(`no line ${t} ${nth}`)
  return { index, line: line as LineOf<T> }
}

/** The lines with one in the place of another, or of none. */
export const replaced = (
  index: number,
  line: EvidenceLine | null,
  among: readonly EvidenceLine[],
): EvidenceLine[] => [...among.slice(0, index), ...(line === null ? [] : [line]), ...among.slice(index + 1)]

/** What a forger leaves who takes out the last gateway, but not the word that it is here. */
export const withoutLastGateway = (lines: readonly EvidenceLine[]): EvidenceLine[] =>
  lines.slice(
    0,
    lines.findLastIndex(({ t }) => t === 'gateway'),
  )

/** The same with the last epoch of the last gateway. */
export const withoutLastEpoch = (lines: readonly EvidenceLine[]): EvidenceLine[] =>
  lines.slice(
    0,
    lines.findLastIndex(({ t }) => t === 'stream'),
  )

/** The last epoch without its last message, and with a head to match: nothing else in it is wrong. */
export function shortened(lines: readonly EvidenceLine[]): EvidenceLine[] {
  const at = lines.findLastIndex(({ t }) => t === 'stream')
  const [stream, last] = [lines[at], lines.slice(0, -1).findLast(({ t }) => t === 'batch')]
  if (stream?.t !== 'stream' || last?.t !== 'batch') throw new Error('no stream of messages')
  const shorter = { ...stream, upTo: last.last, head: last.head }
  return replaced(at, shorter, lines.slice(0, -1))
}

/** The head says that only these gateways were asked for. */
export function askedFor(lines: readonly EvidenceLine[], only: readonly string[]): EvidenceLine[] {
  const { index, line } = lineAt(lines, 'head')
  return replaced(index, { ...line, only: only.map((id) => GatewayId.parse(id)) }, lines)
}

/** The same lines, and no word beforehand that the gateway's are among them. */
export const unlisted = (lines: readonly EvidenceLine[], gateway: string): EvidenceLine[] =>
  lines.filter((line) => line.t !== 'contents' || line.gateway !== gateway)
