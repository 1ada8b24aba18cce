import { z } from 'zod'
import type { DirectoryReader } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demandOperator } from '../kernel/authority.ts'
import { Username } from '../kernel/words.ts'
import { command, query } from '../kernel/write.ts'

const PLATFORM_CHAIN = 'platform'
/** What the platform can roll out, and so hold back (S4.18). */
const Feature = z.enum(['partners'])
type Feature = z.infer<typeof Feature>

/** Makes somebody an operator of the platform: apart from every role in every organisation. */
export const makeOperator = command({
  name: 'platform.make-operator',
  input: z.strictObject({ user: Username }),
  chains: () => [PLATFORM_CHAIN],
  async run(writing, { user }) {
    await demandOperator(writing)
    const account = await writing.read.get('user', { id: user, state: 'active' })
    if (account === undefined) return notFound('user')
    if (await writing.read.get('platform_operator', { user, state: 'active' }))
      refuse('DIRECTORY_EXISTS', `${user} is an operator already`)
    await writing.put('platform_operator', { user, state: 'active', since: writing.at })
    return { user }
  },
})

export const endOperator = command({
  name: 'platform.end-operator',
  input: z.strictObject({ user: Username }),
  chains: () => [PLATFORM_CHAIN],
  async run(writing, { user }) {
    await demandOperator(writing)
    const row = await writing.read.get('platform_operator', { user, state: 'active' })
    if (row === undefined) return notFound('operator')
    await writing.put('platform_operator', { ...row, state: 'ended' })
    return { user }
  },
})

/** Rolls a feature out, or takes it back: nothing that was made by it ends, nothing new is made. */
export const setFeature = command({
  name: 'platform.set-feature',
  input: z.strictObject({ feature: Feature, on: z.boolean() }),
  chains: () => [PLATFORM_CHAIN],
  async run(writing, { feature, on }) {
    await demandOperator(writing)
    await writing.put('platform_feature', { name: feature, state: on ? 'on' : 'off' })
    return { feature, on }
  },
})

export const operators = query({
  input: z.strictObject({}),
  async run(asking) {
    await demandOperator(asking)
    const rows = await asking.read.find('platform_operator', { state: 'active' }, { orderBy: ['user'] })
    return rows.map(({ user, since }) => ({ user, since }))
  },
})

/** Throws DIRECTORY_NOT_ROLLED_OUT while the platform holds the feature back. */
export async function assertRolledOut(read: DirectoryReader, feature: Feature): Promise<void> {
  if (await read.get('platform_feature', { name: feature, state: 'off' }))
    refuse('DIRECTORY_NOT_ROLLED_OUT', `${feature} are not switched on here yet`)
}
