import { expect, onTestFinished, test } from 'vitest'
import { createAlerting } from '../../../../cloud-sync/cloud/alerting/index.ts'
import { DeviceConditions } from '../../../../cloud-sync/cloud/alerting/devices.ts'
import { telling } from '../../../../cloud-sync/cloud/alerting/thresholds.ts'
import type { GatewayEvent, GatewayId, StoredReading } from '../../../../cloud-sync/contract/index.ts'
import { silent } from '../../../support/test-ledger.ts'

const reading = (takenAt: number, reason: string | null, value: number | null = 1): StoredReading => ({
  channel: 1,
  takenAt,
  value: reason === null ? value : null,
  quality: reason === null ? 'good' : 'bad',
  reason,
})
const cases: [string, (string | null)[], (string | undefined)[]][] = [
  ['the first answer ends what was open before', [null, null], ['back', undefined]],
  [
    'one that does not answer for long is lost once',
    ['timeout', 'timeout', 'timeout', 'timeout'],
    [undefined, undefined, 'lost', undefined],
  ],
  [
    'a short silence is nothing',
    [null, 'timeout', null, 'timeout'],
    ['back', undefined, undefined, undefined],
  ],
  [
    'a lost one that answers is back',
    ['line-lost', 'line-lost', 'line-lost', null],
    [undefined, undefined, 'lost', 'back'],
  ],
  [
    'an answer that means nothing is an answer',
    ['timeout', 'timeout', 'crc', 'timeout'],
    [undefined, undefined, undefined, undefined],
  ],
]

test.for(cases)('%s', ([, reasons, told]) => {
  const devices = new DeviceConditions(20)
  expect(reasons.map((reason, n) => devices.note('GW', 'd', [reading(n * 10, reason)]))).toEqual(told)
})

test('what is lost when its gateway comes back is lost anew', () => {
  const devices = new DeviceConditions(10)
  const lost = () => [0, 10].map((at) => devices.note('GW', 'd', [reading(at, 'timeout')]))
  expect(lost()).toEqual([undefined, 'lost'])
  devices.forget('GW')
  expect(lost()).toEqual([undefined, 'lost'])
})

test('what could not be told, as the database was away, is told by the next readings', () => {
  const devices = new DeviceConditions(20)
  const note = (at: number, reason: string | null) => devices.note('GW', 'd', [reading(at, reason)])
  expect([note(0, 'timeout'), note(20, 'timeout')]).toEqual([undefined, 'lost'])
  devices.untold('GW', 'd')
  expect([note(30, 'timeout'), note(40, 'timeout')]).toEqual(['lost', undefined])
  expect(note(50, null)).toBe('back')
  devices.untold('GW', 'd')
  expect([note(60, null), note(70, null)]).toEqual(['back', undefined])
})

test('a threshold sees the least, the most and at last the newest', () => {
  const values = (...list: number[]) => telling(list.map((value, n) => reading(n, null, value)))
  expect(values(5, 9, 1, 4)).toEqual([1, 9, 4])
  expect(values(5, 9)).toEqual([5, 9])
  expect(values(3)).toEqual([3])
  expect(telling([reading(1, 'timeout')])).toEqual([])
})

test('an alarm whose reading waits at the gateway is measured by the rules of its owner, and no other event is', async () => {
  const measured: object[] = []
  const rule = { kind: 'threshold', state: 'active', resource: 'GW-1/tilt-1', channel: 'x' }
  const device = { path: 'GW-1/tilt-1', org: 'acme', owner_epoch: 2, state: 'active' }
  const mine = { org: 'acme', ownerEpoch: 2 }
  const alerting = createAlerting({
    watch: {
      measure: (of: object) => Promise.resolve(measured.push(of)),
      observe: () => Promise.resolve(0),
    },
    rules: { find: (table: string) => Promise.resolve(table === 'device' ? [device] : [rule]) } as never,
    ...{ db: {} as never, log: silent, monoMs: () => 0, offlineAfterMs: 300_000, known: [] },
  })
  onTestFinished(() => alerting.stop())
  const told = (kind: string, detail: GatewayEvent['detail']): GatewayEvent => ({ at: 1, kind, detail })
  const events = [
    told('quota_turned', { workspace: 'wall', blocked: true }),
    told('alarm_held', { ...mine, device: 'tilt-1', channel: 'x', value: 9.5 }),
    told('alarm_held', { ...mine, device: 'tilt-1', channel: 'y', value: 9.5 }),
    told('alarm_held', { ...mine, device: 'tilt-1', channel: 'x', value: 'broken' }),
    // Of earlier owners, of nobody's device.
    told('alarm_held', { ...mine, org: 'borealis', device: 'tilt-1', channel: 'x', value: 8.5 }),
    told('alarm_held', { ...mine, ownerEpoch: 1, device: 'tilt-1', channel: 'x', value: 8.5 }),
    told('alarm_held', { ...mine, device: 'tilt-2', channel: 'x', value: 8.5 }),
  ]
  alerting.heard([{ gateway: 'GW-1' as GatewayId, answers: [], events }])
  await alerting.idle()
  expect(measured).toEqual([{ resource: 'GW-1/tilt-1', channel: 'x', value: 9.5 }])
})
