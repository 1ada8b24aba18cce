import { describe, expect, test } from 'vitest'
import {
  type DeviceInput,
  type DeviceState,
  type LineInput,
  NEW_DEVICE,
  NEW_LINE,
  nextDeviceHealth,
  nextLineHealth,
} from '../../../hardware/poll/health.ts'

const answered = (atMs: number): DeviceInput => ({ kind: 'answered', atMs })
const partly = (atMs: number): DeviceInput => ({ kind: 'partly', atMs, reason: 'exception-2' })
const silent = (atMs: number): DeviceInput => ({ kind: 'silent', atMs, reason: 'timeout' })

describe('the health of a device', () => {
  test.for<{ what: string; inputs: DeviceInput[]; states: DeviceState[] }>([
    { what: 'one that answers', inputs: [answered(0), answered(1)], states: ['ok', 'ok'] },
    {
      what: 'a missed poll',
      inputs: [answered(0), silent(1), answered(2)],
      states: ['ok', 'degraded', 'ok'],
    },
    { what: 'an answer with holes', inputs: [partly(0), answered(1)], states: ['degraded', 'ok'] },
    {
      what: 'three failures within ten seconds',
      inputs: [answered(0), silent(1_000), silent(2_000), silent(10_999)],
      states: ['ok', 'degraded', 'degraded', 'degraded'],
    },
    {
      what: 'three failures over ten seconds',
      inputs: [answered(0), silent(1_000), silent(2_000), silent(11_000)],
      states: ['ok', 'degraded', 'degraded', 'lost'],
    },
    {
      what: 'two failures a minute apart',
      inputs: [answered(0), silent(1_000), silent(61_000)],
      states: ['ok', 'degraded', 'degraded'],
    },
    {
      what: 'one that never answered',
      inputs: [silent(0), silent(5_000), silent(10_000)],
      states: ['new', 'new', 'lost'],
    },
    {
      what: 'a recovery',
      inputs: [silent(0), silent(5_000), silent(10_000), answered(11_000), answered(12_000)],
      states: ['new', 'new', 'lost', 'probing', 'ok'],
    },
    {
      what: 'a flicker',
      inputs: [silent(0), silent(5_000), silent(10_000), answered(11_000), silent(12_000)],
      states: ['new', 'new', 'lost', 'probing', 'lost'],
    },
  ])('$what', ({ inputs, states }) => {
    let health = NEW_DEVICE
    expect(inputs.map((input) => (health = nextDeviceHealth(health, input)).state)).toEqual(states)
  })

  test('says why the last poll was not whole', () => {
    expect(nextDeviceHealth(NEW_DEVICE, partly(0)).reason).toBe('exception-2')
    expect(nextDeviceHealth(nextDeviceHealth(NEW_DEVICE, partly(0)), answered(1)).reason).toBeNull()
  })
})

describe('the health of a line', () => {
  const after = (inputs: LineInput[]): string => inputs.reduce(nextLineHealth, NEW_LINE).state
  const open: LineInput = { kind: 'state', state: 'open' }
  const exchanges = (count: number, damaged: boolean): LineInput[] =>
    Array.from({ length: count }, () => ({ kind: 'exchange', damaged }))

  test.for([
    { what: 'opened', inputs: [open], state: 'ok' },
    { what: 'one damaged answer', inputs: [open, ...exchanges(1, true)], state: 'ok' },
    { what: 'damage on and on', inputs: [open, ...exchanges(10, true)], state: 'noisy' },
    {
      what: 'calm for a while',
      inputs: [open, ...exchanges(10, true), ...exchanges(10, false)],
      state: 'noisy',
    },
    { what: 'calm for long', inputs: [open, ...exchanges(10, true), ...exchanges(60, false)], state: 'ok' },
    { what: 'unplugged', inputs: [open, { kind: 'state', state: 'lost' }], state: 'lost' },
    { what: 'not to be opened', inputs: [{ kind: 'state', state: 'backoff' }], state: 'backoff' },
    {
      what: 'unplugged while an exchange ends',
      inputs: [open, { kind: 'state', state: 'lost' }, ...exchanges(1, true)],
      state: 'lost',
    },
  ] as { what: string; inputs: LineInput[]; state: string }[])('$what: $state', ({ inputs, state }) => {
    expect(after(inputs)).toBe(state)
  })
})
