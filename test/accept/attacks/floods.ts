import { scaled } from '../../support/harness.ts'
import {
  PUBACK,
  publishPacket,
  SUBACK,
  subscribePacket,
  UNSUBACK,
  unsubscribePacket,
} from '../../support/mqtt-bytes.ts'
import { type Attack, during, flowing, withClient } from './attack.ts'

const PAYLOAD = Buffer.alloc(64, 0x61)
const BATCH = 100
const FILTERS_A_PACKET = 100
/** What the broker keeps of the retained messages; the rest of the million must be counted as refused. */
const RETAINED_KEPT_MAX = 50_000
const FINISHED_MS_MAX = 60_000

/** Well-formed packets, far too many of them. */
export const FLOODS: readonly Attack[] = [
  {
    name: 'QoS 1 at full speed by who never reads',
    counted: [],
    run: ({ port, seconds }) =>
      withClient(port, 'deaf', async (client) => {
        await client.subscribe(['deaf/#'], 1)
        client.socket.pause()
        const one = publishPacket({ topic: 'deaf/a', payload: PAYLOAD, qos: 1, id: 1 })
        const many = Buffer.concat(Array.from({ length: BATCH }, () => one))
        await during(seconds, async () => {
          // A broker that stops reading is right: then nothing drains any more.
          const goesOn = flowing(client.socket, many)
          const late = new Promise<boolean>((resolve) => setTimeout(resolve, seconds * 1000, false))
          return Promise.race([goesOn, late])
        })
        return 0
      }),
  },
  {
    name: '1,000,000 retained topics',
    counted: ['bounds_total/retainedTopics', 'bounds_total/retainedBytes'],
    run: ({ port, scale }) =>
      withClient(port, 'retains', async (client) => {
        const topics = scaled(1_000_000, scale, 60_000)
        for (let first = 0; first < topics; first += BATCH) {
          const count = Math.min(BATCH, topics - first)
          const packets = Array.from({ length: count }, (_, at) =>
            publishPacket({ topic: `flood/${first + at}`, payload: PAYLOAD, retain: true }),
          )
          if (!(await flowing(client.socket, Buffer.concat(packets)))) return 1
        }
        // Everything before it has been dealt with when this one is acknowledged.
        client.send(publishPacket({ topic: 'flooded', payload: PAYLOAD, qos: 1, id: 1 }))
        const answered = await Promise.race([
          client.answer(PUBACK).then(() => true),
          client.closed(FINISHED_MS_MAX).then(() => false),
        ])
        return answered ? Math.max(0, topics - RETAINED_KEPT_MAX) : 1
      }),
  },
  {
    name: '65,535 messages of QoS 2 without a PUBREL',
    counted: ['bounds_total/unreleased', 'closed_total/protocol'],
    run: ({ port, scale }) =>
      withClient(port, 'never-releases', async (client) => {
        const messages = scaled(65_535, scale, 15_000)
        for (let first = 1; first <= messages; first += BATCH) {
          const ids = Array.from({ length: BATCH }, (_, at) => Math.min(messages, first + at))
          const packets = ids.map((id) => publishPacket({ topic: 'two', payload: PAYLOAD, qos: 2, id }))
          if (!(await flowing(client.socket, Buffer.concat(packets)))) return 1
        }
        return (await client.closed(2_000)) ? 1 : 0
      }),
  },
  {
    name: '100,000 subscriptions of one client',
    counted: ['subscriptions_refused_total', 'bounds_total/subscriptions'],
    run: ({ port, scale }) =>
      withClient(port, 'subscribes', async (client) => {
        let refused = 0
        for (let first = 0; first < scaled(100_000, scale); first += FILTERS_A_PACKET) {
          const filters = Array.from({ length: FILTERS_A_PACKET }, (_, at) => `many/${first + at}/+`)
          refused += (await client.subscribe(filters, 1)).filter((code) => code === 0x80).length
        }
        return refused
      }),
  },
  {
    name: 'subscribing and unsubscribing without a pause',
    counted: [],
    run: ({ port, seconds }) =>
      withClient(port, 'in-and-out', async (client) => {
        const filters = Array.from({ length: 50 }, (_, at) => `storm/${at}/#`)
        const storm = Buffer.concat(
          Array.from({ length: 20 }, () => [
            subscribePacket(1, filters, 1),
            unsubscribePacket(2, filters),
          ]).flat(),
        )
        let answers = 0
        client.onPacket = ({ type }) => {
          if (type === SUBACK || type === UNSUBACK) answers += 1
        }
        await during(seconds, () => flowing(client.socket, storm))
        return answers === 0 ? 1 : 0
      }),
  },
]
