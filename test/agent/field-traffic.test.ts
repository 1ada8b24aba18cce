import { expect, test } from 'vitest'
import { FieldTraffic, meterFieldDevices } from '../../agent/field-traffic.ts'
import type { DeviceId } from '../../cloud-sync/contract/index.ts'
import { ACME, OWNER, temporaryFolder, testStore } from '../support/store.ts'

const traffic = (): FieldTraffic => new FieldTraffic({ of: () => OWNER })

test('a field device is counted for what it publishes and for the commands it gets, and nobody else is', () => {
  const meter = traffic()
  const packets = [
    ['headgate/GW-1/pump/in', 100, 'in'],
    ['headgate/GW-1/pump/in', 11, 'in'],
    // A program on the site that reads what a device published.
    ['headgate/GW-1/pump/in', 100, 'out'],
    ['headgate/GW-1/pump/cmd', 30, 'in'],
    ['headgate/GW-1/pump/cmd', 30, 'out'],
    ['headgate/GW-1/tilt/main/readings', 500, 'out'],
    ['anything/else', 5, 'in'],
  ] as const
  for (const [topic, bytes, direction] of packets) meter.count({ topic, bytes, direction })
  expect(meter.take().map(({ meter: name, subject, by }) => [name, subject, by])).toEqual([
    ['mqtt.bytes_in', 'device:pump', 111n],
    ['mqtt.bytes_out', 'device:pump', 30n],
  ])
  expect(meter.take()).toEqual([])
})

test('what was counted is in the registers with the next commit, for whoever owns the device', async () => {
  const { folder, remove } = temporaryFolder()
  const store = testStore(folder)
  try {
    const proposed = new Map([['pump', { org: ACME, custodian: null }]])
    const meter = meterFieldDevices({ proposed, organisation: ACME }, store)
    meter.count({ topic: `headgate/GW-000123/${'pump' as DeviceId}/in`, bytes: 77, direction: 'in' })
    await store.writer.commitSoon()
    expect(
      store.reader.usage().map(({ meter: name, subject, org, end }) => [name, subject, org, end]),
    ).toEqual([['mqtt.bytes_in', 'device:pump', 'acme', 77n]])
  } finally {
    await store.stop()
    remove()
  }
})
