import { expect, test } from 'vitest'
import {
  DeviceId,
  downTopic,
  GatewayId,
  type LocalTopic,
  localTopic,
  parseLinkTopic,
  parseLocalTopic,
  SensorName,
  STREAMS,
  UP_PLAIN,
  upTopic,
} from '../../../cloud-sync/contract/index.ts'

const gateway = GatewayId.parse('GW-000123')
const device = DeviceId.parse('tilt-north')

test.for([...STREAMS, ...UP_PLAIN])('up/%s is built and read back', (kind) => {
  expect(parseLinkTopic(upTopic('0a', gateway, kind))).toEqual({
    direction: 'up',
    shard: '0a',
    gateway,
    kind,
  })
})

test.for(STREAMS)('dn/ack/%s is built and read back', (stream) => {
  const kind = `ack/${stream}` as const
  expect(parseLinkTopic(downTopic('ff', gateway, kind))).toEqual({
    direction: 'dn',
    shard: 'ff',
    gateway,
    kind,
  })
})

test.for([
  '',
  'hg1/0a/GW-1/up',
  'hg1/0A/GW-1/up/rd',
  'hg2/0a/GW-1/up/rd',
  'hg1/0a/GW 1/up/rd',
  'hg1/0a/GW-1/up/rd/x',
  'hg1/0a/GW-1/dn/rd',
  'hg1/0a/GW-1/up/ack/rd',
])('%j is no topic of the link', (topic) => {
  expect(parseLinkTopic(topic)).toBeUndefined()
})

const local: [string, LocalTopic][] = [
  ['headgate/GW-000123/status', { what: 'gateway-status', gateway }],
  ['headgate/GW-000123/tilt-north/status', { what: 'device-status', gateway, device }],
  ['headgate/GW-000123/tilt-north/cmd', { what: 'command', gateway, device }],
  ['headgate/GW-000123/tilt-north/cmd/result', { what: 'command-result', gateway, device }],
  ['headgate/GW-000123/tilt-north/in', { what: 'in', gateway, device }],
  [
    'headgate/GW-000123/tilt-north/main/readings',
    { what: 'readings', gateway, device, sensor: SensorName.parse('main') },
  ],
]
test.for(local)('%s is built and read back', ([topic, parsed]) => {
  expect(localTopic(parsed)).toBe(topic)
  expect(parseLocalTopic(topic)).toEqual(parsed)
})

test.for([
  'headgate',
  'headgate/GW-1',
  'headgate/GW-1/tilt/main',
  'headgate/GW-1/tilt/main/readings/x',
  '$SYS/x',
  'headgate/GW-1/Tilt/status',
])('%j is no local topic', (topic) => {
  expect(parseLocalTopic(topic)).toBeUndefined()
})
