import { describe, expect, test } from 'vitest'
import { Scheduler } from '../../../agent/schedule/scheduler.ts'
import { systemTicker } from '../../../agent/schedule/ticker.ts'
import { HandTicker } from './hand-ticker.ts'

interface Bench {
  readonly ticker: HandTicker
  readonly scheduler: Scheduler
  readonly errors: string[]
}

function bench(): Bench {
  const ticker = new HandTicker()
  const errors: string[] = []
  const onError = (job: string, error: unknown): void => {
    errors.push(`${job}: ${String(error)}`)
  }
  return { ticker, scheduler: new Scheduler({ ticker, onError }), errors }
}

describe('a job', () => {
  test('has a turn at each slot, the first after one interval', async () => {
    const { ticker, scheduler } = bench()
    const at: number[] = []
    scheduler.every('flush', 100, () => {
      at.push(ticker.now())
    })
    await ticker.pass(350)
    expect(at).toEqual([100, 200, 300])
  })

  test('never overlaps itself; slots that pass meanwhile are skipped and the grid stays', async () => {
    const { ticker, scheduler } = bench()
    const at: number[] = []
    let running = 0
    scheduler.every('slow', 100, async () => {
      expect((running += 1)).toBe(1)
      at.push(ticker.now())
      await new Promise<void>((resolve) => ticker.after(250, resolve))
      running -= 1
    })
    await ticker.pass(1_000)
    expect(at).toEqual([100, 400, 700, 1_000])
  })

  test('does not make up for a process that stood still', async () => {
    const { ticker, scheduler } = bench()
    const at: number[] = []
    const late = {
      now: () => ticker.now(),
      after: (ms: number, run: () => void) => ticker.after(at.length === 1 ? ms + 1_050 : ms, run),
    }
    const stalled = new Scheduler({ ticker: late, onError: () => undefined })
    stalled.every('poll', 100, () => {
      at.push(ticker.now())
    })
    await ticker.pass(1_500)
    expect(at.slice(0, 4)).toEqual([100, 1_250, 1_300, 1_400])
    await scheduler.stop()
  })

  test('that fails tells the one listener and goes on, and the others with it', async () => {
    const { ticker, scheduler, errors } = bench()
    const turns: string[] = []
    scheduler.every('bad', 100, () => {
      turns.push('bad')
      throw new Error('disk')
    })
    scheduler.every('good', 100, () => {
      turns.push('good')
    })
    await ticker.pass(200)
    expect(turns).toEqual(['bad', 'good', 'bad', 'good'])
    expect(errors).toEqual(['bad: Error: disk', 'bad: Error: disk'])
  })

  test('that is kicked runs at once, or once more after the running turn', async () => {
    const { ticker, scheduler } = bench()
    const at: number[] = []
    const job = scheduler.every('send', 1_000, async () => {
      at.push(ticker.now())
      await new Promise<void>((resolve) => ticker.after(50, resolve))
    })
    job.kick()
    job.kick()
    job.kick()
    await ticker.pass(500)
    expect(at).toEqual([0, 50])
    await ticker.pass(600)
    expect(at).toEqual([0, 50, 1_000])
  })

  test('that is stopped ends its turn and has no other', async () => {
    const { ticker, scheduler } = bench()
    let done = false
    const job = scheduler.every('send', 100, async () => {
      await new Promise<void>((resolve) => ticker.after(50, resolve))
      done = true
    })
    await ticker.pass(100)
    job.kick()
    const stopped = job.stop()
    await ticker.pass(1_000)
    await stopped
    expect(done).toBe(true)
    expect(ticker.waiting).toBe(0)
  })

  test.for([0, -1, Number.NaN])('with an interval of %s is refused', (everyMs) => {
    expect(() => bench().scheduler.every('x', everyMs, () => undefined)).toThrow('must be positive')
  })
})

test('stopping tells running turns by their signal and waits for them', async () => {
  const { ticker, scheduler } = bench()
  let ended = false
  scheduler.every('upload', 100, async (signal) => {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve)
    })
    ended = true
  })
  await ticker.pass(100)
  await scheduler.stop()
  expect(ended).toBe(true)
  scheduler.every('after the end', 100, () => {
    throw new Error('must not run')
  })
  expect(ticker.waiting).toBe(0)
})

test('a timer longer than 2^31 ms does not fire at once', async () => {
  let fired = false
  const cancel = systemTicker.after(2 ** 31 + 1_000, () => {
    fired = true
  })
  await new Promise((resolve) => setTimeout(resolve, 30))
  cancel()
  expect(fired).toBe(false)
})
