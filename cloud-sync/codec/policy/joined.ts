import { ByteReader, ByteWriter } from '../bytes.ts'

/** First byte of several messages in one file: a snapshot and the changes since. */
const JOINED = 3
/** A gateway keeps fewer changes than this on top of a snapshot. */
const MESSAGES_MAX = 256

/** One file out of a snapshot and its changes, each as it was sealed. */
export function joinPolicy(messages: readonly Uint8Array[]): Uint8Array {
  const [only] = messages
  if (messages.length === 1 && only !== undefined) return only
  const writer = new ByteWriter()
  writer.byte(JOINED)
  writer.varint(messages.length)
  for (const message of messages) {
    writer.varint(message.length)
    writer.bytes(message)
  }
  return writer.finish()
}

/** The messages of a file, or the one message that it is. Throws SYNC_MESSAGE_MALFORMED where it is neither. */
export function splitPolicy(bytes: Uint8Array): Uint8Array[] {
  if (bytes[0] !== JOINED) return [bytes]
  const reader = new ByteReader(bytes.subarray(1))
  const count = reader.atMost(MESSAGES_MAX)
  const messages = Array.from({ length: count }, () => reader.bytes(reader.varint()))
  reader.end()
  return messages
}
