import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadReport, runLoad } from '../bench/support/load.ts'
import { startHeadgateBroker } from '../support/broker-process.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { ackPacket, idOf, PUBACK, PUBLISH, qosOf } from '../support/mqtt-bytes.ts'
import { peakMiB } from '../support/process-figures.ts'
import { RawClient } from '../support/raw-client.ts'

const SECONDS = 30
const MESSAGES_A_SECOND = 2_000
/** So that what waits for a frozen subscriber is soon more than the system keeps for it. */
const PAYLOAD_BYTES = 1_024
const SLOW_BYTES_A_SECOND = 50_000
const SLOW_TICK_MS = 100
const GAP_MS_MAX = 250
/** Below full scale this runs beside other tests: then the figure shows only that nobody waits for a time-out. */
const GAP_MS_MAX_SMALL = 3_000
const MEMORY_MIB_MAX = 256

/** Subscribes and never reads again. */
async function frozen(port: number, qos: 0 | 1): Promise<RawClient> {
  const client = await RawClient.clean(port, 'frozen')
  await client.subscribe(['load/#'], qos)
  client.socket.pause()
  return client
}

/** Subscribes and reads a little at a time, acknowledging what it has read. */
async function slow(port: number, qos: 0 | 1): Promise<{ client: RawClient; reading: NodeJS.Timeout }> {
  const client = await RawClient.clean(port, 'slow')
  const acks: Buffer[] = []
  client.onPacket = (seen) => {
    if (seen.type === PUBLISH && qosOf(seen) === 1) acks.push(ackPacket(PUBACK, idOf(seen)))
  }
  await client.subscribe(['load/#'], qos)
  const { socket } = client
  socket.pause()
  let allowed = 0
  socket.on('data', (chunk: Buffer) => {
    allowed -= chunk.length
    if (allowed <= 0) socket.pause()
  })
  const reading = setInterval(() => {
    allowed = Math.min(allowed, 0) + (SLOW_BYTES_A_SECOND * SLOW_TICK_MS) / 1000
    client.send(...acks.splice(0))
    if (allowed > 0) socket.resume()
  }, SLOW_TICK_MS)
  return { client, reading }
}

interface Found {
  readonly healthy: LoadReport
  readonly peakMiB: number
  readonly frozenClosed: boolean
  readonly slowClosed: boolean
}

async function beside(qos: 0 | 1, seconds: number): Promise<Found> {
  const broker = await startHeadgateBroker()
  const { port, pid } = broker
  const stuck = await frozen(port, qos)
  const lagging = await slow(port, qos)
  try {
    const healthy = await runLoad({
      ...{ port, pid, qos, publishers: 1, subscribers: 1, window: 4_000, payloadBytes: PAYLOAD_BYTES },
      ...{ persistent: false, rate: MESSAGES_A_SECOND, warmSeconds: 1, seconds },
    })
    // What a paused socket was told is seen once it is read.
    clearInterval(lagging.reading)
    for (const { socket } of [stuck, lagging.client]) socket.resume()
    await sleep(200)
    const [frozenClosed, slowClosed] = [!stuck.isOpen, !lagging.client.isOpen]
    return { healthy, peakMiB: peakMiB(pid), frozenClosed, slowClosed }
  } finally {
    clearInterval(lagging.reading)
    stuck.destroy()
    lagging.client.destroy()
    await broker.end('SIGKILL')
  }
}

export const harness: Harness = {
  what: 'A frozen, a slow and a healthy subscriber of the same 2,000 messages a second: the healthy one waits for nobody and misses nothing.',
  async run({ scale, progress }) {
    const seconds = scaled(SECONDS, scale, 3)
    const gapMsMax = scale >= 1 ? GAP_MS_MAX : GAP_MS_MAX_SMALL
    const figures: Record<string, Found> = {}
    const failures: string[] = []
    for (const qos of [0, 1] as const) {
      const found = await beside(qos, seconds)
      const { healthy } = found
      figures[`qos${qos}`] = found
      progress(`QoS ${qos}: longest gap ${Math.round(healthy.longestGapMs)} ms, ${healthy.lost} lost`)
      if (healthy.lost > 0) failures.push(`QoS ${qos}: the healthy subscriber missed ${healthy.lost}`)
      if (healthy.longestGapMs > gapMsMax)
        failures.push(`QoS ${qos}: a gap of ${Math.round(healthy.longestGapMs)} ms`)
      if (found.peakMiB > MEMORY_MIB_MAX)
        failures.push(`QoS ${qos}: ${Math.round(found.peakMiB)} MiB resident`)
      if (healthy.rate < MESSAGES_A_SECOND / 2)
        failures.push(`QoS ${qos}: only ${healthy.rate} messages a second`)
    }
    return { figures, failures }
  },
}
