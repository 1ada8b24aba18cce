import { z } from 'zod'
import { DeviceId, GatewayId, Hash, PublicKey, Role } from '../../../contract/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demandOperator } from '../kernel/authority.ts'
import { foldEmail } from '../kernel/fold.ts'
import { isOwnerRole } from '../kernel/presets.ts'
import { Email, Id, OrgId, Title, Username } from '../kernel/words.ts'
import { command, orgChain, userChain, type Writing } from '../kernel/write.ts'
import { addUser } from '../accounts/users.ts'
import { foundOrganisation } from './founding.ts'
import { join } from './joining.ts'

const Member = z.strictObject({ org: OrgId, name: Username, role: Role })
const SEED_MAX = 10_000

/** What a configured directory knows; names are its own, one for each organisation. */
const Seed = z.strictObject({
  organisations: z.array(z.strictObject({ id: OrgId, name: Title })).max(SEED_MAX),
  members: z.array(Member).max(SEED_MAX),
  keys: z
    .array(z.strictObject({ id: Id, org: OrgId, name: Username, member: Username, hash: Hash }))
    .max(SEED_MAX),
  gateways: z.array(z.strictObject({ id: GatewayId, org: OrgId, publicKey: PublicKey })).max(SEED_MAX),
  devices: z
    .array(z.strictObject({ gateway: GatewayId, id: DeviceId, org: OrgId, custodian: Username.nullable() }))
    .max(SEED_MAX),
})
export type Seed = z.input<typeof Seed>
type Parsed = z.output<typeof Seed>

/** Takes over a configured directory, once: what is there already is left alone. */
export const importSeed = command({
  name: 'platform.import-seed',
  input: Seed,
  chains: (seed) => [
    ...seed.organisations.map(({ id }) => orgChain(id)),
    ...[...usernames(seed).values()].map(userChain),
  ],
  async run(writing, seed) {
    await demandOperator(writing)
    const { read, at } = writing
    const names = usernames(seed)
    const nameOf = (org: string, name: string): string => names.get(`${org}:${name}`) ?? name
    const fresh = new Set<string>()
    for (const { id, name } of seed.organisations) {
      if (await read.get('organisation', { id })) continue
      const base = { description: '', logoUrl: '', preset: 'headgate', type: 'standard' } as const
      await foundOrganisation(writing, { ...base, id, name, owner: undefined })
      fresh.add(id)
    }
    for (const member of seed.members) if (fresh.has(member.org)) await addMember(writing, member, nameOf)
    for (const { id, org, publicKey } of seed.gateways) {
      if (!fresh.has(org) || (await read.get('gateway', { id }))) continue
      const placed = { workspace: null, custodian: null, owner_epoch: 1, state: 'claimed' } as const
      await writing.put('gateway', { id, org, ...placed, public_key: publicKey, created_at: at })
    }
    for (const device of seed.devices) if (fresh.has(device.org)) await addDevice(writing, device, nameOf)
    for (const key of seed.keys) if (fresh.has(key.org)) await addKey(writing, key, nameOf)
    return { organisations: fresh.size }
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
    const other = await writing.read.get('user', { email_key })
    if (other !== undefined && other.id !== id)
      refuse('DIRECTORY_EXISTS', 'this address belongs to an account')
    await writing.put('user', { ...user, email, email_key, email_verified_at: null })
    return { user: id, email }
  },
})

/** A name that two organisations use is two people: then the organisation stands before it. */
function usernames({ members }: Parsed): Map<string, string> {
  const count = new Map<string, number>()
  for (const { name } of members) count.set(name, (count.get(name) ?? 0) + 1)
  return new Map(
    members.map(({ org, name }) => [`${org}:${name}`, count.get(name) === 1 ? name : `${org}-${name}`]),
  )
}

type NameOf = (org: string, name: string) => string

async function addMember(
  writing: Writing,
  { org, name, role }: Parsed['members'][number],
  nameOf: NameOf,
): Promise<void> {
  const username = nameOf(org, name)
  if ((await writing.read.get('user', { id: username })) === undefined)
    await addUser(writing, { username, email: `${username}@seed.invalid`, name, tz: 'UTC' })
  const organisation = { id: org, preset: 'headgate', type: 'standard' } as const
  await join(writing, organisation, { user: username, role, billing: isOwnerRole(role) })
}

async function addDevice(
  writing: Writing,
  { gateway, id, org, custodian }: Parsed['devices'][number],
  nameOf: NameOf,
): Promise<void> {
  const path = `${gateway}/${id}`
  if (await writing.read.get('device', { path })) return
  await writing.put('device', {
    path,
    gateway,
    org,
    workspace: null,
    custodian: custodian === null ? null : nameOf(org, custodian),
    owner_epoch: 1,
    name: id,
    state: 'active',
    created_at: writing.at,
  })
}

/** A key keeps its hash, so whoever has it goes on. */
async function addKey(
  writing: Writing,
  { id, org, name, member, hash }: Parsed['keys'][number],
  nameOf: NameOf,
): Promise<void> {
  if (await writing.read.get('token', { hash })) return
  await writing.put('token', {
    id,
    org,
    user: nameOf(org, member),
    name: name === member ? nameOf(org, member) : name,
    kind: name === member ? 'api-key' : 'token',
    scope: 'full',
    hash,
    incarnation: 1,
    expires_at: null,
    state: 'active',
    created_at: writing.at,
  })
}
