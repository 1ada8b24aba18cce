const CRC_POLYNOMIAL = 0xa001

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >> 1) ^ CRC_POLYNOMIAL : crc >> 1
  return crc
})

/** CRC-16/MODBUS of bytes `start` to `end`, end excluded; it travels low byte first. */
export function crc16(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffff
  for (let at = start; at < end; at += 1) {
    crc = (crc >> 8) ^ (CRC_TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0)
  }
  return crc
}

/** Longitudinal redundancy check of Modbus ASCII: the two's complement of the sum of all bytes. */
export function lrc(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum += byte
  return -sum & 0xff
}
