import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { PacketReader } from '../../../broker/wire/index.ts'
import { CONNECT, cut, field, LIMITS, packet, read } from './support.ts'

const READERS = 200
const CHUNK_BYTES = 64 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of buffers that are alive. */
function buffersAlive(): number {
  collect()
  return process.memoryUsage().arrayBuffers
}

/** A full chunk that begins with a whole packet and ends with these bytes. */
function chunkEndingIn(end: Buffer): Buffer {
  const whole = packet(0x30, field('a'), Buffer.alloc(CHUNK_BYTES - end.length - 7))
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  whole.copy(chunk)
  end.copy(chunk, whole.length)
  return chunk
}

test.for([
  ['nothing', Buffer.alloc(0)],
  ['the beginning of a packet', packet(0x30, field('topic'), Buffer.alloc(500)).subarray(0, 20)],
] as const)('a connection with %s waiting keeps none of its last chunk alive', ([, end]) => {
  const before = buffersAlive()
  const readers = Array.from({ length: READERS }, () => {
    const reader = new PacketReader(LIMITS)
    reader.push(CONNECT)
    reader.next()
    reader.push(chunkEndingIn(end))
    expect(reader.next()).toMatchObject({ cmd: 'publish' })
    expect(reader.next()).toBeNull()
    return reader
  })
  const each = (buffersAlive() - before) / READERS
  expect(readers.every(({ waiting }) => waiting === end.length)).toBe(true)
  expect(each).toBeLessThan(CHUNK_BYTES / 16)
})

test('a large packet that comes byte by byte is read, and in time: its bytes are not copied for each of them', () => {
  const large = packet(0x30, field('a'), Buffer.alloc(LIMITS.packetBytesMax - 3, 'x'))
  const { packets, waitingMax } = read([CONNECT, ...cut(large, 1)])
  expect(packets[1]).toMatchObject({ cmd: 'publish', bytes: large.length })
  expect(waitingMax).toBe(large.length - 1)
})
