import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createLog } from '../../../agent/log.ts'
import { createLocalApi } from '../../../agent/local-api/server.ts'
import type { GatewayFacts, GatewayState, SensorFacts, UsageFacts } from '../../../agent/local-api/state.ts'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'

const STREAM = { epoch: '0f'.repeat(16), next: 8, acked: 5 }
const STATE: GatewayState = {
  gateway: 'GW-1',
  version: '0.1.0',
  bootId: 'boot-1',
  upSeconds: 61,
  clock: { state: 'synced', wall: '2026-11-21T12:00:00.000Z' },
  policy: { version: 3, local: false, refused: { older: 2, unsigned: 0, malformed: 1 } },
  lines: [{ id: 'port1', state: 'ok', utilisation: 0.125 }],
  devices: [
    { id: 'tilt-north', organisation: 'acme', health: 'ok', reason: null },
    { id: 'level-2', organisation: 'borealis', health: 'lost', reason: 'timeout' },
  ],
  refused: [{ what: 'device', id: 'piezo-9', code: 'LINE_OVERLOADED', message: 'too much' }],
  quotas: [
    {
      workspace: 'dam',
      organisation: 'acme',
      meter: 'sensor.readings',
      period: 'month',
      limit: 100,
      used: '120',
      over: true,
    },
  ],
  store: {
    readings: 1200,
    channels: 9,
    usageRecords: 4,
    unbatched: 3,
    usedBytes: 81_920,
    fileBytes: 90_112,
    walBytes: 0,
    freeBytes: 1e9,
  },
  link: { state: 'online', failures: 0, connects: 2, bytesOut: 700, bytesIn: 90, refused: 0, resent: 1 },
  streams: { usage: STREAM, rd: STREAM, 'rd/h': STREAM, evt: STREAM },
  broker: {
    clients: 2,
    published: 7,
    delivered: 11,
    quarantined: 0,
    refusedConnects: 1,
    refusedSubscriptions: 0,
    withheld: 5,
    dropped: 0,
  },
  hardware: { pid: 4711, restarts: 1, dropped: 0 },
}
const SENSORS: SensorFacts[] = [
  {
    device: 'tilt-north',
    sensor: 'main',
    organisation: 'acme',
    channels: [
      {
        channel: 'x',
        unit: 'deg',
        value: 1.25,
        quality: 'good',
        reason: null,
        takenAt: '2026-11-21T12:00:00.000Z',
      },
      {
        channel: 'y',
        unit: 'deg',
        value: null,
        quality: 'bad',
        reason: 'timeout',
        takenAt: '2026-11-21T12:00:00.000Z',
      },
      {
        channel: 'total',
        unit: '1',
        value: '9007199254740993',
        quality: 'good',
        reason: null,
        takenAt: '2026-11-21T12:00:00.000Z',
      },
    ],
  },
]
const USAGE: UsageFacts[] = [
  {
    organisation: 'acme',
    subject: 'sensor:tilt-north/main',
    meter: 'sensor.readings',
    generation: 0,
    end: '9007199254740993',
    billable: true,
  },
]

/** A gateway that only answers, with these facts. */
async function answering(facts: Partial<GatewayFacts> = {}): Promise<string> {
  const folder = testFolder()
  const dataDir = join(folder, 'data')
  mkdirSync(dataDir)
  const api = createLocalApi(dataDir, {
    facts: { status: () => STATE, sensors: () => SENSORS, usage: () => USAGE, readings: () => [], ...facts },
    log: createLog({ level: 'error' }),
    mounts: [],
  })
  await api.start()
  onTestFinished(() => api.stop())
  return folder
}

describe('a running gateway is asked', () => {
  test('by its data folder, and the answer is what docs/cli-json.md says', async () => {
    const data = ['--data', join(await answering(), 'data')]
    const status = await headgateJson(['status', ...data])
    expect(status).toMatchObject({ code: 0, json: STATE })
    expect(differences('headgate status', [status.json])).toEqual([])
    const sensors = await headgateJson(['sensors', ...data])
    expect(sensors.json).toEqual(SENSORS)
    expect(differences('headgate sensors', [sensors.json])).toEqual([])
    const usage = await headgateJson(['usage', ...data])
    expect(usage.json).toEqual(USAGE)
    expect(differences('headgate usage', [usage.json])).toEqual([])
  })

  test('by its configuration, also one that has been edited wrongly since', async () => {
    const folder = await answering()
    const config = join(folder, 'gateway.yaml')
    writeFileSync(config, 'gateway: { id: GW-1, dataDir: data }\nlines: no list\n')
    expect(await headgateJson(['status', '--config', config])).toMatchObject({ code: 0, json: STATE })
    writeFileSync(config, 'gateway: { id: GW-1 }\n')
    expect(await headgateJson(['status', '--config', config])).toMatchObject({
      code: 1,
      json: { error: { code: 'CONFIG_INVALID' } },
    })
  })

  test('by HEADGATE_DATA', async () => {
    const env = { HEADGATE_DATA: join(await answering(), 'data') }
    expect(await headgateJson(['status'], { env })).toMatchObject({ code: 0, json: STATE })
  })
})

test('the tables show what a person looks for', async () => {
  const data = ['--data', join(await answering(), 'data')]
  const { stdout: status } = await headgate(['status', ...data])
  expect(status).toMatch(/^port1 +ok +12\.5 %$/m)
  expect(status).toMatch(/^level-2 +borealis +lost +timeout$/m)
  expect(status).toMatch(/^policy +version 3 {2}refused: 2 older, 1 malformed$/m)
  expect(status).toContain('dam  sensor.readings  120 of 100 a month  OVER')
  expect(status).toContain('refused: device piezo-9: LINE_OVERLOADED: too much')
  expect(status).toMatch(/^streams +usage 5\/7 /m)
  const { stdout: sensors } = await headgate(['sensors', ...data])
  expect(sensors).toMatch(/^tilt-north\/main +acme +y +- +deg +bad \(timeout\) /m)
  expect(sensors).toContain('9007199254740993')
  const { stdout: usage } = await headgate(['usage', ...data])
  expect(usage).toMatch(/^acme +sensor:tilt-north\/main +sensor\.readings +0 +9007199254740993 +yes$/m)
})

test('headgate data top shows who uses the modem, the most first, generations together', async () => {
  const use = (organisation: string, subject: string, end: string, generation = 0): UsageFacts => ({
    ...{ organisation, subject, end, generation },
    meter: 'cell.alloc',
    billable: true,
  })
  const facts = [
    { ...use('acme', 'link:SIM-1', '9000'), meter: 'cell.rx', billable: false },
    use('acme', 'link:SIM-1', '250'),
    use('borealis', 'sensor:level-2/main', '500'),
    use('borealis', 'sensor:level-2/main', '250', 1),
  ]
  const data = ['--data', join(await answering({ usage: () => facts }), 'data')]
  const top = await headgateJson(['data', 'top', ...data])
  expect(top.json).toEqual([
    { organisation: 'borealis', subject: 'sensor:level-2/main', bytes: '750', share: 0.75 },
    { organisation: 'acme', subject: 'link:SIM-1', bytes: '250', share: 0.25 },
  ])
  expect(differences('headgate data top', [top.json])).toEqual([])
  const { stdout } = await headgate(['data', 'top', ...data])
  expect(stdout).toMatch(/^borealis +sensor:level-2\/main +750 +75\.0 %$/m)
})

test('a gateway alone with nothing yet is shown too', async () => {
  const bare = {
    ...STATE,
    link: null,
    policy: { version: 0, local: true, refused: {} },
    lines: [],
    devices: [],
    refused: [],
  }
  const data = ['--data', join(await answering({ status: () => bare, sensors: () => [] }), 'data')]
  const { code, stdout } = await headgate(['status', ...data])
  expect(code).toBe(0)
  expect(stdout).toContain('not configured')
  expect(stdout).toMatch(/^policy +none: nobody may read$/m)
  expect((await headgateJson(['sensors', ...data])).json).toEqual([])
})

test('an answer that is no answer is told, not printed as a crash', async () => {
  const broken = (): never => {
    throw new Error('the store is closed')
  }
  const data = ['--data', join(await answering({ status: broken }), 'data')]
  const { code, stderr } = await headgate(['status', ...data])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^GATEWAY_ANSWER_UNKNOWN: /)
})
