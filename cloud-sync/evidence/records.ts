import type { SealedRecord } from '../contract/index.ts'
import {
  decodeRecord,
  decodeUsageBatch,
  keyIdOf,
  openMessage,
  sha256,
  type UsageBatch,
} from '../codec/index.ts'
import { fault, type StreamFault } from './faults.ts'
import type { EvidenceScope, LineOf } from './lines.ts'
import { changedRecord } from './locate.ts'
import type { StreamWalk } from './stream-walk.ts'

/** What a line of records is judged by. */
export interface Under {
  readonly walk: StreamWalk
  readonly scope: EvidenceScope
  /** The gateway's, base64. */
  readonly publicKey: string
  readonly cloudId: string
}

/** A message as the gateway sent it. */
export function examineBatch(line: LineOf<'batch'>, under: Under): StreamFault | undefined {
  const { walk } = under
  const opened = openBatch(line, under)
  if ('what' in opened) return opened
  const found = examineLabel(opened, line, walk)
  if (found !== undefined) return found
  walk.counts.batches += 1
  for (const sealed of opened.records) {
    const wrong = examineScope(sealed, under) ?? walk.take(sealed, 'signed')
    if (wrong !== undefined) return wrong
  }
  return undefined
}

function openBatch(line: LineOf<'batch'>, { walk, publicKey, cloudId }: Under): UsageBatch | StreamFault {
  const message = Buffer.from(line.message, 'base64')
  const keyId = keyIdOf(publicKey)
  const publicKeyFor = (id: string): string | undefined => (id === keyId ? publicKey : undefined)
  const opened = openMessage({ kind: 'usage', recipient: cloudId, message, publicKeyFor })
  if (opened.ok) return decoded(opened.body) ?? fault('batch', line.first, 'it cannot be unpacked')
  const before = line.first === walk.next ? walk.head : undefined
  const seq = changedRecord(message, { first: line.first, before, head: line.head })
  const which = seq === undefined ? `numbers ${line.first} to ${line.last}` : `number ${seq} was changed`
  return fault('signature', seq ?? line.first, `${opened.because}; ${which}`)
}

/** Whether the line says what the message holds. */
function examineLabel(batch: UsageBatch, line: LineOf<'batch'>, walk: StreamWalk): StreamFault | undefined {
  const { gw, epoch, first, last, records } = batch
  const isHere = gw === walk.gateway && epoch === walk.stream.epoch
  const isLabelled = first === line.first && last === line.last && records.at(-1)?.hash === line.head
  if (!isHere || !isLabelled)
    return fault('batch', line.first, `it is of ${gw}, epoch ${epoch}, numbers ${first} to ${last}`)
  return last < walk.next ? fault('repeat', first, 'the batch has nothing new') : undefined
}

/** One record without the message that it came in. */
export function examineRecord(line: LineOf<'record'>, under: Under): StreamFault | undefined {
  const bytes = Buffer.from(line.bytes, 'base64')
  const sealed = readable(bytes)
  if (sealed === undefined) return fault('bytes', line.seq, 'it is not in the form of a usage record')
  if (sealed.record.seq !== line.seq)
    return fault('stream', line.seq, `its own number is ${sealed.record.seq}`)
  // A record without its message is here once.
  if (line.seq < under.walk.next) return fault('repeat', line.seq, 'the number was here before')
  return examineScope(sealed, under) ?? under.walk.take(sealed, 'attested')
}

function examineScope({ record }: SealedRecord, { scope }: Under): StreamFault | undefined {
  return scope.of === 'operator' || record.org === scope.org
    ? undefined
    : fault('scope', record.seq, 'the record is of another organisation')
}

function decoded(body: Uint8Array): UsageBatch | undefined {
  try {
    return decodeUsageBatch(body)
  } catch {
    // The decoder throws for any bytes it did not write, and that is the finding.
    return undefined
  }
}

function readable(bytes: Uint8Array): SealedRecord | undefined {
  try {
    return { record: decodeRecord(bytes), bytes, hash: sha256(bytes) }
  } catch {
    return undefined
  }
}
