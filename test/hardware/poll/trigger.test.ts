import { describe, expect, test } from 'vitest'
import { triggerOf } from '../../../hardware/poll/trigger.ts'
import type { Step } from '../../../hardware/protocol.ts'

const go: Step = { kind: 'broadcast', tx: Uint8Array.of(0, 6, 1) }
const stop: Step = { kind: 'broadcast', tx: Uint8Array.of(0, 6, 2) }
const wait = (ms: number): Step => ({ kind: 'wait', ms })
const read: Step = {
  kind: 'exchange',
  tx: Uint8Array.of(1),
  match: () => ({ need: 1 }),
  rxBytes: 5,
  channels: ['a'],
  token: null,
}

describe('what two devices of a line can share of a poll', () => {
  test.for<{ what: string; steps: Step[]; key: string | null; waitMs: number; rest: number }>([
    { what: 'a trigger and its wait', steps: [go, wait(300), read], key: 'p/1 000601', waitMs: 300, rest: 1 },
    {
      what: 'two triggers',
      steps: [stop, go, wait(10), read],
      key: 'p/1 000602 000601',
      waitMs: 10,
      rest: 1,
    },
    { what: 'a trigger without a wait', steps: [go, read, read], key: 'p/1 000601', waitMs: 0, rest: 2 },
    { what: 'two waits', steps: [go, wait(10), wait(20), read], key: 'p/1 000601', waitMs: 30, rest: 1 },
    { what: 'nothing, where it reads only', steps: [read], key: null, waitMs: 0, rest: 1 },
    { what: 'nothing, where it waits first', steps: [wait(5), go, read], key: null, waitMs: 0, rest: 3 },
    {
      what: 'nothing, where triggers have a rhythm',
      steps: [stop, wait(5), go, read],
      key: null,
      waitMs: 0,
      rest: 4,
    },
    { what: 'nothing, where it does nothing', steps: [], key: null, waitMs: 0, rest: 0 },
  ])('$what', ({ steps, key, waitMs, rest }) => {
    const trigger = triggerOf(steps, 'p/1')
    expect(trigger).toMatchObject({ key, waitMs })
    expect(trigger.rest).toEqual(steps.slice(steps.length - rest))
  })
})
