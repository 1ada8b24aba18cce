import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrokerProcess, startHeadgateBroker } from '../support/broker-process.ts'
import { type Harness, scaled } from '../support/harness.ts'
import { metricsAt } from '../support/metrics-page.ts'
import { ackPacket, idOf, payloadStart, PUBACK, PUBLISH, publishPacket } from '../support/mqtt-bytes.ts'
import { peakMiB, residentMiB } from '../support/process-figures.ts'
import { RawClient, untilTrue } from '../support/raw-client.ts'
import { each } from './attacks/attack.ts'

const SESSIONS = 1_000
/** A principal may leave only so many sessions behind. */
const SESSIONS_A_USER = 50
const PAYLOAD_BYTES = 16 * 1024
/** More than the bytes of one queue allow: the oldest must go. */
const MESSAGES = 1_300
const WINDOW = 20
const RETURNING = 5
const MEMORY_MIB_MAX = 256
const PASSWORD = 'a key'

const userOf = (session: number): string => `user-${Math.floor(session / SESSIONS_A_USER)}`
const loginOf = (session: number) =>
  ({ clientId: `away-${session}`, clean: false, username: userOf(session), password: PASSWORD }) as const

function usersFile(folder: string, sessions: number): string {
  const keyHash = createHash('sha256').update(PASSWORD).digest('hex')
  const names = new Set(Array.from({ length: sessions }, (_, session) => userOf(session)))
  const file = join(folder, 'users.yaml')
  writeFileSync(
    file,
    `users:\n${[...names].map((name) => `  - { name: ${name}, keyHash: ${keyHash} }\n`).join('')}`,
  )
  return file
}

/** Publishes them all, waiting for PUBACKs; after each, `look`. */
async function publishAll(port: number, look: (acknowledged: number) => void): Promise<void> {
  const client = await RawClient.clean(port, 'publisher')
  let sent = 0
  let acknowledged = 0
  const payload = Buffer.alloc(PAYLOAD_BYTES)
  const pump = (): void => {
    while (sent < MESSAGES && sent - acknowledged < WINDOW) {
      sent += 1
      payload.writeUInt32BE(sent)
      client.send(publishPacket({ topic: 'queue/all', payload, qos: 1, id: sent }))
    }
  }
  client.onPacket = ({ type }) => {
    if (type !== PUBACK) return
    acknowledged += 1
    look(acknowledged)
  }
  client.afterRead = pump
  pump()
  await untilTrue(() => acknowledged === MESSAGES || !client.isOpen, 600_000)
  client.destroy()
  if (acknowledged < MESSAGES) throw new Error(`only ${acknowledged} of ${MESSAGES} were acknowledged`)
}

/** Comes back and takes its queue; the numbers in the order they came. */
async function drained(port: number, session: number): Promise<number[]> {
  const client = new RawClient(port)
  const numbers: number[] = []
  client.onPacket = (seen) => {
    if (seen.type !== PUBLISH) return
    numbers.push(seen.bytes.readUInt32BE(payloadStart(seen)))
    client.send(ackPacket(PUBACK, idOf(seen)))
  }
  await client.logIn(loginOf(session))
  await untilTrue(() => numbers.at(-1) === MESSAGES)
  client.destroy()
  return numbers
}

/** The newest messages without a gap. */
const isNewest = (numbers: readonly number[]): boolean =>
  numbers.length > 0 &&
  numbers.at(-1) === MESSAGES &&
  numbers.every((number, at) => number === MESSAGES - numbers.length + 1 + at)

async function fill(
  broker: BrokerProcess,
  sessions: number,
  progress: (text: string) => void,
): Promise<string[]> {
  const { port, pid } = broker
  await each(sessions, 20, async (session) => {
    const client = await RawClient.open(port, loginOf(session))
    await client.subscribe(['queue/#'], 1)
    await client.leave()
  })
  await publishAll(port, (acknowledged) => {
    if (acknowledged % 100 === 0)
      progress(`${acknowledged} of ${MESSAGES}: ${Math.round(residentMiB(pid))} MiB`)
  })
  const failures: string[] = []
  const page = await metricsAt(broker.metricsUrl)
  const queued = page.sum('queued_messages')
  // Messages of this size meet the bound in bytes before the one in messages.
  const dropped = page.sum(
    'bounds_total/offlineMessages',
    'bounds_total/offlineBytes',
    'bounds_total/offlineTotalBytes',
  )
  if (queued + dropped !== MESSAGES * sessions) {
    failures.push(`${MESSAGES * sessions} went to queues, ${queued} are there and ${dropped} counted as gone`)
  }
  if (dropped === 0) failures.push('no queue was full')
  for (let session = 0; session < sessions; session += Math.ceil(sessions / RETURNING)) {
    const numbers = await drained(port, session)
    if (!isNewest(numbers))
      failures.push(`session ${session} came back to ${numbers.length} messages with a gap`)
  }
  return failures
}

export const harness: Harness = {
  what: 'Every queue of 1,000 absent sessions full and running over: memory stays under 256 MiB, each keeps its newest messages, the rest is counted.',
  async run({ scale, progress }) {
    const sessions = scaled(SESSIONS, scale)
    const folder = mkdtempSync(join(tmpdir(), 'headgate-broker-memory-'))
    const broker = await startHeadgateBroker({
      data: join(folder, 'data'),
      args: ['--users', usersFile(folder, sessions)],
    })
    try {
      const failures = await fill(broker, sessions, progress)
      const peak = peakMiB(broker.pid)
      if (peak > MEMORY_MIB_MAX) failures.push(`${Math.round(peak)} MiB resident`)
      return { figures: { sessions, messages: MESSAGES, peakMiB: peak }, failures }
    } finally {
      await broker.end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
