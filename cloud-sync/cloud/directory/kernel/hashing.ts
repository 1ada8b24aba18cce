import { DirectoryRefusal } from '../errors.ts'
import { networkOf } from './network.ts'

/** Parameters of scrypt (RFC 7914): N, r and p. Stored with each hash, so they can grow. */
export interface ScryptCost {
  readonly cost: number
  readonly blockSize: number
  readonly parallelism: number
}

/**
 * How much slow hashing there is at once. Two of the four threads that Node has for it: the other two are for files and
 * names. 128 that wait are some six seconds of work.
 */
const HASHING_MAX = { running: 2, waiting: 128, waitingOfOne: 16 } as const

/** Everything that is slow by intention waits its turn here, so that nobody's passwords keep others from signing in. */
export interface Hashing {
  /** Does the work when it is this share's turn. Throws DIRECTORY_BUSY where too much waits already. */
  run<T>(share: string, work: () => Promise<T>): Promise<T>
}

interface Waiting {
  readonly start: () => void
  readonly giveUp: () => void
}

/**
 * One queue for each share, served in turn: one piece of work of each, then the next. Where all places are taken, the
 * share that holds most of them gives one up to who holds fewer.
 */
export function createHashing(max: Record<keyof typeof HASHING_MAX, number> = HASHING_MAX): Hashing {
  /** In the order in which their turns come. */
  const queues = new Map<string, Waiting[]>()
  let running = 0
  let waiting = 0

  const next = (): void => {
    const [first] = queues
    if (running >= max.running || first === undefined) return
    const [share, queue] = first
    const turn = queue.shift()
    queues.delete(share)
    if (queue.length > 0) queues.set(share, queue)
    waiting -= 1
    running += 1
    turn?.start()
  }
  const makeRoom = (share: string): void => {
    const own = queues.get(share)?.length ?? 0
    if (own >= max.waitingOfOne) throw busy()
    if (waiting < max.waiting) return
    const [crowd, queue] = [...queues].reduce((a, b) => (b[1].length > a[1].length ? b : a))
    if (queue.length <= own + 1) throw busy()
    queue.pop()?.giveUp()
    if (queue.length === 0) queues.delete(crowd)
    waiting -= 1
  }
  const turnOf = (share: string): Promise<void> =>
    new Promise((resolve, reject) => {
      makeRoom(share)
      const queue = queues.get(share) ?? []
      queue.push({
        start: resolve,
        giveUp: () => {
          reject(busy())
        },
      })
      queues.set(share, queue)
      waiting += 1
      next()
    })
  return {
    async run(share, work) {
      await turnOf(share)
      try {
        return await work()
      } finally {
        running -= 1
        next()
      }
    },
  }
}

const busy = (): DirectoryRefusal =>
  new DirectoryRefusal('DIRECTORY_BUSY', 'too many passwords wait to be looked at')

/** Whose work it is: that of all who come from one network, where it is known whence. */
export const shareOf = (by: {
  readonly address?: string
  readonly user?: string
  readonly name?: string
}): string =>
  by.address === undefined ? `name:${by.user ?? by.name ?? ''}` : `network:${networkOf(by.address)}`
