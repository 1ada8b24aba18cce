import { createHmac } from 'node:crypto'
import type { Author, Grantee, GatewayId, MemberName, OrgId, PolicyFacts } from '../../../contract/index.ts'
import type { DirectoryReader } from '../../storage/index.ts'

/** 64 bits: no two of the few people of a partner are ever called the same. */
const DIGITS = 16
const DISGUISED = /^p-[0-9a-f]{16}$/

/**
 * People of a partner have no names at its customers' gateways: each is an opaque id there, always the same at one
 * gateway and another at the next (S4.14, edge case 23). Of an organisation with something of its own on the gateway
 * everybody is called as ever.
 */
export async function disguisePartners<F extends PolicyFacts>(
  read: DirectoryReader,
  gateway: string,
  facts: F,
): Promise<F> {
  const owners = new Set([facts.owner?.org, ...facts.devices.map(({ org }) => org)])
  const partners = new Set(facts.links.map(({ partner }) => partner).filter((org) => !owners.has(org)))
  if (partners.size === 0) return facts
  const secrets = new Map<string, string>()
  for (const org of partners) secrets.set(org, await secretOf(read, org))
  const named = (org: OrgId, name: MemberName): MemberName => {
    const secret = secrets.get(org)
    return secret === undefined ? name : (disguised(secret, gateway, name) as MemberName)
  }
  return renamed(facts, named)
}

/** The same value with the names of partners' people in place of the ids that they have at this gateway. */
export async function withPartnerNames<T>(
  read: DirectoryReader,
  gateway: GatewayId | string,
  value: T,
): Promise<T> {
  const orgs = orgsOfDisguised(value)
  if (orgs.size === 0) return value
  const names = new Map<string, string>()
  for (const org of orgs) {
    const secret = await secretOf(read, org)
    const members = await read.find('membership', { org })
    const tokens = await read.find('token', { org })
    for (const name of [...members.map(({ user }) => user), ...tokens.map((token) => token.name)])
      names.set(disguised(secret, gateway, name), name)
  }
  const restored = (_key: string, part: unknown): unknown =>
    typeof part === 'string' ? (names.get(part) ?? part) : part
  return JSON.parse(JSON.stringify(value), restored) as T
}

/**
 * Nobody can try names against an id without the directory itself: the first entry of an organisation's log has random
 * ids in it, is never told to anybody and is the same for every cloud and after every restore.
 */
async function secretOf(read: DirectoryReader, org: string): Promise<string> {
  const first = await read.get('policy_log', { chain: `org:${org}`, seq: 1 })
  if (first === undefined) throw new Error(`${org} has no log`)
  return first.hash
}

const disguised = (secret: string, gateway: string, name: string): string =>
  `p-${createHmac('sha256', secret).update(`partner\0${gateway}\0${name}`).digest('hex').slice(0, DIGITS)}`

type Named = (org: OrgId, name: MemberName) => MemberName

function renamed<F extends PolicyFacts>(facts: F, named: Named): F {
  const author = (by: Author): Author => ({ ...by, name: named(by.org, by.name) })
  const grantee = (to: Grantee): Grantee =>
    to.kind === 'member' ? { ...to, name: named(to.org, to.name) } : to
  const { members, keys, teams, grants } = facts
  return {
    ...facts,
    members: members.map((one) => ({ ...one, name: named(one.org, one.name) })),
    keys: keys.map((key) => ({
      ...key,
      name: named(key.org, key.name),
      member: named(key.org, key.member),
    })),
    teams: teams.map((team) => ({
      ...team,
      members: team.members.map((one) => ({ ...one, name: named(team.org, one.name) })),
    })),
    grants: grants.map((grant) => ({
      ...grant,
      to: grantee(grant.to),
      by: grant.by === null ? null : author(grant.by),
    })),
  }
}

/** Organisations of which somebody is named by an opaque id. */
function orgsOfDisguised(value: unknown): Set<string> {
  const orgs = new Set<string>()
  const look = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return
    const { org, name, members } = part as { org?: unknown; name?: unknown; members?: unknown }
    const isTeam =
      Array.isArray(members) && members.some((one) => isDisguised((one as { name: unknown }).name))
    if (typeof org === 'string' && (isDisguised(name) || isTeam)) orgs.add(org)
    for (const inner of Object.values(part)) look(inner)
  }
  look(value)
  return orgs
}

const isDisguised = (name: unknown): boolean => typeof name === 'string' && DISGUISED.test(name)
