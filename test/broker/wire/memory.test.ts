import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { PacketReader } from '../../../broker/wire/index.ts'
import { CONNECT, cut, field, LIMITS, packet, read } from './support.ts'

const READERS = 200
const CHUNK_BYTES = 64 * 1024
const LOOKS = 10
const LOOK_MS = 50

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of buffers that are alive. What was collected is swept beside us: the least of some looks is near the truth. */
async function buffersAlive(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let look = 0; look < LOOKS; look += 1) {
    collect()
    await sleep(LOOK_MS)
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
}

/** A chunk of its own that holds both. */
function chunkOf(whole: Buffer, end: Buffer): Buffer {
  const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  whole.copy(chunk)
  end.copy(chunk, whole.length)
  return chunk
}

test.for([
  ['nothing', Buffer.alloc(0)],
  ['the beginning of a packet', packet(0x30, field('topic'), Buffer.alloc(500)).subarray(0, 20)],
] as const)('a connection with %s waiting keeps none of its last chunk alive', async ([, end]) => {
  const whole = packet(0x30, field('a'), Buffer.alloc(CHUNK_BYTES - end.length - 7))
  const before = await buffersAlive()
  const readers = Array.from({ length: READERS }, () => {
    const reader = new PacketReader(LIMITS)
    reader.push(CONNECT)
    reader.next()
    reader.push(chunkOf(whole, end))
    expect(reader.next()).toMatchObject({ cmd: 'publish' })
    expect(reader.next()).toBeNull()
    return reader
  })
  const each = ((await buffersAlive()) - before) / READERS
  expect(readers.every(({ waiting }) => waiting === end.length)).toBe(true)
  expect(each).toBeLessThan(CHUNK_BYTES / 16)
})

test('a large packet that comes byte by byte is read, and in time: its bytes are not copied for each of them', () => {
  const large = packet(0x30, field('a'), Buffer.alloc(LIMITS.packetBytesMax - 3, 'x'))
  const { packets, waitingMax } = read([CONNECT, ...cut(large, 1)])
  expect(packets[1]).toMatchObject({ cmd: 'publish', bytes: large.length })
  expect(waitingMax).toBe(large.length - 1)
})
