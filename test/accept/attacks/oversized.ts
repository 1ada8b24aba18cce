import { connectPacket, fixedHeader, PUBACK, publishPacket } from '../../support/mqtt-bytes.ts'
import { scaled } from '../../support/harness.ts'
import { type Attack, closedWithin, during, each, flowing, silent, withClient } from './attack.ts'

const HUGE_BYTES = 200_000_000
const CHUNK = Buffer.alloc(64 * 1024, 0x61)
const CLOSES_MS_MAX = 10_000
const AT_ONCE = 10
const MALFORMED = ['closed_total/protocol', 'connects_refused_total', 'closed_total/refused']

/** Streams so many bytes, until the connection is closed; 1 where it was. */
async function streamed(socket: Parameters<typeof flowing>[0], bytes: number): Promise<number> {
  for (let sent = 0; sent < bytes; sent += CHUNK.length) if (!(await flowing(socket, CHUNK))) return 1
  return (await closedWithin(socket, CLOSES_MS_MAX)) ? 1 : 0
}

/** Packets that are larger than they may be, or names that are. */
export const OVERSIZED: readonly Attack[] = [
  {
    name: 'a PUBLISH that claims 200 MB',
    counted: ['closed_total/protocol'],
    async run({ port, scale }) {
      let refused = 0
      await each(scaled(100, scale), AT_ONCE, async (at) => {
        await withClient(port, `claims-${at}`, async ({ socket }) => {
          socket.write(fixedHeader(0x30, HUGE_BYTES))
          if (await closedWithin(socket, CLOSES_MS_MAX)) refused += 1
        })
      })
      return refused
    },
  },
  {
    name: 'a PUBLISH of 200 MB',
    counted: ['closed_total/protocol'],
    async run({ port, scale }) {
      let refused = 0
      await each(scaled(20, scale), AT_ONCE, async (at) => {
        await withClient(port, `streams-${at}`, async ({ socket }) => {
          socket.write(fixedHeader(0x30, HUGE_BYTES))
          const closed = await streamed(socket, HUGE_BYTES)
          refused += closed
        })
      })
      return refused
    },
  },
  {
    name: 'a CONNECT of 200 MB from a stranger',
    counted: MALFORMED,
    async run({ port, scale }) {
      let refused = 0
      await each(scaled(20, scale), AT_ONCE, async () => {
        const socket = await silent(port)
        socket.write(fixedHeader(0x10, HUGE_BYTES))
        const closed = await streamed(socket, HUGE_BYTES)
        refused += closed
        socket.destroy()
      })
      return refused
    },
  },
  {
    name: 'a client id of 64 kB',
    counted: MALFORMED,
    async run({ port, scale }) {
      let refused = 0
      await each(scaled(100, scale), AT_ONCE, async () => {
        const socket = await silent(port)
        socket.write(connectPacket({ clientId: 'x'.repeat(65_535) }))
        if (await closedWithin(socket, CLOSES_MS_MAX)) refused += 1
        socket.destroy()
      })
      return refused
    },
  },
  {
    name: 'topics of 20,000 levels',
    counted: ['messages_quarantined_total', 'subscriptions_refused_total', 'closed_total/protocol'],
    async run({ port, seconds }) {
      const deep = 'a/'.repeat(20_000)
      let refused = 0
      await during(seconds, (round) =>
        withClient(port, 'deep', async (client) => {
          try {
            client.send(publishPacket({ topic: deep, payload: CHUNK.subarray(0, 8), qos: 1, id: 1 + round }))
            await client.answer(PUBACK)
            refused += 1
            const codes = await client.subscribe([deep, `${deep}#`], 1)
            refused += codes.filter((code) => code === 0x80).length
          } catch {
            refused += 1 // it was closed instead
          }
          return true
        }),
      )
      return refused
    },
  },
]
