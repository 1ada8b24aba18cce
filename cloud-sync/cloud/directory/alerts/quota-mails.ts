import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { may } from '../kernel/authority.ts'
import type { Message } from '../mail/port.ts'
import { mails } from '../mail/texts.ts'

/** The step from which on something waits, percent. */
const BLOCKED = 100

export interface LimitNears {
  readonly organisation: DirectoryRow<'organisation'>
  readonly workspace: DirectoryRow<'workspace'>
  readonly meter: string
  /** Percent. */
  readonly step: number
  /** Epoch ms. */
  readonly at: number
}

/**
 * What people are told when a workspace nears its limit: everybody who may see the usage of the organisation. Where it
 * is invoiced outside nobody sees it (S0.35), so only that something waits now is told, to those who give out limits.
 */
export async function quotaMails(
  read: DirectoryReader,
  { organisation, workspace, meter, step, at }: LimitNears,
): Promise<Message[]> {
  const isHidden = organisation.billing === 'external'
  if (isHidden && step < BLOCKED) return []
  const right = isHidden ? 'quota.allocate' : 'usage.read'
  const { id: org, name } = organisation
  const members = await read.find('membership', { org, state: 'active' }, { orderBy: ['user'] })
  const told: string[] = []
  for (const { user } of members) {
    const actor = { kind: 'user', user, org, scope: 'full' } as const
    if (await may({ read, actor, at }, right, { org })) told.push(user)
  }
  const users = await read.find('user', { id: told, state: 'active' }, { orderBy: ['id'] })
  const what = `${workspace.name} has reached ${step} % of its limit of ${meter}`
  return users.map(({ email }) => mails.quota(email, { what, where: `Organisation: ${name}` }))
}
