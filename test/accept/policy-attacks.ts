import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../agent/storage/index.ts'
import type { GatewayId } from '../../cloud-sync/contract/index.ts'
import type { PolicyOutcome } from '../../cloud-sync/gateway/index.ts'
import { type Harness, type HarnessContext, scaled } from '../support/harness.ts'
import { PolicySigner } from '../support/policy-signer.ts'
import { StoppedClock, testStore } from '../support/store.ts'

const FLIPS = 100_000
const KILLS = 50
const CHILD = join(import.meta.dirname, '../support/policy-child.ts')

type Expected = 'applied' | Extract<PolicyOutcome, { applied: false }>['because']

/** One gateway's store on a real file, the cloud that signs for it, and what went otherwise than designed. */
class Scene {
  readonly signer = new PolicySigner()
  readonly failures: string[]
  readonly folder: string
  readonly clock = new StoppedClock()
  store: Store
  refused = 0

  constructor(folder: string, failures: string[]) {
    this.folder = folder
    this.failures = failures
    this.store = this.#open()
  }

  #open(): Store {
    return testStore(this.folder, { clock: this.clock, trust: this.signer.root.publicKey, windowMs: 1 })
  }

  async restart(meanwhile: () => void = () => undefined): Promise<void> {
    await this.store.stop()
    meanwhile()
    this.store = this.#open()
  }

  /** Gives bytes to the gateway and holds the answer, and what is in force then, to the design. */
  async give(what: string, bytes: Uint8Array, expected: Expected): Promise<void> {
    const before = this.store.policy.version()
    const outcome = await this.store.policy.apply(bytes)
    const got = outcome.applied ? 'applied' : outcome.because
    if (got !== expected) this.failures.push(`${what}: ${got}, not ${expected}`)
    if (!outcome.applied) this.refused += 1
    if (!outcome.applied && this.store.policy.version() !== before) {
      this.failures.push(`${what}: refused, and yet version ${this.store.policy.version()} is in force`)
    }
  }

  denies(what: string): void {
    if (this.store.policy.current() !== null) this.failures.push(`${what}: something is in force`)
  }
}

async function inScene<T>(failures: string[], play: (scene: Scene) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-policy-'))
  const scene = new Scene(folder, failures)
  try {
    return await play(scene)
  } finally {
    await scene.store.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function wrongOnes(scene: Scene): Promise<void> {
  const { signer } = scene
  const [first, second] = [signer.policy(41), signer.policy(42)]
  await scene.give('the first', signer.whole(first), 'applied')
  await scene.give('a change', signer.change(first, second), 'applied')
  await scene.give('the change again', signer.change(first, second), 'same')
  await scene.give('the same, whole', signer.whole(second), 'same')
  await scene.give('a replay', signer.whole(first), 'older')
  const other = { ...signer.policy(43), gateway: 'GW-OTHER' as GatewayId }
  await scene.give("another gateway's", signer.whole(other), 'other-gateway')
  await scene.give(
    "another gateway's change",
    signer.change({ ...second, gateway: other.gateway }, other),
    'unsigned',
  )
  await scene.give(
    'the version in force, other bytes',
    signer.whole(signer.policy(42, { members: [] })),
    'altered',
  )
  await scene.give('2^50 versions on', signer.whole(signer.policy(2 ** 50)), 'jump')
  await scene.give('2^50 versions on, as a change', signer.change(second, signer.policy(2 ** 50)), 'jump')
  await scene.give(
    'an unknown critical part',
    signer.whole(signer.policy(43, { critical: ['moon'] })),
    'critical',
  )
  await scene.give('a change of another policy', signer.change(signer.policy(30), signer.policy(43)), 'base')
  await scene.give('nothing', new Uint8Array(), 'malformed')
  await scene.give("a stranger's", new PolicySigner().whole(signer.policy(43)), 'unsigned')
  await scene.give('a year of changes missed', signer.whole(signer.policy(42 + 2 * 365 * 86_400)), 'applied')
}

async function rotations(scene: Scene): Promise<void> {
  const { signer } = scene
  const first = signer.policy(1)
  await scene.give('the first', signer.whole(first), 'applied')
  for (let rotation = 0; rotation < 3; rotation += 1) signer.rotate()
  await scene.give(
    'a change under keys never heard of',
    signer.change(first, signer.policy(2)),
    'unknown-key',
  )
  await scene.give('the whole, three rotations later', signer.whole(signer.policy(2)), 'applied')
  const thief = new PolicySigner()
  Object.assign(thief, { root: signer.root, key: thief.key, keyset: 2 })
  await scene.give('one under a keyset that was replaced', thief.whole(signer.policy(3)), 'older')
}

async function restoredGateway(scene: Scene): Promise<void> {
  const { signer, folder } = scene
  const backup = `${folder}-backup`
  const database = join(folder, 'gateway.db')
  await scene.give('the first', signer.whole(signer.policy(1)), 'applied')
  await scene.restart(() => {
    cpSync(database, backup)
  })
  await scene.give('the second', signer.whole(signer.policy(2)), 'applied')
  await scene.restart(() => {
    cpSync(backup, database)
    rmSync(backup)
  })
  scene.denies('after its database was restored')
  await scene.give('the old one', signer.whole(signer.policy(1)), 'older')
  await scene.give('the newest again', signer.whole(signer.policy(2)), 'applied')
}

async function restoredCloud(scene: Scene): Promise<void> {
  const { signer } = scene
  await scene.give('from before the backup was used', signer.whole(signer.policy(500)), 'applied')
  await scene.give('from the restored cloud, as it is', signer.whole(signer.policy(300)), 'older')
  signer.raise()
  await scene.give('from it, with the generation raised', signer.whole(signer.policy(300)), 'applied')
  await scene.give('a change in it', signer.change(signer.policy(300), signer.policy(301)), 'applied')
  signer.generation -= 1
  await scene.give('the generation before', signer.whole(signer.policy(501)), 'older')
}

async function damaged(scene: Scene): Promise<void> {
  const { signer } = scene
  scene.denies('with no policy ever')
  await scene.give('the first', signer.whole(signer.policy(7)), 'applied')
  for (const sql of [
    `UPDATE policy SET bytes = x'0102'`,
    `UPDATE policy SET bytes = x''`,
    'DELETE FROM policy',
  ]) {
    scene.store.database.prepare(sql).run()
    await scene.restart()
    scene.denies(sql)
    await scene.give(`after ${sql}`, signer.whole(signer.policy(7)), 'applied')
  }
  await scene.give('a change', signer.change(signer.policy(7), signer.policy(8)), 'applied')
  scene.store.database.prepare('DELETE FROM policy_change').run()
  await scene.restart()
  scene.denies('without its last change')
  await scene.give('the whole', signer.whole(signer.policy(8)), 'applied')
}

/** Every flipped bit of a snapshot and of a change, drawn evenly; a real one must still be taken afterwards. */
async function bitFlips(scene: Scene, { scale, progress }: HarnessContext): Promise<number> {
  const { signer } = scene
  const flips = scaled(FLIPS, scale)
  const [first, second] = [signer.policy(1), signer.policy(2)]
  await scene.give('the first', signer.whole(first), 'applied')
  const targets = [signer.whole(second), signer.change(first, second)]
  for (let flip = 0; flip < flips; flip += 1) {
    const bytes = Uint8Array.from(targets[flip % 2] ?? [])
    const bit = (Math.floor(flip / 2) * 7919) % (bytes.length * 8)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const outcome = await scene.store.policy.apply(bytes)
    if (outcome.applied)
      scene.failures.push(`bit ${bit} of ${bytes.length} bytes flipped, and it was applied`)
    if (flip % 10_000 === 9_999) progress(`${flip + 1} of ${flips} flips`)
  }
  await scene.give('the change, unharmed', targets[1] ?? new Uint8Array(), 'applied')
  return flips
}

/** The process killed at each step of putting a policy in force, as a whole or as a change; then it starts again. */
function kills(failures: string[], { scale, progress }: HarnessContext): number {
  const rounds = scaled(KILLS, scale)
  let count = 0
  for (let round = 0; round < rounds; round += 1) {
    for (const step of [1, 2, 3, 4, 5]) {
      count += 1
      const signer = new PolicySigner()
      const folder = mkdtempSync(join(tmpdir(), 'headgate-policy-kill-'))
      try {
        const file = (name: string, bytes: Uint8Array): string => {
          writeFileSync(join(folder, name), bytes)
          return join(folder, name)
        }
        const [one, two] = [signer.policy(1), signer.policy(2)]
        const first = file('first', signer.whole(one))
        const next = file('next', (round + step) % 2 === 0 ? signer.whole(two) : signer.change(one, two))
        const run = (at: number, files: string[]): string => {
          const args = [CHILD, join(folder, 'data'), signer.root.publicKey, String(at), ...files]
          return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout
        }
        const told = run(step, [first, next])
        if (told.includes('done 2')) failures.push(`step ${step}: the process was not killed`)
        const again = run(0, [next])
        const expected = step === 1 ? 'start 1\ndone 2\n' : 'start 2\ndone 2\n'
        if (again !== expected) failures.push(`step ${step}: ${JSON.stringify(again)} after the kill`)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
    progress(`${count} kills`)
  }
  return count
}

export const harness: Harness = {
  what: 'Whatever is done to policies and where they are kept: refused or recovered as designed, nobody locked out for good.',
  run: async (context) => {
    const failures: string[] = []
    let refused = 0
    for (const play of [wrongOnes, rotations, restoredGateway, restoredCloud, damaged]) {
      await inScene(failures, async (scene) => {
        await play(scene)
        refused += scene.refused
      })
    }
    const flips = await inScene(failures, (scene) => bitFlips(scene, context))
    const killed = kills(failures, context)
    return { figures: { refused, flips, kills: killed }, failures }
  },
}
