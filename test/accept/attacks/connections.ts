import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { scaled } from '../../support/harness.ts'
import { connectPacket } from '../../support/mqtt-bytes.ts'
import { RawClient } from '../../support/raw-client.ts'
import { type Attack, closedWithin, during, each, silent } from './attack.ts'

/** Longer than any time a broker gives for a CONNECT. */
const CLOSES_MS_MAX = 20_000
const BYTE_EVERY_MS = 200
const TURNED_AWAY = [
  'bounds_total/connections',
  'bounds_total/connectionsPerAddress',
  'bounds_total/memoryBytes',
  'handshakes_refused_total/full',
  'closed_total/connect-timeout',
  'closed_total/crowded-out',
]

/** Too many connections, or connections that come too slowly or too often. */
export const CONNECTIONS: readonly Attack[] = [
  {
    name: '10,000 connections without a CONNECT',
    counted: TURNED_AWAY,
    async run({ port, scale }) {
      const sockets: Socket[] = []
      await each(scaled(10_000, scale), 100, async () => {
        sockets.push(await silent(port))
      })
      const closed = await Promise.all(sockets.map((socket) => closedWithin(socket, CLOSES_MS_MAX)))
      for (const socket of sockets) socket.destroy()
      return closed.filter(Boolean).length
    },
  },
  {
    name: 'a CONNECT byte by byte',
    counted: TURNED_AWAY,
    async run({ port, scale }) {
      const bytes = connectPacket({ clientId: 'l'.repeat(100) })
      let refused = 0
      await each(scaled(500, scale), 500, async () => {
        const socket = await silent(port)
        for (const byte of bytes) {
          if (socket.destroyed) break
          socket.write(Buffer.from([byte]))
          await sleep(BYTE_EVERY_MS)
        }
        if (socket.destroyed) refused += 1
        socket.destroy()
      })
      return refused
    },
  },
  {
    name: 'connections with the same client id, one after the other',
    counted: ['closed_total/taken-over'],
    async run({ port, seconds }) {
      let takenOver = 0
      let before: RawClient | undefined
      await during(seconds, async () => {
        const client = await RawClient.clean(port, 'the-same')
        if (before !== undefined && (await before.closed(CLOSES_MS_MAX))) takenOver += 1
        before = client
        return true
      })
      before?.destroy()
      return takenOver
    },
  },
  {
    name: '5,000 sessions that stay behind',
    counted: [],
    async run({ port, scale }) {
      await each(scaled(5_000, scale), 20, async (at) => {
        const client = new RawClient(port)
        try {
          await client.logIn({ clientId: `stays-${at}`, clean: false })
          await client.subscribe([`stays/${at}/#`, 'load/#'], 1)
        } finally {
          client.destroy()
        }
      })
      return 0
    },
  },
]
