import type { QueuedMessage } from './message-store.ts'
import type { Session } from './session-book.ts'
import { isBytes, isCount, isText, isTextOrNull } from './soundness.ts'

/** A row of a queue as the file has it. */
export interface PageRow {
  seq: unknown
  qos: unknown
  retain: unknown
  released: unknown
  extra: unknown
  topic: unknown
  payload: unknown
}

/** It is noted that this row goes. */
export const isLeaving = (session: Session, seq: number): boolean =>
  session.leaving.some(({ from, to }) => from <= seq && seq <= to)

/** Undefined where the row makes no sense. */
export function queuedMessage(row: PageRow, session: Session): QueuedMessage | undefined {
  const { seq, qos, topic, payload, extra } = row
  if (!isCount(seq) || (qos !== 1 && qos !== 2)) return undefined
  if (!isText(topic) || !isBytes(payload) || !isTextOrNull(extra)) return undefined
  const released = row.released === 1 || session.releasing.has(seq)
  const retain = row.retain === 1
  return { seq, topic, payload, qos, retain, released, ...(extra !== null && { extra }) }
}
