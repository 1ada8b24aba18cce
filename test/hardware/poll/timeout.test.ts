import { describe, expect, test } from 'vitest'
import { NO_THINK_TIMES, type ThinkTimes, patience, withAnswer } from '../../../hardware/poll/timeout.ts'

const RX_MS = 8
const after = (...thinkMs: number[]): ThinkTimes =>
  thinkMs.reduce((times, ms) => withAnswer(times, ms + RX_MS, RX_MS), NO_THINK_TIMES)
const limits = { ceilingMs: 500, lateMs: 300, rxMs: RX_MS }

describe('how long to wait for an answer', () => {
  test.for([
    { who: 'a device not heard yet', times: after(), timeoutMs: 508 },
    { who: 'one heard a few times only', times: after(5, 5, 5), timeoutMs: 508 },
    { who: 'a quick one', times: after(...Array<number>(20).fill(5)), timeoutMs: 108 },
    { who: 'a slow one', times: after(...Array<number>(20).fill(90)), timeoutMs: 188 },
    {
      who: 'one that was slow once of late',
      times: after(...Array<number>(40).fill(5), 150, 5),
      timeoutMs: 308,
    },
    { who: 'one that was slow long ago', times: after(150, ...Array<number>(64).fill(5)), timeoutMs: 108 },
    {
      who: 'one that takes all the time it has',
      times: after(...Array<number>(20).fill(400)),
      timeoutMs: 508,
    },
  ])('$who: $timeoutMs ms, and in all as long as its answer may come late', ({ times, timeoutMs }) => {
    const short = patience(times, { ...limits, kind: 'short' })
    expect(short.timeoutMs).toBe(timeoutMs)
    expect(short.timeoutMs + short.lateMs).toBe(500 + 300 + RX_MS)
    expect(patience(times, { ...limits, kind: 'whole' })).toEqual({ timeoutMs: 508, lateMs: 300 })
  })
})
