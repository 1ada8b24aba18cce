import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../hardware/clock.ts'
import { openLine } from '../../../hardware/line/open-line.ts'
import { loadProfile, protocolOf, readingsOf } from '../../../hardware/profile/index.ts'
import type { RawValue } from '../../../hardware/protocol.ts'
import type { Reading, Reason } from '../../../hardware/reading.ts'
import { loadScenario, startSimulator } from '../../../hardware/sim/index.ts'

const FOLDER = join(import.meta.dirname, '../../../hardware/profiles')
const shipped = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => [file, readFileSync(join(FOLDER, file), 'utf8')] as const)

const ASCII = `
profile: acme-level/1
protocol: modbus-ascii
line: { baud: 38400, format: 7E1 }
channels:
  - { id: level, read: { input: 0x10 }, type: float32, unit: m, resolution: 0.001, range: [0, 30] }
  - { id: far, read: { input: 0x30 }, unit: m }
examples:
  - { request: ":010400100002E9", reply: ":0104044145851FCD", values: { level: 12.345 } }
  - { request: ":010400300001CA", reply: ":0104020007F2", values: { far: 7 } }
`

/** Simulates a device of the profile on a TCP wire of its own speed and polls all its channels once by the real line. */
async function pollOnce(text: string, more = ''): Promise<{ readings: Reading[]; refusals: Reason[] }> {
  const profile = loadProfile(text)
  const scenario = loadScenario(
    `line: { baud: ${profile.line.baud}, format: ${profile.line.format} }\ndevices: [{ id: d, profile: p, address: 3${more} }]\n`,
    () => text,
  )
  const simulator = await startSimulator({ scenario, expose: { tcp: 0 } })
  const line = openLine({ id: 'l', port: simulator.port, ...profile.line }, { clock: systemClock })
  const protocol = protocolOf(profile)
  const raw: RawValue[] = []
  const failed = new Map<string, Reason>()
  try {
    await line.start(new AbortController().signal)
    const ids = profile.channels.map(({ id }) => id)
    for (const step of protocol.plan(3, ids, new Set())) {
      if (step.kind === 'broadcast') await line.send(step.tx, 5)
      if (step.kind !== 'exchange') continue
      const reply = await line.exchange({ ...step, timeoutMs: 2000, gapMs: 0, lateMs: 0 })
      const result = reply.ok ? protocol.decode(step, reply.frame) : reply
      if (!result.ok) for (const id of step.channels) failed.set(id, result.reason)
      else if ('values' in result) raw.push(...result.values)
    }
  } finally {
    await line.stop()
    await simulator.stop()
  }
  const calibrations = [{ version: 1, validFrom: 0, values: profile.cal }]
  const neighbour = (): undefined => undefined
  const readings = readingsOf(profile, {
    device: 'd',
    address: 3,
    takenAt: 1,
    raw,
    failed,
    calibrations,
    neighbour,
  })
  return { readings, refusals: [...failed.values()] }
}

describe('a simulated device of a shipped profile gives a good reading of every channel', () => {
  test.for(shipped)('%s', async ([, text]) => {
    const { readings, refusals } = await pollOnce(text)
    expect(refusals).toEqual([])
    expect(readings.map(({ channel, quality, reason }) => ({ channel, quality, reason }))).toEqual(
      loadProfile(text).channels.map(({ id }) => ({ channel: id, quality: 'good', reason: null })),
    )
  })
})

test('a simulated device speaks ASCII', async () => {
  const { readings } = await pollOnce(ASCII)
  expect(readings.map(({ channel, quality }) => [channel, quality])).toEqual([
    ['level', 'good'],
    ['far', 'good'],
  ])
  expect(Number(readings[0]?.value)).toBeCloseTo(12.345, 0)
})

test('a strict one refuses a read over a hole, a lenient one gives zeros there', async () => {
  const joined = ASCII.replace('line:', 'limits: { maxHole: 40 }\nline:')
  expect((await pollOnce(joined, ', holes: refuse')).refusals).toEqual(['exception-2', 'exception-2'])
  expect((await pollOnce(joined)).refusals).toEqual([])
})
