import { expect, test } from 'vitest'
import { createHashing } from '../../../../cloud-sync/cloud/directory/kernel/hashing.ts'
import { networkOf } from '../../../../cloud-sync/cloud/directory/kernel/network.ts'

const MAX = { running: 2, waiting: 8, waitingOfOne: 5 }

/** Work that ends when it is told to; what began, what was refused. */
function world() {
  const hashing = createHashing(MAX)
  const began: string[] = []
  const refused: string[] = []
  const ends: (() => void)[] = []
  const asked: Promise<void>[] = []
  const ask = (share: string, work: () => Promise<void> = running): void => {
    const started = async (): Promise<void> => {
      began.push(share)
      await work()
    }
    asked.push(
      hashing.run(share, started).catch((error: unknown) => {
        refused.push(`${share} ${(error as { code?: string }).code ?? String(error)}`)
      }),
    )
  }
  const running = () => new Promise<void>((end) => ends.push(end))
  const endOne = async (): Promise<void> => {
    ends.shift()?.()
    await settled()
  }
  const endAll = async (): Promise<void> => {
    while (ends.length > 0) await endOne()
    await Promise.all(asked)
  }
  return { ask, began, refused, endOne, endAll }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('two run at once, and one with a hundred passwords keeps nobody waiting longer than one turn', async () => {
  const { ask, began, refused, endOne, endAll } = world()
  for (let n = 0; n < 100; n += 1) ask('crowd')
  ask('ana')
  ask('ben')
  await settled()
  expect(began).toEqual(['crowd', 'crowd'])
  expect(refused).toEqual(Array<string>(93).fill('crowd DIRECTORY_BUSY'))
  for (let turn = 0; turn < 3; turn += 1) await endOne()
  expect(began.slice(2)).toEqual(['crowd', 'ana', 'ben'])
  await endAll()
  expect(began).toHaveLength(9)
})

test('where all places are taken, who has most of them gives one up, and who has as many is refused', async () => {
  const { ask, began, refused, endAll } = world()
  for (const share of ['one', 'two']) for (let n = 0; n < 6; n += 1) ask(share)
  await settled()
  // Two run; five of each would wait, and eight places are there.
  expect(refused).toEqual(['two DIRECTORY_BUSY', 'two DIRECTORY_BUSY'])
  for (const share of ['ana', 'ben', 'cem']) ask(share)
  await settled()
  expect(refused.slice(2).map((line) => line.split(' ')[0])).toEqual(['one', 'two', 'one'])
  ask('two')
  await settled()
  expect(refused).toHaveLength(6)
  await endAll()
  expect(began.filter((share) => !['one', 'two'].includes(share)).toSorted()).toEqual(['ana', 'ben', 'cem'])
})

test('work that fails gives its place back', async () => {
  const { ask, began, refused, endAll } = world()
  for (let n = 0; n < 4; n += 1) ask('ana', () => Promise.reject(new Error('no memory')))
  ask('ben')
  await settled()
  expect(refused).toHaveLength(4)
  expect(began).toContain('ben')
  await endAll()
})

test.for<[string, string]>([
  ['192.0.2.7', '192.0.2.7'],
  ['unknown', 'unknown'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
])('%s counts as %s', ([address, network]) => {
  expect(networkOf(address)).toBe(network)
})
