/**
 * A process of its own: lines without a speed, each with devices that answer function 3 badly (`faulty-answers.ts`).
 * Forked with {lines, echoing, timing}; sends {ports}, then {faults} for each message; ends when its parent goes.
 */
import { once } from 'node:events'
import { type Socket, createServer } from 'node:net'
import { type Timing, answerTo, pickFault } from './faulty-answers.ts'
import { isWhole } from './rtu.ts'

export interface FaultyDevicesOptions {
  readonly lines: number
  /** The first so many give the master its own bytes back. */
  readonly echoing: number
  readonly timing: Timing
}
export type FaultyDevicesMessage = { readonly ports: number[] } | { readonly faults: Record<string, number> }

const faults: Record<string, number> = {}

/** Answers what comes on one connection. */
function serve(socket: Socket, echoes: boolean, timing: Timing): void {
  let heard: number[] = []
  const answer = (request: Uint8Array): void => {
    const fault = pickFault(Math.random)
    faults[fault] = (faults[fault] ?? 0) + 1
    const heardAt = performance.now()
    for (const { bytes, afterMs } of answerTo(request, fault, { random: Math.random, timing })) {
      const send = (): void => {
        // This process may be late itself; an answer later than any device's may not blame the master.
        if (performance.now() - heardAt <= timing.latestMs && !socket.destroyed) socket.write(bytes)
      }
      if (afterMs <= 0) send()
      else setTimeout(send, afterMs)
    }
  }
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes) => {
    if (echoes) socket.write(bytes)
    heard = [...heard, ...bytes].slice(-8)
    const request = Uint8Array.from(heard)
    if (request.length < 8 || !isWhole(request)) return
    heard = []
    answer(request)
  })
}

async function main({ lines, echoing, timing }: FaultyDevicesOptions): Promise<void> {
  const ports: number[] = []
  for (let line = 0; line < lines; line += 1) {
    const server = createServer((socket) => {
      serve(socket, line < echoing, timing)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (typeof address === 'object' && address !== null) ports.push(address.port)
  }
  process.on('message', () => process.send?.({ faults } satisfies FaultyDevicesMessage))
  process.on('disconnect', () => process.exit(0))
  process.send?.({ ports } satisfies FaultyDevicesMessage)
}

await main(JSON.parse(process.argv[2] ?? '') as FaultyDevicesOptions)
