import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerProcess } from '../../support/broker-process.ts'
import { connectPacket } from '../../support/mqtt-bytes.ts'
import { proportionalMiB, residentMiB } from '../../support/process-figures.ts'

/** Connections opened at one time: a listener's queue is short. */
const AT_ONCE = 50

export interface IdleMemory {
  readonly rssMiB: number
  readonly pssMiB: number
}

/** Memory of a broker with so many clients that are logged in and say nothing. */
export async function idleMemory(
  broker: BrokerProcess,
  { connections, restSeconds }: { readonly connections: number; readonly restSeconds: number },
): Promise<IdleMemory> {
  const sockets: Socket[] = []
  try {
    while (sockets.length < connections) {
      const count = Math.min(AT_ONCE, connections - sockets.length)
      const from = sockets.length
      sockets.push(
        ...(await Promise.all(Array.from({ length: count }, (_, at) => loggedIn(broker.port, from + at)))),
      )
    }
    await sleep(restSeconds * 1000)
    if (sockets.some(({ destroyed }) => destroyed)) throw new Error('the broker closed idle connections')
    return { rssMiB: residentMiB(broker.pid), pssMiB: proportionalMiB(broker.pid) }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

async function loggedIn(port: number, at: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(connectPacket({ clientId: `idle-${at}` }))
  const answer = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  if (!Buffer.isBuffer(answer[0])) throw new Error('the broker took no further connection')
  return socket
}
