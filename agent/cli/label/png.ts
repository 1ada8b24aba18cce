import { crc32, deflateSync } from 'node:zlib'
import { type Modules, QUIET_MODULES } from './qr.ts'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** Pixels of one module: 20 mm wide at 300 dpi and the usual 45 modules. */
const PIXELS_A_MODULE = 8

/** The code as a PNG image in grey, quiet zone included (RFC 2083). */
export function qrPng(modules: Modules): Buffer {
  const side = (modules.length + 2 * QUIET_MODULES) * PIXELS_A_MODULE
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  // 8 bits of grey, no interlace.
  header.writeUInt8(8, 8)
  const rows: Buffer[] = []
  for (let y = 0; y < side; y += 1) {
    // The first byte of a row is its filter: none.
    const row = Buffer.alloc(1 + side, 0xff)
    row[0] = 0
    const line = modules[Math.floor(y / PIXELS_A_MODULE) - QUIET_MODULES] ?? []
    for (const [column, isDark] of line.entries()) {
      const from = 1 + (column + QUIET_MODULES) * PIXELS_A_MODULE
      if (isDark) row.fill(0x00, from, from + PIXELS_A_MODULE)
    }
    rows.push(row)
  }
  const image = deflateSync(Buffer.concat(rows))
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', image),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const made = Buffer.alloc(body.length + 8)
  made.writeUInt32BE(data.length, 0)
  body.copy(made, 4)
  made.writeUInt32BE(crc32(body), body.length + 4)
  return made
}
