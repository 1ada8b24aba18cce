import { describe, expect, test } from 'vitest'
import { TurnQueue } from '../../../hardware/line/queue.ts'

const ticks = async (count: number): Promise<void> => {
  for (let tick = 0; tick < count; tick += 1) await Promise.resolve()
}

describe('one turn at a time', () => {
  test('with callers at every tick of others, also while turns fail', async () => {
    const queue = new TurnQueue()
    let inside = 0
    let most = 0
    const order: number[] = []
    const turn = (caller: number) => async (): Promise<number> => {
      inside += 1
      most = Math.max(most, inside)
      order.push(caller)
      await ticks(caller % 7)
      inside -= 1
      if (caller % 3 === 0) throw new Error(`turn ${caller}`)
      return caller
    }
    const callers = Array.from({ length: 200 }, async (_, caller) => {
      await ticks(caller)
      return queue.use(turn(caller))
    })
    const results = await Promise.allSettled(callers)
    expect(most).toBe(1)
    expect(order).toEqual(Array.from({ length: 200 }, (_, caller) => caller))
    expect(results.map(({ status }) => status === 'rejected')).toEqual(
      order.map((caller) => caller % 3 === 0),
    )
  })

  test('with a caller who comes from within a turn that just ended', async () => {
    const queue = new TurnQueue()
    const order: string[] = []
    const first = queue.use(async () => void order.push('first'))
    const waiting = queue.use(async () => void order.push('waiting'))
    const last = first.then(() => queue.use(async () => void order.push('last')))
    await Promise.all([waiting, last])
    expect(order).toEqual(['first', 'waiting', 'last'])
  })

  test('and no more than a thousand in waiting', async () => {
    const queue = new TurnQueue()
    const turns = Array.from({ length: 1000 }, () => queue.use(() => ticks(1)))
    await expect(queue.use(() => ticks(1))).rejects.toMatchObject({ code: 'LINE_OVERLOADED' })
    await Promise.all(turns)
    await expect(queue.use(async () => 'again')).resolves.toBe('again')
  })
})
