import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Load, runLoad } from '../bench/support/load.ts'
import { Latencies } from '../bench/support/tallies.ts'
import { startHeadgateBroker } from '../support/broker-process.ts'
import { ackPacket, idOf, PacketSplitter, PUBACK, PUBLISH, type Seen } from '../support/mqtt-bytes.ts'

const SMALL: Omit<Load, 'port' | 'pid'> = {
  ...{ qos: 1, publishers: 2, subscribers: 1, window: 20, payloadBytes: 64, persistent: false },
  ...{ rate: 500, warmSeconds: 0.1, seconds: 0.5 },
}

/** A broker that passes on what comes by `pass`; the number counts the messages. */
async function faultyBroker(pass: (message: Buffer, number: number, to: Socket) => void): Promise<number> {
  let subscriber: Socket | undefined
  let number = 0
  const answer = (socket: Socket, seen: Seen): void => {
    if (seen.type === 1) socket.write(Buffer.from([0x20, 2, 0, 0]))
    if (seen.type === 8) {
      subscriber = socket
      socket.write(Buffer.from([0x90, 3, 0, 1, 1]))
    }
    if (seen.type !== PUBLISH) return
    socket.write(ackPacket(PUBACK, idOf(seen)))
    // The fixed header of such small messages has two bytes.
    if (subscriber !== undefined) pass(seen.bytes.subarray(seen.start - 2, seen.end), number++, subscriber)
  }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const splitter = new PacketSplitter((seen) => {
      answer(socket, seen)
    })
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        splitter.take(chunk)
      })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

test('the load generator sees what a broker loses, doubles and passes on in the wrong order', async () => {
  let late: Buffer | undefined
  const port = await faultyBroker((message, number, to) => {
    if (number === 10) return
    if (number === 20) late = Buffer.from(message)
    else to.write(message)
    if (number === 30) to.write(message)
    if (number === 40 && late !== undefined) to.write(late)
  })
  const report = await runLoad({ ...SMALL, port, pid: process.pid })
  expect(report).toMatchObject({ lost: 1, doubled: 1, disordered: 1 })
  expect(report.acknowledged).toBe(report.sent)
})

test('through headgate broker nothing is lost, at the rate that was asked for', async () => {
  const broker = await startHeadgateBroker()
  onTestFinished(async () => {
    await broker.end('SIGKILL')
  })
  const report = await runLoad({ ...SMALL, port: broker.port, pid: broker.pid })
  expect(report).toMatchObject({ lost: 0, doubled: 0, disordered: 0 })
  expect(report.acknowledged).toBe(report.sent)
  expect(report.rate).toBeGreaterThan(50)
  expect(report.rate).toBeLessThan(1_000)
})

test('a connection that the broker closes is a failure, not a low figure', async () => {
  const port = await faultyBroker((_message, number, to) => {
    if (number === 10) to.destroy()
  })
  await expect(runLoad({ ...SMALL, port, pid: process.pid })).rejects.toThrow('without a report')
})

test('quantiles are right within a step of 5 %', () => {
  const latencies = new Latencies()
  for (let ms = 1; ms <= 1_000; ms += 1) latencies.add(ms)
  for (const share of [0.5, 0.99]) {
    const quantile = latencies.quantile(share)
    expect(quantile).toBeGreaterThanOrEqual(1_000 * share)
    expect(quantile).toBeLessThan(1_051 * share)
  }
  expect(latencies.quantile(1)).toBe(1_000)
})
