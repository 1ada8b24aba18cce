import { isUtf8 } from 'node:buffer'
import { WireFault } from './wire-fault.ts'

const SPACE = 0x20
const TILDE = 0x7e
const UNWANTED = /[\p{Cc}\p{Noncharacter_Code_Point}]/u

/** True where every byte is printable ASCII, as nearly every topic and name is. */
export function isPlain(bytes: Buffer, at: number, end: number): boolean {
  for (let i = at; i < end; i += 1) {
    const byte = bytes[i] ?? 0
    if (byte < SPACE || byte > TILDE) return false
  }
  return true
}

/**
 * The text of a UTF-8 encoded string (section 1.5.3), exactly as it was sent.
 * @throws WireFault utf8, null-character, control-character
 */
export function decodeText(bytes: Buffer, at: number, end: number): string {
  if (isPlain(bytes, at, end)) return bytes.toString('latin1', at, end)
  // [MQTT-1.5.3-1]: refuses overlong forms, surrogates and what is beyond U+10FFFF.
  if (!isUtf8(bytes.subarray(at, end))) throw new WireFault('utf8')
  // [MQTT-1.5.3-3]: unlike TextDecoder, this leaves EF BB BF in place as U+FEFF.
  const text = bytes.toString('utf8', at, end)
  if (text.includes('\0')) throw new WireFault('null-character') // [MQTT-1.5.3-2]
  if (UNWANTED.test(text)) throw new WireFault('control-character')
  return text
}
