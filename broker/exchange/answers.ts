const SUBACK = 0x90
const UNSUBACK = 0xb0

/** A SUBACK with one return code for each filter of its SUBSCRIBE, in order (MQTT 3.1.1, 3.9). */
export function encodeSuback(messageId: number, codes: readonly number[]): Buffer {
  return Buffer.from([SUBACK, ...lengthOf(2 + codes.length), messageId >> 8, messageId & 0xff, ...codes])
}

/** An UNSUBACK (MQTT 3.1.1, 3.11). */
export const encodeUnsuback = (messageId: number): Buffer =>
  Buffer.from([UNSUBACK, 2, messageId >> 8, messageId & 0xff])

/** MQTT 3.1.1, 2.2.3. */
function lengthOf(length: number): number[] {
  const bytes: number[] = []
  let left = length
  do {
    const more = left > 0x7f
    bytes.push((left & 0x7f) | (more ? 0x80 : 0))
    left >>>= 7
  } while (left > 0)
  return bytes
}
