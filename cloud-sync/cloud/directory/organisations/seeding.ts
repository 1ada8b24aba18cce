import { z } from 'zod'
import type { DirectoryReader } from '../../storage/index.ts'
import { DirectoryChange } from '../changes.ts'
import { assertNobodys } from '../accounts/addresses.ts'
import { DirectoryRefusal, notFound, refuse } from '../errors.ts'
import { demandOperator } from '../kernel/authority.ts'
import { foldEmail } from '../kernel/fold.ts'
import { Email, Username } from '../kernel/words.ts'
import { command, userChain } from '../kernel/write.ts'
import { applyChange, chainsOf, type NameOf } from './configured.ts'

const SEED_MAX = 100_000

/** A configured directory, change by change, each with its place in the file. */
const Seed = z.array(z.strictObject({ change: DirectoryChange, where: z.string() })).max(SEED_MAX)
export type Seed = z.input<typeof Seed>

/** Takes over a configured directory whole, or names everything in it that cannot be. */
export const importSeed = command({
  name: 'platform.import-seed',
  input: Seed,
  chains: (seed, _actor, read) => chainsOf(read, changesIn(seed), seedNames(changesIn(seed))),
  async run(writing, seed) {
    await demandOperator(writing)
    const names = seedNames(changesIn(seed))
    const faults: string[] = []
    for (const { change, where } of seed) {
      try {
        await applyChange(writing, change, names)
      } catch (error) {
        if (!(error instanceof DirectoryRefusal)) throw error
        faults.push(`${where}: ${error.message}`)
      }
    }
    if (faults.length > 0) refuse('DIRECTORY_INPUT_INVALID', faults.join('\n'))
    return { changes: seed.length }
  },
})

/** One change in the words of a configured directory, by the operator. */
export const configure = command({
  name: 'platform.configure',
  input: DirectoryChange,
  chains: async (change, _actor, read) => chainsOf(read, [change], await presentNames(read, change)),
  async run(writing, change) {
    await demandOperator(writing)
    await applyChange(writing, change, await presentNames(writing.read, change))
    return { done: change.kind }
  },
})

/** The true address of somebody who came without one; a password comes by a reset to it. */
export const setEmail = command({
  name: 'platform.set-email',
  input: z.strictObject({ user: Username, email: Email }),
  chains: ({ user }) => [userChain(user)],
  async run(writing, { user: id, email }) {
    await demandOperator(writing)
    const user = (await writing.read.get('user', { id })) ?? notFound('user')
    const email_key = foldEmail(email)
    await assertNobodys(writing, id, email_key)
    await writing.put('user', { ...user, email, email_key, email_verified_at: null })
    return { user: id, email }
  },
})

const changesIn = (seed: z.output<typeof Seed>): DirectoryChange[] => seed.map(({ change }) => change)

/** A name that two organisations use is two people: then the organisation stands before it. */
function seedNames(changes: readonly DirectoryChange[]): NameOf {
  const count = new Map<string, number>()
  for (const change of changes)
    if (change.kind === 'member.added') count.set(change.name, (count.get(change.name) ?? 0) + 1)
  return (org, name) => ((count.get(name) ?? 0) > 1 ? prefixed(org, name) : name)
}

/** Who was called so in that organisation; else the name itself, where nobody has it yet. */
async function presentNames(read: DirectoryReader, change: DirectoryChange): Promise<NameOf> {
  const known = new Map<string, string>()
  for (const [org, name] of named(change)) {
    const isMember = await read.get('membership', { org, user: name })
    const isPrefixed = await read.get('membership', { org, user: prefixed(org, name) })
    const isTaken = (await read.get('user', { id: name })) !== undefined
    const isOther = isMember === undefined && (isPrefixed !== undefined || isTaken)
    known.set(`${org}:${name}`, isOther ? prefixed(org, name) : name)
  }
  return (org, name) => known.get(`${org}:${name}`) ?? name
}

function named(change: DirectoryChange): (readonly [org: string, name: string])[] {
  switch (change.kind) {
    case 'member.added':
    case 'member.removed':
    case 'key.removed':
      return [[change.org, change.name]]
    case 'key.added':
      return [
        [change.org, change.name],
        [change.org, change.member],
      ]
    case 'device.registered':
      return nameIn(change.org, change.custodian)
    case 'share.added':
      return nameIn(change.to.org, change.to.member)
    case 'organisation.added':
    case 'gateway.registered':
    case 'device.diagnostic':
    case 'share.revoked':
      return []
  }
}

const nameIn = (org: string, name: string | null): (readonly [org: string, name: string])[] =>
  name === null ? [] : [[org, name]]

const prefixed = (org: string, name: string): string => `${org}-${name}`
