import { z } from 'zod'
import { Level, Preset, Role } from '../../../contract/index.ts'
import { provenAccount } from '../accounts/addresses.ts'
import { addUser } from '../accounts/users.ts'
import type { DirectoryReader } from '../../storage/index.ts'
import { demandOperator } from '../kernel/authority.ts'
import { Email, OrgId, Title, Username } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, userChain, type Writing } from '../kernel/write.ts'
import { addWorkspace, foundOrganisation } from './founding.ts'
import { giveWorkspaceLevel, join } from './joining.ts'
import { addLink } from './links.ts'

/** An id of the older product. */
const Foreign = z.string().min(1).max(128)
const Person = z.strictObject({ foreign: Foreign, username: Username, email: Email, name: Title })
const SYSTEMS_MAX = 200
const PEOPLE_MAX = 1_000

/**
 * One customer of a partner as the older product has it: systems, and who was a user of which with what level. A second
 * partner of the same customer is another run with the same `customer` (S4.17).
 */
const Customer = z.strictObject({
  /** The older product: its ids are unique there. */
  source: z.string().regex(/^[a-z0-9-]{1,32}$/),
  preset: Preset.default('meter.me'),
  partner: z.strictObject({ id: OrgId, name: Title }),
  team: z
    .array(Person.extend({ role: Role.extract(['installer', 'systems-admin', 'super-installer', 'owner']) }))
    .max(PEOPLE_MAX),
  customer: z.strictObject({ foreign: Foreign, id: OrgId, name: Title }),
  systems: z
    .array(
      z.strictObject({
        foreign: Foreign,
        name: Title,
        users: z.array(Person.extend({ level: Level })).max(PEOPLE_MAX),
      }),
    )
    .max(SYSTEMS_MAX),
})
type Customer = z.infer<typeof Customer>

/** What a run made, or would make; all nought where everything was moved before. */
export interface MigrationReport {
  readonly organisations: number
  readonly links: number
  readonly systems: number
  readonly accounts: number
  readonly memberships: number
  readonly levels: number
}

/**
 * Moves one customer: users of systems become members of the organisation with exactly the level that they had in each
 * system, never more. Repeatable: what was moved once is known by its older id and left alone, also where it was changed
 * or taken away since.
 */
export const migrate = command({
  name: 'customer.migrate',
  input: Customer,
  chains: async (input, _actor, read) => {
    const people = everybody(input).map(
      async (person) => (await presentAs(read, input, person)) ?? person.username,
    )
    return [
      orgChain(input.partner.id),
      orgChain(input.customer.id),
      ...(await Promise.all(people)).map(userChain),
    ]
  },
  async run(writing, input): Promise<MigrationReport> {
    await demandOperator(writing)
    return moved(writing, input)
  },
})

/** The same without doing it. */
export const rehearse = query({
  input: Customer,
  async run(asking, input): Promise<MigrationReport> {
    await demandOperator(asking)
    return moved(onPaper(asking), input)
  },
})

const everybody = ({ team, systems }: Customer) => [...team, ...systems.flatMap(({ users }) => users)]

async function moved(writing: Writing, input: Customer): Promise<MigrationReport> {
  const { partner, customer, source, preset, systems, team } = input
  const count = { organisations: 0, links: 0, systems: 0, accounts: 0, memberships: 0, levels: 0 }
  const base = { description: '', logoUrl: '', preset, owner: undefined }
  for (const org of [
    { ...base, ...partner, type: 'partner' as const },
    { ...base, id: customer.id, name: customer.name, type: 'customer' as const },
  ]) {
    if (await writing.read.get('organisation', { id: org.id })) continue
    await foundOrganisation(writing, org)
    count.organisations += 1
  }
  const link = { org: customer.id, partner: partner.id }
  if ((await writing.read.get('management_link', link)) === undefined) {
    await addLink(writing, { ...link, state: 'active', consentBy: partner.id })
    count.links += 1
  }
  const move: Move = { writing, source, count, accounts: new Map(), joined: new Set() }
  for (const person of team) await memberFrom(move, person, { org: partner.id, role: person.role })
  for (const system of systems) await systemFrom(move, customer.id, system)
  return count
}

interface Move {
  readonly writing: Writing
  readonly source: string
  readonly count: { -readonly [K in keyof MigrationReport]: number }
  /** By older id: the user that it is now. */
  readonly accounts: Map<string, string>
  /** Memberships of this run. */
  readonly joined: Set<string>
}

async function systemFrom(move: Move, org: string, system: Customer['systems'][number]): Promise<void> {
  const { writing, source, count } = move
  const by = { user: 'platform', actingOrg: org, incarnation: 1 }
  const known = await writing.read.get('foreign_id', { source, foreign: `system/${system.foreign}` })
  const id =
    known?.id ?? (await addWorkspace(writing, { org, name: system.name, type: 'system', by: 'platform' })).id
  if (known === undefined) {
    count.systems += 1
    await writing.put('foreign_id', { source, foreign: `system/${system.foreign}`, org, what: 'system', id })
  }
  for (const person of system.users) {
    const user = await memberFrom(move, person, { org, role: 'member' })
    const foreign = `level/${system.foreign}/${person.foreign}`
    if (user === undefined || (await writing.read.get('foreign_id', { source, foreign }))) continue
    const member = { user, org, incarnation: 1 }
    const grant = await giveWorkspaceLevel(writing, {
      workspace: { id, org },
      member,
      level: person.level,
      by,
    })
    await writing.put('foreign_id', { source, foreign, org, what: 'level', id: grant })
    count.levels += 1
  }
}

/** The user, a member now; undefined where they were one and are no more: nobody is brought back. */
async function memberFrom(
  move: Move,
  person: z.infer<typeof Person>,
  { org, role }: { org: string; role: Role },
): Promise<string | undefined> {
  const { writing, count, joined } = move
  const user = await accountFrom(move, person, org)
  if (joined.has(`${org}:${user}`)) return user
  const present = await writing.read.get('membership', { org, user })
  if (present !== undefined) return present.state === 'active' && present.incarnation === 1 ? user : undefined
  const organisation = await writing.read.get('organisation', { id: org })
  const known = organisation ?? { id: org, preset: 'meter.me' as const, type: 'customer' as const }
  await join(writing, known, { user, role, billing: false })
  joined.add(`${org}:${user}`)
  count.memberships += 1
  return user
}

/** Whom this person was moved to before, or whose the address is. */
async function presentAs(
  read: DirectoryReader,
  { source }: Pick<Customer, 'source'>,
  { foreign, email }: Pick<z.infer<typeof Person>, 'foreign' | 'email'>,
): Promise<string | undefined> {
  const known = await read.get('foreign_id', { source, foreign: `user/${foreign}` })
  return known?.id ?? (await provenAccount(read, email))?.id
}

/**
 * The account that this person became before, that of their proven address, or a new one without password: its owner
 * asks for one by mail, and proves the address so. Who only says the address gets nothing of theirs.
 */
async function accountFrom(
  move: Move,
  { foreign: older, username, email, name }: z.infer<typeof Person>,
  org: string,
): Promise<string> {
  const { writing, source, accounts, count } = move
  const made = accounts.get(older)
  if (made !== undefined) return made
  const foreign = `user/${older}`
  const known = await writing.read.get('foreign_id', { source, foreign })
  const present = await presentAs(writing.read, { source }, { foreign: older, email })
  const user = present ?? username
  if (present === undefined) {
    await addUser(writing, { username, email, name, tz: 'UTC' })
    count.accounts += 1
  }
  if (known === undefined)
    await writing.put('foreign_id', { source, foreign, org, what: 'account', id: user })
  accounts.set(older, user)
  return user
}

/** Writes nowhere: for counting what would be done. */
const onPaper = (asking: Asking): Writing => ({
  ...asking,
  put: () => Promise.resolve(),
  add: () => Promise.resolve(),
  drop: () => Promise.resolve(),
  mail: () => Promise.resolve(),
  working: {
    ...asking.read,
    put: () => Promise.resolve(),
    drop: () => Promise.resolve(),
  },
})
