import { describe, expect, test } from 'vitest'
import {
  BATCH_READINGS_MAX,
  Outbox,
  SENT_READINGS_MAX,
  WAITING_READINGS_MAX,
} from '../../../hardware/process/outbox.ts'
import type { Reading } from '../../../hardware/reading.ts'
import { VirtualClock } from '../poll/virtual.ts'

const reading = (value: number, alarm = false): Reading => ({
  device: 'd',
  sensor: 'main',
  channel: 'a',
  takenAt: 0,
  value,
  unit: '1',
  quality: 'good',
  reason: null,
  derived: false,
  calibration: 0,
  alarm,
  payloadBytes: 2,
})
const readings = (from: number, count: number): Reading[] =>
  Array.from({ length: count }, (_, n) => reading(from + n))

function outbox() {
  const clock = new VirtualClock()
  const sent: { batch: number; values: unknown[] }[] = []
  const box = new Outbox({
    clock,
    send: (batch, given) => void sent.push({ batch, values: given.map(({ value }) => value) }),
  })
  return { clock, sent, box }
}

describe('the outbox of the hardware process', () => {
  test('sends readings that come close together as one batch, within 50 ms', async () => {
    const { box, clock, sent } = outbox()
    box.add(readings(1, 2))
    await clock.pass(20)
    box.add(readings(3, 1))
    expect(sent).toEqual([])
    await clock.pass(25)
    expect(sent).toEqual([{ batch: 1, values: [1, 2, 3] }])
  })

  test('sends an alarm at once, behind what was taken before it', () => {
    const { box, sent } = outbox()
    box.add(readings(1, 2))
    box.add([reading(3, true)])
    expect(sent).toEqual([{ batch: 1, values: [1, 2, 3] }])
  })

  test('sends no batch above its limit', () => {
    const { box, sent } = outbox()
    box.add(readings(0, BATCH_READINGS_MAX + 1))
    expect(sent.map(({ values }) => values.length)).toEqual([BATCH_READINGS_MAX, 1])
  })

  test('goes on sending while nothing is confirmed, up to its window, and then as commits come', () => {
    const { box, sent } = outbox()
    for (let n = 0; n < 12; n += 1) box.add(readings(n * 500, 500))
    expect(sent.length).toBe(SENT_READINGS_MAX / BATCH_READINGS_MAX)
    box.acknowledged(1)
    expect(sent.at(-1)).toMatchObject({ batch: 11 })
  })

  test('keeps 10,000 readings and gives up the oldest that are not under way, counted', () => {
    const { box, sent } = outbox()
    for (let n = 0; n < 24; n += 1) box.add(readings(n * 500, 500))
    expect(box.counts()).toEqual({ readings: 12_000, waiting: WAITING_READINGS_MAX, dropped: 2_000 })
    for (let batch = 1; batch <= 40; batch += 1) box.acknowledged(batch)
    const values = sent.flatMap((each) => each.values)
    expect(values.length).toBe(WAITING_READINGS_MAX)
    expect(values.slice(0, SENT_READINGS_MAX)).toEqual(Array.from({ length: SENT_READINGS_MAX }, (_, n) => n))
    expect(values.at(-1)).toBe(11_999)
    expect(values[SENT_READINGS_MAX]).toBe(SENT_READINGS_MAX + 2_000)
    expect(box.counts().waiting).toBe(0)
  })

  test('is drained when all is committed, not when all is sent', async () => {
    const { box, clock } = outbox()
    box.add(readings(0, 3))
    let drained = false
    const ended = box.drain().then(() => (drained = true))
    await clock.pass(100)
    expect(drained).toBe(false)
    box.acknowledged(1)
    await ended
    expect(drained).toBe(true)
  })

  test('does not mind a confirmation that comes twice', () => {
    const { box } = outbox()
    box.add([reading(1, true)])
    box.acknowledged(1)
    box.acknowledged(1)
    expect(box.counts().waiting).toBe(0)
  })
})
