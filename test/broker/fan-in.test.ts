import { expect, onTestFinished, test } from 'vitest'
import { runLoad } from '../bench/support/load.ts'
import { startHeadgateBroker } from '../support/broker-process.ts'
import { ackPacket, idOf, PUBACK, PUBLISH, publishPacket, qosOf } from '../support/mqtt-bytes.ts'
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

const TAKES_A_SECOND = 4_000
const TICK_MS = 10
const WINDOW = 2_000
const MESSAGES = 16_000

test.each([true, false])(
  'publishers wait for a subscriber that takes messages fast and could not take theirs (clean session: %s)',
  async (clean) => {
    const { port } = await brokerWith(
      ...['--limit', 'inflightOut=200', '--limit', 'queuedMessages=6000', '--limit', 'offlineMessages=6000'],
    )
    const subscriber = await RawClient.open(port, { clientId: 'takes-4000-a-second', clean })
    const seen = new Set<string>()
    const acks: Buffer[] = []
    subscriber.onPacket = (packet) => {
      if (packet.type !== PUBLISH || qosOf(packet) !== 1) return
      seen.add(packet.bytes.subarray(packet.end - 5, packet.end).toString())
      acks.push(ackPacket(PUBACK, idOf(packet)))
    }
    await subscriber.subscribe(['fast/#'], 1)
    let lookedAt = performance.now()
    // By the time that has passed: on a busy machine a tick is as long as it likes.
    const taking = setInterval(() => {
      const now = performance.now()
      subscriber.send(...acks.splice(0, ((now - lookedAt) * TAKES_A_SECOND) / 1_000))
      lookedAt = now
    }, TICK_MS)
    const publisher = await RawClient.clean(port, 'sends-as-fast-as-it-may')
    let sent = 0
    let acknowledged = 0
    const pump = (): void => {
      const frames: Buffer[] = []
      while (sent < MESSAGES && sent - acknowledged < WINDOW) {
        const payload = Buffer.from(String(sent).padStart(5, '0'))
        frames.push(publishPacket({ topic: 'fast/one', payload, qos: 1, id: (sent % 65_535) + 1 }))
        sent += 1
      }
      publisher.send(...frames)
    }
    publisher.onPacket = ({ type }) => {
      if (type === PUBACK) acknowledged += 1
    }
    publisher.afterRead = pump
    onTestFinished(() => {
      clearInterval(taking)
      subscriber.destroy()
      publisher.destroy()
    })
    pump()
    await expect.poll(() => seen.size, { timeout: 40_000, interval: 50 }).toBe(MESSAGES)
    expect(subscriber.isOpen).toBe(true)
    expect(acknowledged).toBe(MESSAGES)
  },
  60_000,
)
