import { expect, onTestFinished, test } from 'vitest'
import { runLoad } from '../bench/support/load.ts'
import { startHeadgateBroker } from '../support/broker-process.ts'
import { ackPacket, idOf, PUBACK, PUBLISH, publishPacket } from '../support/mqtt-bytes.ts'
import { RawClient } from '../support/raw-client.ts'

async function brokerWith(...args: string[]): Promise<{ port: number; pid: number }> {
  const broker = await startHeadgateBroker({ args })
  onTestFinished(async () => {
    await broker.end('SIGKILL')
  })
  return broker
}

test('a subscriber that answers at once keeps up with ten publishers at full speed', async () => {
  const { port, pid } = await brokerWith()
  const report = await runLoad({
    ...{ port, pid, qos: 1, publishers: 10, subscribers: 1, window: 200, payloadBytes: 64 },
    ...{ persistent: false, warmSeconds: 0.5, seconds: 3 },
  })
  expect(report).toMatchObject({ lost: 0, doubled: 0 })
})

test.each([
  { session: 'stored', clean: false },
  { session: 'clean', clean: true },
])(
  'a hundred publishers who all begin at once lose a $session session nothing',
  async ({ clean }) => {
    const { port } = await brokerWith(
      ...['--limit', 'inflightOut=200', '--limit', 'queuedMessages=4000', '--limit', 'offlineMessages=4000'],
    )
    const subscriber = await RawClient.open(port, { clientId: 'takes-at-once', clean })
    const seen = new Set<string>()
    const acks: Buffer[] = []
    subscriber.onPacket = (packet) => {
      if (packet.type !== PUBLISH) return
      seen.add(packet.bytes.subarray(packet.end - 6, packet.end).toString())
      acks.push(ackPacket(PUBACK, idOf(packet)))
    }
    subscriber.afterRead = () => {
      subscriber.send(...acks.splice(0))
    }
    await subscriber.subscribe(['burst/#'], 1)
    const publishers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => RawClient.clean(port, `bursts-${at}`)),
    )
    onTestFinished(() => {
      for (const client of [subscriber, ...publishers]) client.destroy()
    })
    for (const [at, publisher] of publishers.entries())
      publisher.send(
        ...Array.from({ length: 100 }, (_, n) => {
          const payload = Buffer.from(String(at * 100 + n).padStart(6, '0'))
          return publishPacket({ topic: 'burst/one', payload, qos: 1, id: n + 1 })
        }),
      )
    await expect.poll(() => seen.size, { timeout: 60_000, interval: 50 }).toBe(10_000)
  },
  60_000,
)
